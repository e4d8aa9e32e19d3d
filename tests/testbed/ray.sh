#!/bin/bash
# A real Ray cluster of the tests' own on this machine: a head with the dashboard and one more node,
# told apart by addresses of the loopback network, on ports that no other Ray uses by itself.
#
#   ray.sh up            from scratch, or what is missing of it
#   ray.sh keep          up, and with_cluster.sh leaves it so
#   ray.sh down          ends it; the logs stay
#   ray.sh purge         down, and removes them too
#   ray.sh status        exits with 0 when it is up
#   ray.sh crash         ends it at once
#   ray.sh head          starts the head alone, at the same address
#   ray.sh lose          ends the other node at once
#
# Everything is below NEMORUN_TESTBED/ray. RAY names the command, of the interpreter that jobs have.
# Needs root; exits with 3 where there can be no cluster. Only processes of this cluster are ended,
# by the path of its sessions: `ray stop` would end those of others.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
ROOT=${NEMORUN_TESTBED:-/var/tmp/nemorun-testbed}
BED=$ROOT/ray
RAY=${RAY:-ray}
HEAD=127.0.0.2 # "127.0.0.1" would be replaced by an address of the machine's.
PORT=26379 DASHBOARD=28265 AGENT=25365
TOKEN=$BED/token # As on any cluster that others could reach.
export RAY_USAGE_STATS_ENABLED=0 RAY_ADDRESS='' RAY_AUTH_MODE=token RAY_AUTH_TOKEN_PATH=$TOKEN
umask 022

say() { echo "$*" >&2; }
impossible() { say "no test cluster of Ray: $*"; exit 3; }

# shellcheck source=/dev/null
. "$HERE/slurm/processes.sh"

head() {
    answers || {
        end_all
        start_head
    }
}

up() {
    command -v "$RAY" >/dev/null || impossible "the package ray is not installed"
    head
    running_node 1 || start_node 1
    within 60 whole || impossible "the nodes do not come up, see $BED/log"
}

# Worker ports 0: any. The range that is used otherwise collides with other servers' ports.
begin() { # NAME ARGUMENT...
    local name=$1
    shift
    (
        cd / && PATH=$(dirname "$(command -v "$RAY")"):$PATH exec setsid "$RAY" start "$@" --num-cpus=4 \
            --min-worker-port=0 --max-worker-port=0 --object-store-memory=80000000 \
            --disable-usage-stats </dev/null >"$BED/log/$name" 2>&1
    )
}

start_head() {
    rm -rf "$BED/tmp"
    begin head --head --node-ip-address=$HEAD --port=$PORT --temp-dir="$BED/tmp" --num-gpus=0 \
        --dashboard-host=127.0.0.1 --dashboard-port=$DASHBOARD --include-dashboard=true \
        --dashboard-agent-listen-port=$AGENT --resources='{"head":1}' ||
        impossible "the head does not start, see $BED/log/head"
    within 60 answers || impossible "the dashboard does not start, see $BED/log/head"
}

# Nodes of one machine would share the folder into which a job's packages go, and one would remove
# what another still uses: each has its own, mounted for itself.
start_node() {
    local session
    session=$(readlink -f "$BED/tmp/session_latest")
    mkdir -p "$BED/node$1" "$session/runtime_resources"
    export -f begin
    export BED RAY
    unshare -m bash -c 'mount --bind "$1" "$2" && shift 2 && begin "$@"' bash \
        "$BED/node$1" "$session/runtime_resources" \
        "node$1" --address=$HEAD:$PORT --node-ip-address="127.0.0.$((2 + $1))" --num-gpus=2 \
        --dashboard-agent-listen-port=$((AGENT + $1)) --resources="{\"node$1\":1}" ||
        impossible "node $1 does not start, see $BED/log/node$1"
}

ask() {
    curl --silent --fail --max-time 5 --header "Authorization: Bearer $(cat "$TOKEN")" \
        "http://127.0.0.1:$DASHBOARD/$1"
}

answers() { ask api/version >/dev/null; }

whole() {
    [ "$(ask "nodes?view=summary" | grep -o '"state": *"ALIVE"' |
        wc -l)" -ge 2 ]
}

running_node() { [ -n "$(processes_of "raylet" "127.0.0.$((2 + $1))")" ]; }

# processes_of NAME ADDRESS: the pids of this cluster's processes, of all or of one node's.
processes_of() {
    local each line
    for each in /proc/[0-9]*; do
        line=$( (tr '\0' ' ' <"$each/cmdline") 2>/dev/null) || continue
        case $line in
        *"$BED/tmp/session"* | *"--temp-dir=$BED/tmp"*) ;;
        *) continue ;;
        esac
        case $line in
        *"$1"*"$2"*) echo "${each#/proc/}" ;;
        esac
    done
}

end_all() {
    local pids round
    for round in TERM KILL KILL; do
        pids=$(processes_of "" "")
        [ -n "$pids" ] || return 0
        # shellcheck disable=SC2086
        kill -s "${1:-$round}" $pids 2>/dev/null || true
        within 10 gone "$pids" 2>/dev/null || true
    done
}

gone() { # PIDS: a zombie is as good as gone.
    local each
    for each in $1; do
        ! grep -q '^State:[[:space:]]*[^ZX]' "/proc/$each/status" 2>/dev/null || return 1
    done
}

down() {
    rm -f "$BED/kept"
    end_all
}

crash() { end_all KILL; }

lose() {
    local pids
    pids=$(processes_of "raylet" 127.0.0.3)
    # shellcheck disable=SC2086
    [ -z "$pids" ] || kill -s KILL $pids
}

purge() {
    down
    rm -rf --one-file-system "$BED"
}

locked() { # One at a time.
    [ -z "${NEMORUN_RAY_LOCKED:-}" ] || return 0
    [ "$(id -u)" = 0 ] || impossible "not root"
    mkdir -p "$ROOT/locks" "$BED/log"
    chmod 755 "$ROOT" "$BED"
    [ -s "$TOKEN" ] || (umask 077 && od -An -N32 -tx1 /dev/urandom | tr -d ' \n' >"$TOKEN")
    export NEMORUN_RAY_LOCKED=1
    exec flock --close --wait 900 "$ROOT/locks/ray" "$HERE/ray.sh" "$@"
}

case ${1:-} in
status) answers && whole ;;
keep) locked "$@" && touch "$BED/kept" && up ;;
up | down | purge | crash | head | lose) locked "$@" && "$1" ;;
*) sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2 && exit 64 ;;
esac
