#!/bin/sh
# Runs a command, and ends the test cluster of Ray afterwards, which the tests start when they need it,
# unless somebody else still uses it or it is to be kept: `ray.sh keep`, or KEEP_TESTBED=1.
set -eu
ray=$(dirname "$0")/ray.sh
bed=${NEMORUN_TESTBED:-/var/tmp/nemorun-testbed}

[ "$(id -u)" = 0 ] || exec "$@"
mkdir -p "$bed/locks"
exec 7>"$bed/locks/ray-users"
flock --shared 7
trap : INT TERM
code=0
"$@" 7>&- || code=$?
if [ "${KEEP_TESTBED:-}" != 1 ] && [ ! -e "$bed/ray/kept" ] && flock --exclusive --nonblock 7; then
    "$ray" down 7>&- || true
fi
exit $code
