# Unpacks the job's folder from standard input and calls sbatch, which "$@" is, unless that has been
# done for this key. Of any number of these scripts one calls it; again only one with the same nonce,
# once it is certain that Slurm has no such job (sbatch may fail after the job was taken).
# Says: ended CODE after sbatch's own words; known ID; void; busy; silent; folder.
mkdir -p "$folder" && cd "$folder" || say folder
if [ ! -d "$key" ]; then
    # A folder that is in the way is somebody else's, who was quicker; or `find` has closed it.
    mkdir ".$key.$$" && tar -xf - -C ".$key.$$" && mv -T ".$key.$$" "$key"
    rm -rf ".$key.$$"
    [ -d "$key" ] || say folder
else
    cat >/dev/null
fi
if ! take "$key" "$(uname -n) $$ $nonce"; then
    tries=0
    while [ ! -s "$key/submitted" ] && held "$key" && [ "$tries" -lt 20 ]; do
        tries=$((tries + 1))
        sleep 1
    done
    read -r holder pid whose <"$key/token"
    [ "$holder" != void ] || say void
    id=$(known "$key")
    case $? in
        0) say known "$id" ;;
        2) say silent ;;
    esac
    ! held "$key" || say busy
    [ "$whose" = "$nonce" ] || say void
    printf '%s\n' "$(uname -n) $$ $nonce" >"$key/.token" && mv "$key/.token" "$key/token"
    rm -f "$key/sbatch.code"
fi
# While sbatch waits for the controller: on which cluster this is, should many share this folder.
scontrol show config 2>/dev/null | sed -n 's/^ClusterName *= *//p' >"$key/cluster" &
# Who it is, and where programs are: the job inherits nothing else.
timeout 45 env -i HOME="$HOME" USER="${USER-}" LOGNAME="${LOGNAME-}" SHELL="${SHELL-}" PATH="$PATH" \
    LANG="${LANG-}" ${SLURM_CONF:+"SLURM_CONF=$SLURM_CONF"} "$@" >"$key/sbatch.out" 2>"$key/sbatch.err" </dev/null
code=$?
[ "$code" != 0 ] || { cp "$key/sbatch.out" "$key/.submitted" && mv "$key/.submitted" "$key/submitted"; }
echo "$code" >"$key/sbatch.code"
cat "$key/sbatch.out"
[ ! -s "$key/sbatch.err" ] || cat "$key/sbatch.err" >&2
wait
case $code in 0 | 126 | 127) say ended "$code" ;; esac
# Whatever sbatch says, the queue knows whether it has failed.
id=$(known "$key")
case $? in
    0) say known "$id" ;;
    1) say ended "$code" ;;
    *) say silent ;;
esac
