
# This job has a container for each node. They share its folder, a network of their own, and the
# process ids of the first one, so that its shell signals them all. The payload of that shell is
# `lead`, which has every node run its share of the attempt; the shells of the others are `serve`.

# share: runs this node's part of the attempt, and leaves word of how that ended.
share() {
    trap 'interrupted=1' TERM INT USR1 USR2
    [ "$log_name" = launcher ] || log_name=$node
    oom_seen=$(oom_kills)
    run_logged "$log_name"
    await_payload
    judge_memory && : >"nodes/attempt-$attempt/oom"
    [ "$code" = 0 ] || [ "$log_name" = launcher ] || failed "$node" "exit code $code"
    : >"nodes/attempt-$attempt/$node-$code"
}

# failed NODE MESSAGE: word of a failure, unless there is one, or this is one that was told to end.
failed() {
    case $code in 130 | 143) return 0 ;; esac
    (
        set -C
        printf '{"rank":%s,"host":"node %s","kind":"exit","exit_code":%s,"message":"%s"}\n' \
            "$(($1 * ranks))" "$1" "$code" "$2" >"logs/$attempt/first_failure.json"
    ) 2>/dev/null
}

# settled: whether all shares have ended, or one of them badly; sets code. Who was asked to end is
# waited for.
settled() {
    code=0 open='' each=0
    while [ "$each" -lt "$nodes" ]; do
        there=1 pid=$own told=''
        [ "$each" = 0 ] || read -r pid <"nodes/$each"
        kill -0 "$pid" 2>/dev/null || there=''
        for word in "nodes/attempt-$attempt/$each"-*; do
            [ ! -e "$word" ] || told=${word##*-}
        done
        [ -n "$told$there" ] || lose "$each"
        [ -n "$told" ] || open=1
        [ "$code" != 0 ] || code=${told:-0}
        each=$((each + 1))
    done
    [ -z "$open" ] || { [ "$code" != 0 ] && [ -z "$asked" ]; }
}

# lose NODE: its container has ended before its share has.
lose() {
    told=137
    : >nodes/lost
    [ "$code" != 0 ] || { code=$told && failed "$1" "its container was killed"; }
}

lead() {
    attempt=$1 node=0 asked=''
    trap 'asked=1' TERM INT
    trap : USR1 USR2
    mkdir "nodes/attempt-$attempt"  # The others wait for it.
    share &
    own=$!
    until settled; do sleep 0.5; done
    exit "$code"
}

serve() {
    node=$1 attempt=0
    trap - TERM INT USR1 USR2 ALRM
    printf '%s\n' "$$" >"nodes/.$node" && mv "nodes/.$node" "nodes/$node"
    while :; do
        attempt=$((attempt + 1))
        until [ -d "nodes/attempt-$attempt" ]; do sleep 0.5; done
        share
    done
}

# judge: of several that have failed the first one counts.
judge() {
    if [ "$code" != 0 ] && [ -z "$ended_by" ]; then
        told=$(sed -n 's/.*"exit_code": *\([0-9]*\).*/\1/p' "logs/$attempt/first_failure.json")
        code=${told:-$code}
    fi 2>/dev/null
    [ ! -e "nodes/attempt-$attempt/oom" ] || reason='"oom"'
    # A container that is gone takes part in no further attempt.
    [ ! -e nodes/lost ] || retries=0
}

case ${1:-} in
    lead) lead "$2" ;;
    serve) serve "$2" ;;
esac
