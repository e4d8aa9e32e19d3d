# sshd on login and on the nodes, with one key to get in and one to be known by; both users may.

start_login() { start_sshd login; }

start_sshd() {
    running "sshd-$1" && return
    [ -e "$BED/ssh/config" ] || write_ssh
    mkdir -p /run/sshd
    cleanly "$HERE/cluster.sh" on "$1" /usr/sbin/sshd -f "$BED/ssh/sshd_config" \
        -o "ListenAddress=${ADDRESS[$1]}" -o "PidFile=$(pid_file "sshd-$1")" -E "$BED/log/sshd-$1"
    within 10 running "sshd-$1"
}

write_ssh() {
    local ssh=$BED/ssh host
    install -d -m 755 "$ssh"
    for host in host id; do
        [ -s "$ssh/$host" ] || ssh-keygen -q -t ed25519 -N '' -C "$CLUSTER" -f "$ssh/$host"
    done
    write_sshd_config >"$ssh/sshd_config"
    for host in login "${NODES[@]}"; do
        echo "$host,${ADDRESS[$host]} $(cut -d' ' -f1,2 "$ssh/host.pub")"
    done >"$ssh/known_hosts"
    write_ssh_config >"$ssh/config"
}

write_sshd_config() { # Not StrictModes, since all this may be below a folder like /tmp.
    cat <<-CONF
	Port 22
	HostKey $BED/ssh/host
	AuthorizedKeysFile $BED/ssh/id.pub
	StrictModes no
	PermitRootLogin prohibit-password
	PasswordAuthentication no
	KbdInteractiveAuthentication no
	UsePAM no
	PrintMotd no
	AllowTcpForwarding yes
	MaxStartups 1000
	MaxSessions 1000
	Subsystem sftp internal-sftp
	CONF
}

write_ssh_config() {
    local node
    echo "Host login" && echo "    HostName ${ADDRESS[login]}"
    for node in "${NODES[@]}"; do
        echo "Host $node" && echo "    HostName ${ADDRESS[$node]}" && echo "    ProxyJump login"
    done
    cat <<-CONF
	Host login ${NODES[*]}
	    User root
	    IdentityFile $BED/ssh/id
	    IdentitiesOnly yes
	    UserKnownHostsFile $BED/ssh/known_hosts
	    StrictHostKeyChecking yes
	    ServerAliveInterval 5
	CONF
}

SSH_IN=(INPUT --protocol tcp --destination-port 22 --jump DROP)
SSH_OUT=(OUTPUT --protocol tcp --source-port 22 --jump DROP)

firewall() { timeout 20 ip netns exec "${PREFIX}login" iptables --wait "$@"; }

cut_off() {
    firewall --append "${SSH_IN[@]}"
    firewall --append "${SSH_OUT[@]}"
}

heal() { firewall --flush || impossible "iptables does not work here"; }
