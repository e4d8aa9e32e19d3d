# The snapshot of a job, of which only what is new may have been stored when it was launched.

lay_out() {
    [ ! -d "$snapshot" ] || return 0
    # The interpreter of the launch may have gone, as with an upgrade.
    command -v "$laid_out_by" >/dev/null || laid_out_by=python3
    "$laid_out_by" -I "$run_dir/layingout.py" "${snapshot%/*}" "${snapshot##*/}"
}

# At once, as what the rest is copied from may go while the job waits for others.
begin() { lay_out >/dev/null 2>&1; }
