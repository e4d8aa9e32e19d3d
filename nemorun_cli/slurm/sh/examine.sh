# Tells, a line each, `what|ok or bad|seen`, whether a launch here would find what it needs.
fact() { printf '%s %s|%s|%s\n' "$token" "$1" "$2" "$3"; }
for program in sbatch squeue scancel scontrol srun sacct; do
    path=$(command -v "$program") && fact "$program" ok "$path" || fact "$program" bad 'not on PATH'
done
fact clock "$(date +%s)" ''
version=$(sbatch --version 2>&1) && fact version ok "$version"
if answer=$(timeout 20 squeue --noheader --user="$(id -un)" 2>&1); then
    fact controller ok "$(scontrol show config 2>/dev/null | sed -n 's/^ClusterName *= *//p')"
else
    fact controller bad "$answer"
fi
if answer=$(timeout 20 sacct --noheader --allocations --starttime=now 2>&1); then
    fact accounting ok 'answers'
else
    fact accounting ok "none: $answer; states come from the queue and the jobs' own verdicts"
fi
srun --help 2>&1 | grep -q -e --container-image && pyxis='there' || pyxis='not there'
fact 'runtime pyxis' ok "$pyxis"
path=$(command -v apptainer || command -v singularity) || path='not there'
fact 'runtime apptainer' ok "$path"
for program in tar xargs find ln head; do
    command -v "$program" >/dev/null || fact "$program" bad 'not on PATH'
done
probe=.nemorun-probe-$$
if mkdir -p "$folder" && echo "$token" >"$folder/$probe"; then
    kind=$(stat -f -c %T "$folder" 2>/dev/null)
    fact 'job folder' ok "$folder ($kind)"
    if seen=$(timeout 40 srun --quiet --immediate=15 --nodes=1 --ntasks=1 --time=1 \
        --job-name=nemorun-doctor cat "$folder/$probe" 2>&1); then
        [ "$seen" = "$token" ] && fact 'shared folder' ok 'a node sees the job folder'
    elif printf '%s' "$seen" | grep -q 'No such file'; then
        fact 'shared folder' bad 'a node does not see the job folder: choose one on a shared disk'
    else
        fact 'shared folder' ok "not tried: no node was free ($(printf '%s' "$seen" | tail -n 1))"
    fi
    rm -f "$folder/$probe"
else
    fact 'job folder' bad "$folder cannot be written"
fi
