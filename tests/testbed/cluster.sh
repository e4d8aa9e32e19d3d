#!/bin/bash
# A real Slurm cluster on this machine: a login node, a controller and four nodes, each a host of its
# own (a network and a UTS namespace), with munge, MariaDB, slurmdbd, slurmctld, slurmd and sshd.
#
#   cluster.sh up          from scratch, or what is missing of it; waits while a test breaks it
#   cluster.sh keep        up, and with_cluster.sh leaves it so
#   cluster.sh mend        up, without waiting
#   cluster.sh down        ends all of it; the data and the logs stay
#   cluster.sh purge       down, and removes them too
#   cluster.sh status      exits with 0 when it is up
#   cluster.sh on HOST COMMAND...        on ctl, login, n1, n2, n3 or n4
#   cluster.sh kill-node NODE            as a power cut does; start-node NODE brings it back
#   cluster.sh stop-ctl, start-ctl, stop-dbd, start-dbd, stop-db, start-db
#   cluster.sh cut         drops what goes to and comes from login's sshd; heal ends that
#
# Everything is below NEMORUN_TESTBED, but for /run/netns and /etc/netns. Needs root; exits with 3
# where the cluster cannot be.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
BED=${NEMORUN_TESTBED:-/var/tmp/nemorun-testbed}
PATH=$PATH:/usr/sbin:/sbin
umask 022
unset SLURM_CONF

say() { echo "$*" >&2; }
impossible() { say "no test cluster: $*"; exit 3; }

for part in processes packages hosts accounting controller nodes ssh; do
    # shellcheck source=/dev/null
    . "$HERE/slurm/$part.sh"
done

mend() {
    mkdir -p "$BED/log" "$BED/run" && chmod 755 "$BED" && chmod 1777 "$BED/log"
    if is_up; then heal; return; fi
    install_packages
    start_hosts
    start_munge
    start_db
    start_dbd
    start_ctl
    start_nodes
    start_login
    heal
    is_up || { say "the cluster did not come up, see $BED/log"; exit 1; }
}

down() {
    rm -f "$BED/kept"
    ! running slurmctld || cancel_jobs
    end_hosts
}

purge() {
    down
    find "$BED" -mindepth 1 -maxdepth 1 ! -name locks ! -name docker ! -name ray -exec rm -rf --one-file-system {} +
}

is_up() {
    local each
    for each in munged mariadbd slurmdbd slurmctld sshd-login; do
        running "$each" || return 1
    done
    for each in "${NODES[@]}"; do
        running "slurmd-$each" && running "sshd-$each" || return 1
    done
    [ "$(ready_nodes)" = "${#NODES[@]}" ]
}

prepare() {
    [ "$(id -u)" = 0 ] || impossible "not root"
    mkdir -p "$BED/locks"
    only_one
}

calmly() { # Not while a test has the lock `turn` for itself. Daemons do not inherit these locks.
    exec flock --close --wait 1800 --shared "$BED/locks/turn" "$HERE/cluster.sh" "$@"
}

locked() { # One at a time.
    [ -z "${NEMORUN_TESTBED_LOCKED:-}" ] || return 0
    prepare
    export NEMORUN_TESTBED_LOCKED=1
    exec flock --close --wait 900 "$BED/locks/cluster" "$HERE/cluster.sh" "$@"
}

case ${1:-} in
status) is_up && sinfo_all ;;
on) shift && HOME=$BED/home/root on "$@" ;;
up) prepare && calmly mend ;;
keep) prepare && touch "$BED/kept" && calmly mend ;;
mend | down | purge | heal) locked "$@" && "$1" ;;
cut) locked "$@" && cut_off ;;
kill-node | start-node) locked "$@" && "${1/-/_}" "$2" ;;
stop-ctl | start-ctl | stop-dbd | start-dbd | stop-db | start-db) locked "$@" && "${1/-/_}" ;;
*) sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2 && exit 64 ;;
esac
