# What follows is the same in every job. It starts the payload in a session of its own, watches its
# time, starts it again where that was asked for, and leaves the verdict in exit.json.
# POSIX sh, run by dash, bash and busybox alike. `job.sh reap` ends what a killed wrapper left.

umask 077
cd "$run_dir" || exit 70
payload='' stop='' stopping='' timers='' started_at=null attempt=0 tries=0 verdict_file=exit.json

# Where a scheduler holds the job, its own part replaces these.
begin() { :; }       # before anything else
still_mine() { :; }  # whether no later start of this job is under way elsewhere
judge() { :; }       # sets code, and reason if need be, to what the payload itself came to
go_on() { again time_limit && stop=''; }  # whether there is a next attempt after the time limit
by_signal() { :; }   # the payload was ended by a signal whose sender is not known here

# note TEXT: one line of the history of attempts; a full disk may lose it, but not the verdict.
note() { printf '%s\n' "$1" >>attempts.jsonl; }

# record PYTHON: has the interpreter leave environment.json, once a run. The payload neither waits for
# that nor sees a child of it; where there is no such interpreter there is no record.
record() {
    [ -e "$run_dir/environment.py" ] && [ ! -e "$run_dir/environment.json" ] || return 0
    { printf '' >"$run_dir/recording"; } 2>/dev/null
    (
        (
            NEMORUN_RUN_DIR=$run_dir "$1" "$run_dir/environment.py"
            rm -f "$run_dir/recording"
        ) </dev/null >/dev/null 2>&1 &
    )
}

# await_record: two seconds at most, for the record of a payload that was quicker.
await_record() {
    rounds=0
    while [ -e recording ] && [ "$rounds" -lt 100 ]; do
        rounds=$((rounds + 1))
        sleep 0.02
    done
}

# tell JSON: the same to whoever reads the output, where nobody shares this disk. The empty line
# ends what the payload may have left open, and is hidden with the other.
tell() { [ "$stream" = 0 ] || printf '\n::nemorun:: {"key":"%s",%s\n' "$NEMORUN_KEY" "${1#?}"; }

tell_environment() {
    [ "$stream" = 1 ] && [ ! -e environment.told ] && [ -s environment.json ] || return 0
    tell "{\"environment\":$(cat environment.json)}"
    printf '' >environment.told
}

# finish STATE REASON CODE SIGNAL: the verdict, by rename. It overwrites a file made in advance,
# padded to the length that file has, so that a full disk cannot keep it from being told.
finish() {
    clear_timers
    [ -e exit.json ] && exit 0
    still_mine || exit 75
    verdict="{\"state\":\"$1\",\"reason\":$2,\"exit_code\":$3,\"signal\":$4,\"attempt\":$attempt"
    verdict="$verdict,\"started_at\":$started_at,\"ended_at\":$(date +%s)}"
    printf '%-511s\n' "$verdict" 1<>exit.json.part
    sync exit.json.part 2>/dev/null
    mv -f exit.json.part "$verdict_file"
    tell "$verdict"
    [ "$verdict_file" != exit.json ] || rm -f secrets
    [ "$1" != SUCCEEDED ] || exit 0
    [ "$3" = 0 ] || [ "$3" = null ] || exit "$3"
    exit 1
}

# start_of PID: when it began, in clock ticks since boot (proc(5), field 22); nothing if it has ended.
start_of() {
    line=''
    { while IFS= read -r part || [ -n "$part" ]; do line=$part; done <"/proc/$1/stat"; } 2>/dev/null
    # shellcheck disable=SC2086
    set -- ${line##*) }
    [ "${1:-Z}" = Z ] || printf '%s' "${20}"
}

# members KEY [SESSION]: the living processes that carry the job's key or are in its session.
members() {
    for found in $(
        grep -lszxF "NEMORUN_KEY=$1" /proc/[0-9]*/environ
        [ -n "${2:-}" ] &&
            grep -lsE "\) [^ZX] [0-9]+ [0-9]+ $2 -?[0-9]+ -?[0-9]+ [0-9]+ " /proc/[0-9]*/stat
    ); do
        found=${found#/proc/}
        [ "${found%%/*}" = "$$" ] || printf '%s ' "${found%%/*}"
    done 2>/dev/null
}

# signal_all NAME: to the payload's processes alone; its group would hold this wrapper too.
signal_all() {
    for member in $(members "$NEMORUN_KEY" "$payload"); do kill -s "$1" "$member"; done 2>/dev/null
    kill -s "$1" "$payload" 2>/dev/null
}

# timer SECONDS NAME: signals this wrapper later, unless the wrapper has gone.
timer() {
    (
        trap 'kill "$nap"; exit 0' TERM
        sleep "$1" &
        nap=$!
        wait "$nap"
        read -r line </proc/self/stat
        # shellcheck disable=SC2086
        set -- "$2" ${line##*) }
        [ "${3:-$$}" = "$$" ] && kill -s "$1" "$$"
    ) </dev/null >/dev/null 2>&1 &
    timers="$timers $!"
}

# A sleeping timer would outlive its job.
clear_timers() {
    for old in $timers; do kill "$old" 2>/dev/null; done
    timers=''
}

# on_stop CAUSE: the first signal now, KILL after the grace period. The first cause counts.
on_stop() {
    [ -n "$stop" ] || stop=$1
    [ -e cancel ] && [ "$1" = signal ] && stop=cancelled
    [ -z "$stopping" ] && [ -n "$payload" ] || return 0
    stopping=1
    if [ "$stop" = time_limit ]; then
        signal_all "$warning"
        timer "$lead" ALRM
    else
        signal_all TERM
        timer "$grace" ALRM
    fi
}

trap 'interrupted=1; on_stop signal' TERM INT
trap 'interrupted=1; on_stop time_limit' USR1
trap 'interrupted=1; signal_all KILL' ALRM
trap 'interrupted=1; signal_all USR2' USR2

# await_payload: its exit code. A trapped signal ends `wait` early with a code above 128, and a
# shell that has told the code once says 127 when it is asked again.
await_payload() {
    code=127
    while :; do
        interrupted=''
        wait "$payload"
        again=$?
        [ "$again" = 127 ] && [ "$code" != 127 ] || code=$again
        [ -n "$interrupted" ] || return 0
        kill -0 "$payload" 2>/dev/null || [ "$again" != 127 ] || return 0
    done
}

# end_leftovers: what the payload left in the background ends with it.
end_leftovers() {
    rounds=0
    while [ -n "$(members "$NEMORUN_KEY" "$payload")" ]; do
        if [ "$rounds" -eq "$((grace * 10))" ]; then
            signal_all KILL
        elif [ "$rounds" -eq 0 ]; then
            signal_all TERM
        elif [ "$rounds" -gt "$((grace * 10 + 50))" ]; then
            return 0
        fi
        rounds=$((rounds + 1))
        sleep 0.1
    done
}

# run_logged NAME: the payload, in the background, with its output in the logs of this name.
run_logged() {
    logs="$run_dir/logs/$attempt"
    if [ "$stream" = 1 ]; then
        run_payload </dev/null 2>&1 &
    elif [ "$split_streams" = 1 ]; then
        run_payload </dev/null >>"$logs/$1.log" 2>>"$logs/$1.err" &
    else
        run_payload </dev/null >>"$logs/$1.log" 2>&1 &
    fi
    payload=$!
}

start_payload() {
    attempt=$((attempt + 1))
    while [ -e "logs/$attempt/started" ]; do attempt=$((attempt + 1)); done
    mkdir -p "logs/$attempt" && : >"logs/$attempt/started"
    started_at=$(date +%s)
    tell "{\"attempt\":$attempt,\"started_at\":$started_at}"
    run_logged "$log_name"
    begun=$(start_of "$payload")
    note "{\"attempt\":$attempt,\"started_at\":$started_at,\"session\":$payload,\"session_start\":${begun:-0}}"
    [ "$time_limit" = 0 ] || timer "$time_limit" USR1
    [ -z "$stop" ] || on_stop "$stop"
}

# one_attempt: sets ended_by, and code, signal and reason as JSON. What ended the payload is settled
# when it ends: a signal that comes after that changes nothing but whether there is a next attempt.
one_attempt() {
    stopping=''
    start_payload
    await_payload
    ended_by=$stop
    signal=null reason='"exit"'
    judge
    # The shell's $? is 137 for exit 137 and for SIGKILL alike.
    if [ "$code" -gt 128 ] && [ "$code" -le 192 ]; then
        signal=$((code - 128))
        [ "$reason" != '"exit"' ] || reason='"signal"'
    fi
    [ "$code" != 0 ] || reason=null
    [ -z "$ended_by" ] || reason="\"$ended_by\""
    await_record
    end_leftovers
    clear_timers
    payload=''
    ended="{\"attempt\":$attempt,\"ended_at\":$(date +%s),\"exit_code\":$code,\"signal\":$signal,\"reason\":$reason}"
    note "$ended"
    tell "$ended"
    failure=$(cat "logs/$attempt/first_failure.json" 2>/dev/null)
    [ -z "$failure" ] || tell "{\"attempt\":$attempt,\"failure\":$failure}"
    tell_environment
}

# outcome_of DIR: ok, notok or waiting, for a job of the same executor.
outcome_of() {
    [ -d "$1" ] || { echo notok && return; }
    case $(cat "$1/exit.json" 2>/dev/null) in
        *'"state":"SUCCEEDED"'*) echo ok && return ;;
        ?*) echo notok && return ;;
    esac
    [ -e "$1/ready" ] && { echo waiting && return; }
    wrapper=$(sed -n 's/.*"pid": *\([0-9]*\).*/\1/p' "$1/process.json" 2>/dev/null)
    begun=$(sed -n 's/.*"start": *\([0-9]*\).*/\1/p' "$1/process.json" 2>/dev/null)
    if [ -n "$wrapper" ] && [ "$(start_of "$wrapper")" = "$begun" ]; then
        echo waiting
    elif [ -n "$(members "${1##*/}")" ]; then
        echo waiting
    elif [ -e "$1/exit.json" ]; then
        outcome_of "$1"
    else
        echo notok
    fi
}

# after CONDITION DIR: returns when the condition is met; a condition that never can be ends the job.
after() {
    while [ -z "$stop" ]; do
        case $1-$(outcome_of "$2") in
            *-waiting) ;;
            ok-ok | notok-notok | any-*) return 0 ;;
            *) finish CANCELLED '"dependency"' null null ;;
        esac
        sleep 1 &
        wait "$!"
    done
}

# again CAUSE: whether there is a next attempt after one that ended so; those with a count of their own
# are noted, for the starts of a job that a scheduler starts again.
again() {
    begun=$(sed -n '1s/.*"started_at":\([0-9]*\).*/\1/p' attempts.jsonl 2>/dev/null)
    [ "$retry_window" = 0 ] || [ "$(date +%s)" -lt "$((${begun:-0} + retry_window))" ] || return 1
    for each in $retry; do
        [ "${each%%=*}" = "$1" ] || continue
        [ "${each#*=}" != inf ] || return 0
        used=$(grep -cx "$1" retried 2>/dev/null)
        [ "${used:-0}" -lt "${each#*=}" ] || return 1
        printf '%s\n' "$1" >>retried
        return
    done
    [ "$tries" -lt "$retries" ] && tries=$((tries + 1))
}

run_all() {
    while :; do
        [ ! -e cancel ] || finish CANCELLED '"cancelled"' null null
        case $stop in
            '') ;;
            time_limit) go_on || finish FAILED '"time_limit"' null null ;;
            *) by_signal && finish FAILED '"signal"' null 15 ;;
        esac
        still_mine || exit 75
        one_attempt
        case $ended_by-$code in
            cancelled-*) finish CANCELLED "$reason" "$code" "$signal" ;;
            time_limit-*) go_on && continue ;;
            signal-*) by_signal ;;
            -0) finish SUCCEEDED null 0 null ;;
        esac
        cause=${reason#?}
        if [ -n "$stop" ] || ! again "${cause%?}"; then
            finish FAILED "$reason" "$code" "$signal"
        fi
    done
}

# reap: ends the payload of a wrapper that was killed, and tells that it was cancelled.
reap() {
    session=$(sed -n 's/.*"session":\([0-9]*\),.*/\1/p' attempts.jsonl 2>/dev/null | tail -n 1)
    begun=$(sed -n 's/.*"session_start":\([0-9]*\).*/\1/p' attempts.jsonl 2>/dev/null | tail -n 1)
    attempt=$(grep -c '"session"' attempts.jsonl 2>/dev/null)
    now=$(start_of "${session:-self}")
    [ -z "$now" ] || [ "$now" = "$begun" ] && payload=$session
    end_leftovers
    finish CANCELLED '"cancelled"' null null
}
