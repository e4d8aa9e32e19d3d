# The file `token` in a job's folder decides, once and for all, whether and by whom the job may be
# submitted: it holds `void`, or the host, the process and the nonce of the one who took it.

# take FOLDER TEXT: 1 if somebody has been quicker.
take() {
    printf '%s\n' "$2" >"$1/.token.$$" || return 1
    ln "$1/.token.$$" "$1/token" 2>/dev/null
    taken=$?
    rm -f "$1/.token.$$"
    return "$taken"
}

# held FOLDER: whether its submission may still be under way, here or on another login host.
held() {
    [ -e "$1/token" ] && [ ! -e "$1/sbatch.code" ] || return 1
    read -r host pid rest <"$1/token"
    [ "$host" != void ] || return 1
    [ "$host" != "$(uname -n)" ] || [ -d "/proc/$pid" ] || return 1
    [ -z "$(find "$1/token" -mmin +1 2>/dev/null)" ]
}

# known KEY: prints the id of its job; 1 if there is no such job; 2 if nobody can say.
known() {
    for file in "$1/submitted" "$1/native_id"; do
        [ ! -s "$file" ] || { head -n 1 "$file" && return 0; }
    done
    rows=$(squeue --noheader --states=all --user="$(id -un)" --format='%i|%T|%N|%j|%k' $only 2>&1) || {
        printf '%s\n' "$rows" >&2
        return 2
    }
    # Some jobs that Slurm refuses are in the queue for a while, as FAILED and without a node.
    found=$(printf '%s\n' "$rows" | grep -v '^[^|]*|FAILED||' |
        grep -F -e "nemorun:$1" -e "nemorun-${1%-*}|" | tail -n 1)
    [ -n "$found" ] || return 1
    printf '%s%s\n' "${found%%|*}" "${only:+;${only#-M}}"
}
