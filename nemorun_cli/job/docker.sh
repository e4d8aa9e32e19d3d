
# This job's shell is the first process of a container. Whoever sees the container's end publishes
# what this script says of it, together with what the engine saw.
verdict_file=last_words.json
# What another user writes here has to be readable for whoever the job's folder belongs to, and keeps
# everybody else out.
[ "$other_user" = 0 ] || umask 000
oom_seen=0

begin() {
    trap 'rm -f secrets' EXIT
    oom_seen=$(oom_kills)
}

# oom_kills: how many processes of this container the kernel has killed for want of memory.
oom_kills() {
    sed -n 's/^oom_kill //p' /sys/fs/cgroup/memory.events /sys/fs/cgroup/memory/memory.oom_control \
        2>/dev/null | head -n 1
}

# judge_memory: whether that has happened to the payload that has ended, and it failed.
judge_memory() {
    oom_before=$oom_seen oom_seen=$(oom_kills)
    [ "$code" != 0 ] && [ "${oom_seen:-0}" -gt "${oom_before:-0}" ]
}

judge() { judge_memory && reason='"oom"'; }

# outcome_of DIR: ok, notok or waiting. Another container's processes cannot be seen from here: one
# that was killed before it could say how it ended is known to have once somebody has looked.
outcome_of() {
    for words in last_words.json exit.json; do
        case $(cat "$1/$words" 2>/dev/null) in
            *'"state":"SUCCEEDED"'*) echo ok && return ;;
            *'"state":'*) echo notok && return ;;
        esac
    done
    if [ -e "$1/job.sh" ] && [ ! -e "$1/void" ]; then echo waiting; else echo notok; fi
}
