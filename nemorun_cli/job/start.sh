# Makes the job's folder on this node, of what came with the job, and starts its script there.
# Ray may share what came, which lies beside this file, and the project, the present folder.

umask 077
came=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$(dirname "$run_dir")"
# Whoever made it may not be us: a folder that is there is not trusted.
mkdir -m 700 "$run_dir" || {
    echo "nemorun: cannot make the job's folder $run_dir" >&2
    exit 70
}
cp -R "$came/." "$run_dir" && mkdir "$run_dir/work" "$run_dir/logs" || exit 70
[ "$has_code" = 0 ] || ln -s "$PWD" "$run_dir/code"

link() { # NAME TARGET
    mkdir -p "$(dirname "$run_dir/work/$1")"
    ln -s "$2" "$run_dir/work/$1"
}

# Ray starts this before it has written, to the same log, that it does: into the first output, else.
log=/proc/$$/fd/1 rounds=0
while [ -f "$log" ] && [ "$rounds" -lt 50 ] && ! grep -q '^Running entrypoint for job ' "$log"; do
    rounds=$((rounds + 1))
    sleep 0.1
done

link_all
rm -f "$run_dir/start.sh"
exec /bin/sh "$run_dir/job.sh"
