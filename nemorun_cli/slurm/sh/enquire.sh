# Asks once for all jobs of this user, and once for those on standard input that have left the queue;
# then tells what their folders hold. Standard input: a line a job, `key id cluster`, `-` for none.
# What begins no process, as on a crowded host, does not look like an answer: there is no `end` then.
mark() { printf '\n%s %s\n' "$token" "$*"; }
# lost_nodes FIELD: how the nodes are of jobs that ended with one; rows of squeue or sacct, which have
# the nodes in this field.
lost_nodes() {
    awk -F'|' -v field="$1" '$2 == "NODE_FAIL" && $1 !~ /[.]/ && $field { print $1, $field }' |
        tail -n 5 | while read -r id list; do
            mark lost "$cluster" "$id"
            timeout 20 sinfo --noheader --Node --nodes="$list" --format='%N|%T' $only 2>/dev/null
            mark size "$cluster" "$id"
            timeout 20 sinfo --noheader --Node --format=%N $only 2>/dev/null | sort -u | grep -c .
        done
}
jobs=$(cat) || exit 1
for cluster in $(printf '%s\n' "$jobs" | sed 's/.* //' | sort -u); do
    only=''
    [ "$cluster" = - ] || only=-M$cluster
    mark queue "$cluster"
    queue=$(squeue --noheader --states=all --user="$(id -un)" --format="$format" $only 2>&1)
    code=$?
    printf '%s\n' "$queue"
    mark queue-code "$cluster" "$code"
    [ "$code" = 0 ] || continue  # A controller that is away takes its time to be so each time.
    if [ "$cluster" = - ]; then
        mark cluster
        scontrol show config 2>/dev/null | sed -n 's/^ClusterName *= *//p'
    fi
    printf '%s\n' "$queue" | lost_nodes 6
    # Accounting knows more of what is COMPLETED: the queue says so of a job whose last step failed.
    gone=$(
        { printf '%s\n---\n%s\n' "$queue" "$jobs"; } | awk -v cluster="$cluster" '
            /^---$/ { jobs = 1; next }
            !jobs { split($0, row, "|"); if (row[2] != "COMPLETED") queued[row[1]]; next }
            $3 == cluster && !($2 in queued) { print $1, $2 }' |
            while read -r key id; do
                [ -e "$folder/$key/exit.json" ] || printf ',%s' "$id"
            done
    ) || exit 1
    [ -n "$gone" ] || continue
    mark accounting "$cluster"
    accounted=$(
        sacct --noheader --parsable2 --duplicates --format="$fields" $only --jobs="${gone#,}" 2>&1
    )
    code=$?
    printf '%s\n' "$accounted"
    mark accounting-code "$cluster" "$code"
    printf '%s\n' "$accounted" | lost_nodes 7
done
if ! cd "$folder" 2>/dev/null; then
    mark end
    exit 0
fi
mark files
keys=$(printf '%s\n' "$jobs" | while read -r key rest; do [ ! -d "$key" ] || echo "$key"; done) || exit 1
# Verdicts are looked for once, so that all that a job leaves before its verdict is told with it.
ended=''
for key in $keys; do
    echo "$key/:"
    [ ! -e "$key/cancel" ] || echo "$key/cancel:"
    [ -e "$key/exit.json" ] || continue
    ended="$ended $key/exit.json"
    printf '%s:\n' "$key"/logs/*/[0-9]*.log
done
{
    printf '%s\n' $ended
    for key in $keys; do
        for file in "$key/attempts.jsonl" "$key/last_words.json" "$key/cluster" "$key/blamed" \
            "$key"/logs/*/first_failure.json; do
            [ ! -e "$file" ] || echo "$file"
        done
    done
} | xargs grep -s '' /dev/null
case $? in 0 | 123) mark end ;; esac
