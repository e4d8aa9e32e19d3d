# The hosts: each a network namespace on one bridge, which is in a namespace too, where no
# firewall rule of this machine reaches it. This machine is the host "laptop".

NODES=(n1 n2 n3 n4)
declare -A ADDRESS=([ctl]=10.77.0.2 [login]=10.77.0.3
    [n1]=10.77.0.11 [n2]=10.77.0.12 [n3]=10.77.0.13 [n4]=10.77.0.14)
LAPTOP=10.77.0.254
PREFIX=nemorun-
SWITCH=${PREFIX}switch

on() { # HOST COMMAND...: `ip` lays /etc/netns/HOST over /etc for the command
    local host=$1
    shift
    # shellcheck disable=SC2016
    exec_on "$host" sh -c 'hostname "$0" && exec "$@"' "$host" "$@"
}

exec_on() {
    local host=$1
    shift
    ip netns exec "$PREFIX$host" unshare --uts "$@"
}

only_one() {
    local other
    other=$(readlink "/etc/netns/${PREFIX}login/hosts") || return 0
    [ "$other" = "$BED/etc/hosts" ] || impossible "this machine has the one of ${other%/etc/hosts}"
}

start_hosts() {
    local host
    write_etc
    start_switch
    for host in "${!ADDRESS[@]}"; do
        lay_over_etc "$host"
        has_namespace "$PREFIX$host" || start_host "$host"
    done
}

has_namespace() { [ -e "/run/netns/$1" ] && ip -n "$1" link show lo >/dev/null 2>&1; }

start_switch() {
    has_namespace "$SWITCH" && return
    ip netns add "$SWITCH" && ip netns exec "$SWITCH" unshare --uts hostname switch ||
        impossible "no namespaces here"
    ip -n "$SWITCH" link add br0 type bridge || impossible "no bridge in this kernel"
    ip -n "$SWITCH" link set br0 up
    ip link add "${PREFIX}bed" type veth peer name laptop netns "$SWITCH"
    ip -n "$SWITCH" link set laptop master br0 up
    ip addr add "$LAPTOP/24" dev "${PREFIX}bed"
    ip link set "${PREFIX}bed" up
}

start_host() {
    ip netns add "$PREFIX$1"
    ip link add eth0 netns "$PREFIX$1" type veth peer name "$1" netns "$SWITCH"
    ip -n "$SWITCH" link set "$1" master br0 up
    ip -n "$PREFIX$1" addr add "${ADDRESS[$1]}/24" dev eth0
    ip -n "$PREFIX$1" link set eth0 up
    ip -n "$PREFIX$1" link set lo up
}

lay_over_etc() {
    local each
    mkdir -p "/etc/netns/$PREFIX$1" /etc/slurm
    for each in "$BED"/etc/*; do
        ln -sfn "$each" "/etc/netns/$PREFIX$1/${each##*/}"
    done
}

# Users as here, but root is at home in the testbed, and there is one more, who is nobody.
write_etc() {
    local host etc=$BED/etc
    mkdir -p "$etc/slurm"
    {
        echo "127.0.0.1 localhost"
        echo "$LAPTOP laptop"
        for host in "${!ADDRESS[@]}"; do echo "${ADDRESS[$host]} $host"; done
    } >"$etc/hosts"
    {
        echo "root:x:0:0:root:$BED/home/root:/bin/bash"
        echo "cluster:x:7700:7700::$BED/home/cluster:/bin/bash"
        grep -Ev '^(root|cluster):' /etc/passwd
    } >"$etc/passwd"
    { grep -Ev '^cluster:' /etc/group && echo "cluster:x:7700:"; } >"$etc/group"
    (umask 077 && printf '%s:*:19000:0:99999:7:::\n' root cluster >"$etc/shadow") # no password
    install -d -m 755 "$BED/home"
    install -d -m 700 "$BED/home/root"
    install -d -m 700 -o 7700 -g 7700 "$BED/home/cluster"
}

end_hosts() {
    local host each
    for each in slurmctld slurmdbd mariadbd; do end "$each"; done
    for host in "${!ADDRESS[@]}"; do
        has_namespace "$PREFIX$host" || continue
        kill_all_on "$host"
        ip netns del "$PREFIX$host"
        rm -rf "/etc/netns/$PREFIX$host"
    done
    remove_cgroups
    rmdir /etc/netns 2>/dev/null || true
    ! has_namespace "$SWITCH" || ip netns del "$SWITCH"
    ! ip link show "${PREFIX}bed" >/dev/null 2>&1 || ip link del "${PREFIX}bed"
}

kill_all_on() { # Nothing is in these namespaces but what the cluster has started.
    local _ pids
    for _ in {1..100}; do
        pids=$(ip netns pids "$PREFIX$1")
        [ -n "$pids" ] || return 0
        # shellcheck disable=SC2086
        kill -s KILL $pids 2>/dev/null || true
        sleep 0.05
    done
    say "still there on $1: $pids"
    return 1
}
