#!/bin/sh
# Runs a command while the test cluster is up, where it can be; whoever is the last to do so ends the
# cluster, unless it is to be kept: `cluster.sh keep`, or KEEP_TESTBED=1.
set -eu
cluster=$(dirname "$0")/cluster.sh
bed=${NEMORUN_TESTBED:-/var/tmp/nemorun-testbed}

[ "$(id -u)" = 0 ] || exec "$@"
mkdir -p "$bed/locks"
exec 9>"$bed/locks/users"
flock --shared 9
"$cluster" up 9>&- || echo "going on without the test cluster" >&2
trap : INT TERM
code=0
"$@" 9>&- || code=$?
if [ "${KEEP_TESTBED:-}" != 1 ] && [ ! -e "$bed/kept" ] && flock --exclusive --nonblock 9; then
    "$cluster" down 9>&- || true
fi
exit $code
