# slurmd on the nodes.

start_nodes() {
    local node
    for node in "${NODES[@]}"; do start_slurmd "$node"; done
    for node in "${NODES[@]}"; do start_sshd "$node"; done
    within 10 all_registered || true
    if [ "$(ready_nodes)" != "${#NODES[@]}" ]; then
        on_ctl timeout 20 scontrol update NodeName="$(IFS=, && echo "${NODES[*]}")" State=RESUME || true
        within 30 all_registered
    fi
}

all_registered() { [ "$(ready_nodes)" = "${#NODES[@]}" ]; }

start_slurmd() {
    running "slurmd-$1" && return
    install -d -m 755 "$BED/spool/$1" "$BED/cgroup/memory" "$BED/cgroup/freezer"
    # shellcheck disable=SC2016
    cleanly "$HERE/cluster.sh" on "$1" sh -c '
        if [ "$2" = yes ]; then
            for each in memory freezer; do
                mount -t cgroup -o "$each" none "$1/cgroup/$each" || exit 1
            done
        fi
        exec slurmd -N "$0"
    ' "$1" "$BED" "$(has_cgroups && echo yes || echo no)"
}

kill_node() { kill_all_on "$1"; }

start_node() {
    start_slurmd "$1"
    start_sshd "$1"
    within 60 is_ready "$1"
}

is_ready() {
    on_ctl timeout 20 sinfo --noheader --nodes="$1" --partition=batch --format=%t |
        grep -Eqx 'idle|mix|alloc'
}

remove_cgroups() {
    local node each
    for node in "${NODES[@]}"; do
        for each in memory freezer; do
            find "/sys/fs/cgroup/$each/slurm_$node" -depth -type d -exec rmdir {} + 2>/dev/null || true
        done
    done
}
