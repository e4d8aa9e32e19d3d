#!/bin/bash
# A real Docker engine of the tests' own on this machine, in a network namespace of its own, so that
# its firewall rules touch nobody, with two images that are made of this machine's own files.
#
#   engine.sh up         from scratch, or what is missing of it
#   engine.sh keep       up, and with_cluster.sh leaves it so
#   engine.sh down       ends it and its containers; the images and the log stay
#   engine.sh purge      down, and removes them too
#   engine.sh status     exits with 0 when it is up
#   engine.sh stop, start                ends the daemon politely; starts it again
#   engine.sh crash      ends the daemon at once, as a crash does
#   engine.sh reload     has the daemon read its settings anew
#
# Everything is below NEMORUN_TESTBED/docker. Needs root; exits with 3 where the engine cannot be.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
ROOT=${NEMORUN_TESTBED:-/var/tmp/nemorun-testbed}
BED=$ROOT/docker
PATH=$PATH:/usr/sbin:/sbin
SOCKET=$BED/docker.sock
umask 022

say() { echo "$*" >&2; }
impossible() { say "no test engine: $*"; exit 3; }

for part in processes packages; do
    # shellcheck source=/dev/null
    . "$HERE/slurm/$part.sh"
done

missing_packages() {
    local each
    for each in dockerd:docker.io containerd:containerd runc:runc iptables:iptables \
        busybox:busybox ip:iproute2 unshare:util-linux setsid:util-linux; do
        command -v "${each%%:*}" >/dev/null || echo "${each#*:}"
    done
}

up() {
    install_packages
    start
    "${PYTHON:-python3}" "$HERE/docker/images.py" "$SOCKET" >>"$BED/log/images" 2>&1 ||
        { say "the images could not be made, see $BED/log/images"; exit 1; }
}

start() {
    ! is_up || return 0
    end dockerd
    end_containerd
    rm -f "$BED/run/dockerd.pid" "$BED/exec/containerd/containerd.pid"
    # The stand-in for NVIDIA's hook has the engine accept what asks for GPUs.
    cleanly env PATH="$HERE/docker/bin:$PATH" setsid unshare --net sh -c 'ip link set lo up && exec "$@"' sh \
        dockerd --data-root "$BED/data" --exec-root "$BED/exec" --pidfile "$(pid_file dockerd)" \
        --host "unix://$SOCKET" --config-file "$BED/daemon.json" >>"$BED/log/dockerd" 2>&1 &
    within 60 is_up || impossible "dockerd does not start, see $BED/log/dockerd"
}

# A daemon that was killed leaves its containerd, with its containers, to the next one.
end_containerd() {
    local pid
    pid=$(cat "$BED/exec/containerd/containerd.pid" 2>/dev/null) || return 0
    [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = containerd ] || return 0
    kill -s TERM "$pid"
    within 10 test ! -e "/proc/$pid/exe" || true
}

is_up() { running dockerd && curl --silent --max-time 5 --unix-socket "$SOCKET" http://docker/_ping | grep -q OK; }

stop() { end dockerd; }

crash() { end dockerd KILL; }

reload() { kill -s HUP "$(cat "$(pid_file dockerd)")"; }

down() {
    rm -f "$BED/kept"
    remove_containers
    stop
    end_containerd
    unmount
}

# The engine mounts its own folder, and one that was killed leaves that so.
unmount() {
    local each
    for each in $(cut -d' ' -f2 /proc/mounts | grep "^$BED/" | sort -r); do umount "$each"; done
}

remove_containers() {
    local each
    is_up || return 0
    for each in $(curl --silent --unix-socket "$SOCKET" "http://docker/containers/json?all=1" |
        grep -o '"Id":"[0-9a-f]*"' | cut -d'"' -f4); do
        curl --silent --unix-socket "$SOCKET" -X DELETE "http://docker/containers/$each?force=1" >/dev/null
    done
}

purge() {
    down
    rm -rf --one-file-system "$BED"
}

locked() { # One at a time.
    [ -z "${NEMORUN_ENGINE_LOCKED:-}" ] || return 0
    [ "$(id -u)" = 0 ] || impossible "not root"
    mkdir -p "$ROOT/locks" "$BED/log" "$BED/run" "$BED/data" "$BED/exec"
    chmod 755 "$ROOT" "$BED"
    [ -e "$BED/daemon.json" ] || echo '{}' >"$BED/daemon.json"
    export NEMORUN_ENGINE_LOCKED=1
    exec flock --close --wait 900 "$ROOT/locks/engine" "$HERE/engine.sh" "$@"
}

case ${1:-} in
status) is_up ;;
keep) locked "$@" && touch "$BED/kept" && up ;;
up | down | purge | stop | start | crash | reload) locked "$@" && "$1" ;;
*) sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2 && exit 64 ;;
esac
