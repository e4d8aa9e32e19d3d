# Unpacks the job's folder from standard input, a tar of `size` bytes, and calls sbatch, which "$@" is,
# unless that has been done for this key. Of any number of these scripts one calls it; again only one
# with the same nonce, once it is certain that Slurm has no such job (sbatch may fail after the job
# was taken).
# Says: known ID; ended CODE, with sbatch's own words as its errors; void; busy; silent; folder; cut.
mkdir -p "$folder" && cd "$folder" || say folder
if [ ! -d "$key" ]; then
    # A folder that is in the way is somebody else's, who was quicker; or `find` has closed it.
    stage=.$key$token
    mkdir "$stage" && cat >"$stage/tar" || { rm -rf "$stage" && say folder; }
    [ "$(wc -c <"$stage/tar")" -eq "$size" ] || { rm -rf "$stage" && say cut; }
    mkdir "$stage/job" && tar -xf "$stage/tar" -C "$stage/job" && mv -T "$stage/job" "$key"
    rm -rf "$stage"
    [ -d "$key" ] || say folder
else
    cat >/dev/null
fi
turn=1
if ! make "$key" token.1 "$(uname -n) $$ $nonce $token"; then
    tries=0
    while held "$key" && [ "$tries" -lt 20 ]; do
        tries=$((tries + 1))
        sleep 1
    done
    last_turn "$key" && [ "$host" != void ] || say void
    ! held "$key" || say busy
    known "$key"
    case $? in
        0) say known "$id" ;;
        2) say silent ;;
    esac
    [ "${whose%% *}" = "$nonce" ] || say void
    turn=$((turn + 1))
    make "$key" "token.$turn" "$(uname -n) $$ $nonce $token" || say busy
fi
[ -z "$only" ] || printf '%s\n' "$only" >"$key/only"
# While sbatch waits for the controller: on which cluster this is, should many share this folder.
timeout 45 scontrol show config 2>/dev/null | sed -n 's/^ClusterName *= *//p' >"$key/cluster" &
[ ! -e "$key/token.$((turn + 1))" ] || say busy
# Who it is, and where programs are: the job inherits nothing else.
timeout 45 env -i ${HOME:+"HOME=$HOME"} USER="${USER-}" LOGNAME="${LOGNAME-}" SHELL="${SHELL-}" PATH="$PATH" \
    LANG="${LANG-}" ${SLURM_CONF:+"SLURM_CONF=$SLURM_CONF"} "$@" >"$key/sbatch.out" 2>"$key/sbatch.err" </dev/null
code=$?
if [ "$code" = 0 ]; then
    told "$key/sbatch.out"
    [ -z "$id" ] || claim "$key" "$id"
fi
echo "$code" >"$key/sbatch.$turn.code"
[ ! -s "$key/sbatch.err" ] || cat "$key/sbatch.err" >&2
wait
if [ "$code" = 126 ] || [ "$code" = 127 ] ||
    grep -qE 'establish a configuration source|process configuration file' "$key/sbatch.err"; then
    # There is no sbatch, or none that knows a cluster: nobody was asked for anything.
    make "$key" "token.$((turn + 1))" void
    rm -f "$key/secrets"
    say ended "$code"
fi
# Whatever sbatch says, the queue knows whether it has failed.
known "$key"
case $? in
    0) say known "$id" ;;
    1) say ended "$code" ;;
    *) say silent ;;
esac
