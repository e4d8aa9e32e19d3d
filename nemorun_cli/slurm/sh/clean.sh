# An outer allocation's settings are not meant for our jobs, nor a user's formats for our readers;
# without SLURM_CONF a site with a configuration of its own is not found.
unset $(env | sed -nE 's/^((SLURM|SBATCH|SRUN|SQUEUE|SACCT|SCANCEL|SALLOC|PMI|PMIX|OMPI)_[A-Za-z0-9_]*)=.*/\1/p' |
    grep -vx SLURM_CONF) _
# A virtual environment of the submitting shell is not the job's.
for own in ${VIRTUAL_ENV:+"$VIRTUAL_ENV/bin"} ${CONDA_PREFIX:+"$CONDA_PREFIX/bin"}; do
    case $PATH in "$own":*) PATH=${PATH#"$own":} ;; esac
done
export SLURM_TIME_FORMAT=%s LC_ALL=C
umask 077

# say WORD...: the answer, on the last line.
say() {
    printf '\n%s %s\n' "$token" "$*"
    exit 0
}
