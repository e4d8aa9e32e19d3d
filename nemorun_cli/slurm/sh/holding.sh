# Files in a job's folder decide who may submit it, and which job it is. Each is made by link(2), by
# one of several who try. `token.1`, `token.2` ... hold `void`, for nobody may any more, or the host,
# the process and the nonce of one who took his turn; the next turn comes when one has ended without
# a job. `native_id` holds the job's number, which the job itself looks at when it begins.

# make FOLDER NAME TEXT: 1 if somebody has been quicker.
make() {
    printf '%s\n' "$3" >"$1/.new$token" || return 2
    ln "$1/.new$token" "$1/$2" 2>/dev/null || {
        read -r there <"$1/$2" && [ "$there" = "$3" ]
    } 2>/dev/null
    made=$?
    rm -f "$1/.new$token"
    return "$made"
}

# last_turn FOLDER: sets turn, and its host, pid and whose; 1 if nobody has had one.
last_turn() {
    turn=0
    while [ -e "$1/token.$((turn + 1))" ]; do turn=$((turn + 1)); done
    [ "$turn" -gt 0 ] && read -r host pid whose <"$1/token.$turn"
}

# held FOLDER: whether the last turn may still be going on, here or on another login host.
held() {
    last_turn "$1" && [ "$host" != void ] && [ ! -e "$1/sbatch.$turn.code" ] || return 1
    # Whoever kills a script may leave its sbatch.
    [ "$host" != "$(uname -n)" ] || [ -d "/proc/$pid" ] ||
        grep -qszxF "$folder/${1##*/}/job.sh" /proc/[0-9]*/cmdline || return 1
    [ -z "$(find "$1/token.$turn" -mmin +1 2>/dev/null)" ]
}

# told FILE: sets id to that of the job in what sbatch has printed; empty if there is none.
told() {
    id=''
    while read -r line || [ -n "$line" ]; do
        case $line in
            *'Submitted batch job '*' on cluster '*)
                line=${line##*'batch job '}
                line="${line%% *};${line##*' on cluster '}"
                ;;
            *'Submitted batch job '*) line=${line##*'batch job '} ;;
        esac
        case $line in
            '' | [!0-9]* | *[!A-Za-z0-9_.\;-]*) ;;
            *) case ${line%%;*} in *[!0-9]*) ;; *) id=$line ;; esac ;;
        esac
    done <"$1"
}

# claim FOLDER ID: this is the job, unless another one is it already.
claim() {
    make "$1" native_id "${2%%;*}" || return 0
    printf '%s\n' "$2" >"$1/.new$token" && mv "$1/.new$token" "$1/submitted"
}

# known FOLDER: sets id to that of its job; 1 if there is no such job; 2 if nobody can say.
known() {
    if [ ! -s "$1/native_id" ]; then
        [ -n "$only" ] || ! [ -e "$1/only" ] || read -r only <"$1/only"
        rows=$(squeue --noheader --states=all --user="$(id -un)" --format='%i|%T|%N|%j|%k' $only 2>&1) || {
            printf '%s\n' "$rows" >&2
            return 2
        }
        # Some jobs that Slurm refuses are in the queue for a while, as FAILED and without a node.
        id=$(printf '%s\n' "$rows" | awk -F '|' -v key="$key" -v name="nemorun-${key%-*}|" '
            /^CLUSTER: / { where = $0; sub(/^CLUSTER: */, ";", where); next }
            $2 == "FAILED" && $3 == "" { next }
            index($0 " ", "|nemorun:" key " ") || index($0, name) { found = $1 where }
            END { print found }')
        [ -n "$id" ] || return 1
        claim "$1" "$id"
    fi
    { read -r id <"$1/submitted" || read -r id <"$1/native_id"; } 2>/dev/null
}
