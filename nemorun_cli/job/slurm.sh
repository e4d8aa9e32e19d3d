
# This job's shell is Slurm's batch script. Slurm may end it and start it again, here or elsewhere:
# only what this script knows for certain becomes the verdict; the rest is for Slurm to tell.
mine=${SLURM_RESTART_COUNT:-0}
begun_at=$(date +%s)

# begin: says who this is, and tells of the attempt that an earlier start could not end.
begin() {
    if [ -e exit.json ]; then
        echo "nemorun: this run has ended; \`nemorun rerun\` starts it again" >&2
        exit 0
    fi
    only_one
    printf '%s\n' "$mine" >"incarnation.$$" && mv -f "incarnation.$$" incarnation
    [ -e exit.json.part ] || printf '%512s' '' >exit.json.part
    rm -f last_words.json
    [ "$mine" = 0 ] || tell_earlier
    printf '%s\n' "${SLURM_JOB_NUM_NODES:-1} $SLURM_JOB_NODELIST" >nodes
}

# only_one: Slurm may have taken a job twice, if it was slow to say that it had. The first to write its
# number is the run's job; another one just ends.
only_one() {
    printf '%s\n' "$SLURM_JOB_ID" >"native_id.$SLURM_JOB_ID"
    ln "native_id.$SLURM_JOB_ID" native_id 2>/dev/null
    rm -f "native_id.$SLURM_JOB_ID"
    [ "$(cat native_id 2>/dev/null)" != "$SLURM_JOB_ID" ] || return 0
    [ -s native_id ] || return 0  # A full disk.
    echo "nemorun: this run is job $(cat native_id); job $SLURM_JOB_ID has nothing to do" >&2
    exit 0
}

# A node that was taken for dead may come back with an older start of the same job on it.
still_mine() { [ "$(cat incarnation 2>/dev/null)" = "$mine" ]; }

# tell_earlier: how the last attempt ended, in Slurm's words where its accounting has them.
tell_earlier() {
    last=$(sed -n 's/^{"attempt":\([0-9]*\),"started_at".*/\1/p' attempts.jsonl 2>/dev/null | tail -n 1)
    [ -n "$last" ] || return 0
    case $(grep "^{\"attempt\":$last,\"ended_at\"" attempts.jsonl) in
        '') ended='"ended_at":null,' ;;
        *'"reason":"signal"'*) ended='' ;;  # It was told to end, and not why.
        *) return 0 ;;
    esac
    words=$(sacct -j "$SLURM_JOB_ID" -X -D -n -P -o State 2>/dev/null)
    cause=requeued
    for word in $words; do
        case $word in
            PREEMPTED) cause=preempted ;;
            NODE_FAIL | BOOT_FAIL) cause=node_failure ;;
            REQUEUED) cause=requeued ;;
        esac
    done
    note "{\"attempt\":$last,$ended\"reason\":\"$cause\"}"
    [ "$cause" != node_failure ] || lost_nodes
    [ "$cause" = requeued ] || again "$cause" && return 0
    attempt=$last
    started_at=$(sed -n "s/^{\"attempt\":$last,\"started_at\":\([0-9]*\).*/\1/p" attempts.jsonl | head -n 1)
    finish FAILED "\"$cause\"" null null
}

# lost_nodes: blames those of the last start's nodes that are not well; if it was one, that one.
lost_nodes() {
    read -r count list 2>/dev/null <nodes || return 0
    sinfo -h -N -n "$list" -o '%N %T' 2>/dev/null | sort -u | while read -r node condition; do
        case $count-$condition in
            1-* | *-down* | *-drain* | *-fail* | *\*) blame node_failure "$last" "$node" ;;
        esac
    done
}

# blame CAUSE ATTEMPT NODE: for later launches, which keep off nodes that have failed.
blame() {
    size=$(sinfo -h -N -o %N 2>/dev/null | sort -u | grep -c .)
    printf '%s\n' "$1 $2 $(date +%s) $3 $size" >>blamed
}

# Slurm itself ends what a step leaves behind, on every node.
members() { :; }

# signal_all NAME: to the tasks on all nodes. KILL by the number of the step: for a whole job it
# would end this script too.
signal_all() {
    steps='' signalled=''
    still_mine && steps=$(squeue -h -s -j "$SLURM_JOB_ID" -o %i 2>/dev/null)
    for step in $steps; do
        case ${step##*.} in
            *[!0-9]*) ;;
            *) scancel --signal="$1" "$step" 2>/dev/null && signalled=1 ;;
        esac
    done
    [ -n "$signalled" ] || kill -s "$1" "$payload" 2>/dev/null
}

# near_the_end: Slurm sends its signal up to a minute early (sbatch(1), --signal); who does not
# handle it would lose that minute.
near_the_end() {
    early=0
    [ "$allotted" = 0 ] || early=$((begun_at + allotted - lead - $(date +%s)))
    if [ -z "${warned:-}" ] && [ "$early" -gt 0 ]; then
        warned=1
        [ "$early" -le 60 ] || early=60
        timer "$early" USR2
        timers=${timers% *}  # It outlives the attempt: it is meant for the job.
    else
        on_stop time_limit
    fi
}
trap 'interrupted=1; near_the_end' USR2
trap 'interrupted=1 told_to_end=1; on_stop signal' TERM INT

# judge: srun gives the highest code of all tasks, and those it ended itself have high ones. Before a
# failure is the payload's own, Slurm is asked whether it is ending the job, and every node is.
judge() {
    [ "$code" != 0 ] || return 0
    told=$(sed -n 's/.*"exit_code": *\([0-9]*\).*/\1/p' "logs/$attempt/first_failure.json" 2>/dev/null)
    code=${told:-$code}
    [ -z "$ended_by" ] || return 0
    if grep -qsiE 'oom[-_ ]?kill|out of memory' "logs/$attempt/launcher.log"; then
        reason='"oom"'
        return 0
    fi
    if taken_away; then
        stop=signal
    elif ! nodes_answer; then
        reason='"node_failure"'
        hold
        stop=node_failure
    elif [ "${SLURM_JOB_NUM_NODES:-1}" != 1 ]; then
        failed_on=$(sed -n '/"kind": "import_error"/d; s/.*"host": "\([^"]*\)".*/\1/p' \
            "logs/$attempt/first_failure.json" 2>/dev/null)
        [ -z "$failed_on" ] || blame rank_failure "$attempt" "$failed_on"
    fi
    # A signal that has come meanwhile says the same: what took the payload now takes the job.
    [ "$stop" != signal ] || ended_by=signal
}

taken_away() {
    case $(scontrol -o show job "$SLURM_JOB_ID" 2>/dev/null) in
        *JobState=RUNNING*PreemptTime=[0-9]*) to_be_taken=1 ;;
        *JobState=RUNNING*) return 1 ;;
        *JobState=*) ;;
        *) return 1 ;;
    esac
}

# nodes_answer: a node that dies takes its peers' tasks with it minutes before Slurm takes notice.
nodes_answer() {
    [ "${SLURM_JOB_NUM_NODES:-1}" != 1 ] || return 0
    srun --help 2>/dev/null | grep -q -e --overlap || return 0
    timeout 60 srun --overlap --quiet --export=ALL --nodes="$SLURM_JOB_NUM_NODES" \
        --ntasks="$SLURM_JOB_NUM_NODES" --ntasks-per-node=1 true >/dev/null 2>&1
}

# hold: until Slurm ends this script, which it is about to do; or has told it to, without effect.
hold() {
    trap - TERM INT
    [ -z "${told_to_end:-}" ] || exit 75
    sleep 900 &
    wait "$!"
}

# go_on: in a new attempt of the same job, which Slurm queues again; this script ends with that.
go_on() {
    again time_limit && scontrol requeue "$SLURM_JOB_ID" || return 1
    hold
}

# by_signal: TERM that nemorun did not send is Slurm taking the job away: to start it again, or for
# good. Only Slurm knows which; where it has no word of it any more, this is what there is.
by_signal() {
    verdict_file=last_words.json
    [ -z "${to_be_taken:-}" ] || hold
}

# run_setup LINES: executes them one after the other, in this shell; the first that fails ends the attempt.
# What is no whole command yet goes on in the next line: it cannot be the body of a function.
run_setup() {
    setup_rest=$1 setup_part='' setup_line=0
    while [ -n "$setup_rest" ]; do
        setup_line=$((setup_line + 1))
        setup_part="$setup_part${setup_rest%%"$newline"*}$newline"
        case $setup_rest in
            *"$newline"*) setup_rest=${setup_rest#*"$newline"} ;;
            *) setup_rest='' ;;
        esac
        [ -z "$setup_rest" ] || (eval "whole() { :$newline$setup_part}") 2>/dev/null || continue
        eval "$setup_part"
        setup_code=$?
        [ "$setup_code" = 0 ] || setup_failed
        setup_part=''
    done
}

setup_failed() {
    why="line $setup_line of setup ended with exit code $setup_code; \`|| true\` would let it"
    echo "nemorun: $why" >&2
    printf '{"rank": 0, "kind": "setup", "exit_code": %s, "message": "%s"}\n' "$setup_code" "$why" \
        >"$run_dir/logs/$attempt/first_failure.json"
    exit "$setup_code"
}
newline='
'

# rendezvous: where ranks on several nodes meet. The address is Slurm's word, asked for outside of any
# container, and nothing is put in its place. The port follows from the job's number, so that jobs
# that share a node differ; this script runs on the node on which it must be free.
rendezvous() {
    first=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
    [ -n "$first" ] || { echo "nemorun: Slurm does not tell the nodes of this job" >&2 && return 1; }
    port=$((15000 + (SLURM_JOB_ID * 7 + attempt) % 15000))
    while grep -qs ":$(printf %04X "$port") [0-9A-F]*:0000 0A" /proc/net/tcp /proc/net/tcp6; do
        port=$((port + 1))
    done
    export NEMORUN_HEAD_ADDR="$first" MASTER_ADDR="$first" MASTER_PORT="$port"
}

# ray_token: what the nodes of this attempt's own Ray show each other, and nobody else can.
ray_token() {
    token=$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')
    [ "${#token}" = 64 ] || return 1
    rm -f "$run_dir/ray_token"
    printf %s "$token" >"$run_dir/ray_token" || return 1
    export RAY_AUTH_MODE=token RAY_AUTH_TOKEN_PATH="$run_dir/ray_token" RAY_USAGE_STATS_ENABLED=0
}
