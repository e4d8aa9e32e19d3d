# Munge for all hosts, the database and slurmdbd. Accounts: ml and vision, for root and for cluster.

CLUSTER=testbed

start_munge() {
    running munged && return
    install -d -o munge -g munge -m 755 "$BED/munge"
    [ -s "$BED/munge/key" ] || head -c 1024 /dev/urandom >"$BED/munge/key"
    chown munge:munge "$BED/munge/key" && chmod 400 "$BED/munge/key"
    rm -f "$BED/munge/munged.pid"
    # It says "login" of whoever submits.
    cleanly "$HERE/cluster.sh" on login runuser -u munge -- munged --force --num-threads=10 \
        --origin="${ADDRESS[login]}" \
        --key-file="$BED/munge/key" --seed-file="$BED/munge/seed" --socket="$BED/munge/socket" \
        --pid-file="$BED/munge/munged.pid" --log-file="$BED/munge/log" >>"$BED/log/start" 2>&1
    ln -sf "$BED/munge/munged.pid" "$(pid_file munged)"
    within 10 munge --socket="$BED/munge/socket" --no-input
}

sql() { timeout 20 mariadb --no-defaults --user=root --socket="$BED/mysql/socket" --execute "$1"; }

start_db() {
    running mariadbd && return
    install -d -o mysql -g mysql -m 755 "$BED/mysql"
    [ -d "$BED/mysql/data/mysql" ] || cleanly mariadb-install-db --no-defaults --user=mysql \
        --datadir="$BED/mysql/data" --skip-test-db >>"$BED/log/mariadb" 2>&1
    on_ctl setsid --fork mariadbd --no-defaults --user=mysql --datadir="$BED/mysql/data" \
        --socket="$BED/mysql/socket" --bind-address=127.0.0.1 --pid-file="$BED/mysql/mariadbd.pid" \
        --innodb-buffer-pool-size=64M --innodb-log-file-size=32M --innodb-lock-wait-timeout=900 \
        --innodb-flush-log-at-trx-commit=0 >>"$BED/log/mariadb" 2>&1
    ln -sf "$BED/mysql/mariadbd.pid" "$(pid_file mariadbd)"
    within 60 sql "select 1"
    sql "create database if not exists slurm_acct_db;
        create user if not exists slurm@localhost identified by 'slurm';
        create user if not exists slurm@'127.0.0.1' identified by 'slurm';
        grant all on slurm_acct_db.* to slurm@localhost;
        grant all on slurm_acct_db.* to slurm@'127.0.0.1';"
}

stop_db() { end mariadbd; }

start_dbd() {
    running slurmdbd && return
    cat >"$BED/etc/slurm/slurmdbd.conf" <<-CONF
	AuthType=auth/munge
	AuthInfo=socket=$BED/munge/socket
	DbdHost=ctl
	SlurmUser=slurm
	LogFile=$BED/log/slurmdbd
	PidFile=$(pid_file slurmdbd)
	StorageType=accounting_storage/mysql
	StorageHost=127.0.0.1
	StorageUser=slurm
	StoragePass=slurm
	StorageLoc=slurm_acct_db
	CONF
    chown slurm:slurm "$BED/etc/slurm/slurmdbd.conf" "$BED/run"
    chmod 600 "$BED/etc/slurm/slurmdbd.conf"
    write_slurm_conf
    on_ctl slurmdbd
    within 60 accounts
    accounts | grep -q '^ml|cluster$' || add_accounts
}

stop_dbd() { end slurmdbd; }

on_ctl() { cleanly "$HERE/cluster.sh" on ctl "$@"; }

# sacctmgr asks, for ever, where it may not: hence --immediate and the bounds.
sacctmgr() { on_ctl timeout 30 sacctmgr --immediate "$@" 2>&1 </dev/null | head -n 200; }

accounts() { sacctmgr --noheader --parsable2 list assoc cluster=$CLUSTER format=account,user; }

add_accounts() {
    local account
    sacctmgr add cluster $CLUSTER
    sacctmgr add qos one MaxJobsPerUser=1
    for account in ml vision; do
        sacctmgr add account $account Cluster=$CLUSTER Description=$account Organization=$account
        sacctmgr add user root,cluster Account=$account Cluster=$CLUSTER
    done
    sacctmgr modify user root,cluster set DefaultAccount=ml where Cluster=$CLUSTER
    sacctmgr modify user root,cluster set QOS=normal,one DefaultQOS=normal where Cluster=$CLUSTER
} >>"$BED/log/start"
