# Asks the jobs on standard input, a line each, `key id`, to end. A batch script that is signalled
# ends its tasks in order and says so; a job that waits just goes. Asked again after its grace: hard.
cd "$folder" || exit 1
ids='' harder=''
while read -r key id; do
    [ ! -e "$key/exit.json" ] || continue
    grace=$(sed -n 's/^grace=//p' "$key/job.sh" 2>/dev/null)
    if [ -n "$(find "$key/cancel" -mmin "+$(((${grace:-60} + 119) / 60))" 2>/dev/null)" ]; then
        harder="$harder $id"
    fi
    [ -e "$key/cancel" ] || : >"$key/cancel"
    ids="$ids $id"
done

# A few hundred at a time: each call of scancel is a request to the controller. Of those that have
# ended meanwhile it complains, and xargs says 123.
tell() { [ -z "$1" ] || printf '%s\n' $1 | xargs -n 200 scancel $only $2 || [ "$?" = 123 ] || exit 1; }
tell "$ids" --state=PENDING
tell "$ids" '--state=RUNNING --batch --signal=TERM'
tell "$harder" ''
