# What the cluster is made of, from the system's packages.

missing_packages() {
    local each
    for each in slurmctld:slurmctld slurmd:slurmd slurmdbd:slurmdbd sbatch:slurm-client \
        munged:munge mariadbd:mariadb-server mariadb:mariadb-client \
        sshd:openssh-server ssh:openssh-client rsync:rsync \
        ip:iproute2 iptables:iptables unshare:util-linux; do
        command -v "${each%%:*}" >/dev/null || echo "${each#*:}"
    done
    ls /usr/lib/*/slurm*/accounting_storage_mysql.so >/dev/null 2>&1 || echo slurm-wlm-mysql-plugin
}

install_packages() {
    local missing
    missing=$(missing_packages)
    [ -n "$missing" ] || return 0
    command -v apt-get >/dev/null || impossible "not installed:" $missing
    say "installing:" $missing
    export DEBIAN_FRONTEND=noninteractive
    without_services
    {
        timeout 300 apt-get -o DPkg::Lock::Timeout=300 update -qq
        # shellcheck disable=SC2086
        timeout 900 apt-get -o DPkg::Lock::Timeout=300 install -y -qq \
            --no-install-recommends $missing
    } >"$BED/log/packages" 2>&1 </dev/null || impossible "apt-get failed, see $BED/log/packages"
    with_services
    missing=$(missing_packages)
    [ -z "$missing" ] || impossible "still not installed:" $missing
}

# The packages would start services of their own where an init runs: not with a policy against it.
POLICY=/usr/sbin/policy-rc.d
MARK="# for the time that tests/testbed installs packages"

without_services() {
    [ ! -e $POLICY ] || return 0
    printf '#!/bin/sh\n%s\nexit 101\n' "$MARK" >$POLICY
    chmod 755 $POLICY
    trap with_services EXIT
}

with_services() {
    ! grep -qxF "$MARK" $POLICY 2>/dev/null || rm $POLICY
}
