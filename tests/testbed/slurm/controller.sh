# slurmctld, on ctl, and the configuration that all hosts share.

start_ctl() {
    running slurmctld && return
    install -d -o slurm -g slurm -m 755 "$BED/state"
    on_ctl slurmctld
    within 60 controller_answers
}

stop_ctl() { end slurmctld; }

cancel_jobs() { # Or they would start again with the cluster.
    job_ids | xargs -r -n 500 "$HERE/cluster.sh" on ctl timeout 30 scancel || true
    within 15 no_jobs || true
}

job_ids() { on_ctl timeout 20 squeue --noheader --format=%A | sort -u; }

no_jobs() { [ -z "$(job_ids)" ]; }

controller_answers() { on_ctl timeout 10 scontrol ping | grep -q 'is UP'; }

sinfo_all() { on_ctl timeout 20 sinfo --Node --partition=batch --format='%N %T %c %m %G'; }

ready_nodes() {
    on_ctl timeout 20 sinfo --Node --noheader --partition=batch --states=idle,mixed,allocated \
        --format=%N 2>/dev/null | sort -u | wc -l
}

write_slurm_conf() {
    local node gpus=$BED/dev/nvidia
    mkdir -p "$BED/dev"
    for node in {0..7}; do
        [ -e "$gpus$node" ] || mknod -m 666 "$gpus$node" c 1 3 # a /dev/null with the name of a GPU
    done
    write_main_conf >"$BED/etc/slurm/slurm.conf"
    echo "Name=gpu Type=h100 File=${gpus}[0-7]" >"$BED/etc/slurm/gres.conf"
    write_cgroup_conf >"$BED/etc/slurm/cgroup.conf"
}

write_main_conf() {
    local node
    cat <<CONF
ClusterName=$CLUSTER
SlurmctldHost=ctl(${ADDRESS[ctl]})
SlurmUser=slurm
StateSaveLocation=$BED/state
SlurmdSpoolDir=$BED/spool/%n
SlurmctldPidFile=$(pid_file slurmctld)
SlurmdPidFile=$(pid_file slurmd-%n)
SlurmctldLogFile=$BED/log/slurmctld
SlurmdLogFile=$BED/log/slurmd-%n
MailProg=/bin/true

# A requeued job waits until its old credential is void: 10 s, not the 120 of the default.
AuthType=auth/munge
AuthInfo=socket=$BED/munge/socket,cred_expire=10

# A node is lost after 15 s, a job leaves the controller's memory after 30 to 90.
SlurmdTimeout=15
SlurmctldTimeout=30
KillWait=5
# A first process that is slow to reap would have Slurm drain the node.
UnkillableStepTimeout=900
MinJobAge=30
Waittime=0
ReturnToService=2

SchedulerType=sched/backfill
SchedulerParameters=bf_interval=2,batch_sched_delay=0,sched_min_interval=0
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
DefMemPerCPU=4000
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
JobRequeue=1
MaxArraySize=1001
MaxJobCount=20000

$(write_containment)
SwitchType=switch/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=2

AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=ctl
AccountingStoragePass=$BED/munge/socket
AccountingStorageEnforce=associations,limits,qos
AccountingStorageTRES=gres/gpu
AccountingStoreFlags=job_comment,job_script,job_env

GresTypes=gpu
SlurmdParameters=config_overrides
CONF
    for node in "${NODES[@]}"; do
        echo "NodeName=$node NodeAddr=${ADDRESS[$node]} CPUs=64 Boards=1 SocketsPerBoard=2" \
            "CoresPerSocket=32 ThreadsPerCore=1 RealMemory=512000 Gres=gpu:h100:8 State=UNKNOWN"
    done
    cat <<-CONF
	PartitionName=batch Nodes=ALL Default=YES PriorityTier=10 PreemptMode=off
	PartitionName=low Nodes=ALL PriorityTier=1 PreemptMode=requeue
	PartitionName=short Nodes=ALL PriorityTier=10 PreemptMode=off MaxTime=10
	CONF
}

# Memory is limited where the kernel has version 1 of the control groups.
has_cgroups() { awk '$1 ~ /^(memory|freezer)$/ && $2 > 0 { n++ } END { exit n != 2 }' /proc/cgroups; }

write_containment() {
    if has_cgroups; then
        echo "ProctrackType=proctrack/cgroup"
        echo "TaskPlugin=task/cgroup"
    else
        echo "ProctrackType=proctrack/linuxproc"
        echo "TaskPlugin=task/none"
    fi
}

write_cgroup_conf() {
    echo "CgroupPlugin=cgroup/v1"
    echo "CgroupMountpoint=$BED/cgroup"
    ! has_cgroups || echo "ConstrainRAMSpace=yes"
}
