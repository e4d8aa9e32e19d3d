#!/bin/sh
# Runs a command while the test engine is up, where it can be; whoever is the last to do so ends the
# engine, unless it is to be kept: `engine.sh keep`, or KEEP_TESTBED=1.
set -eu
engine=$(dirname "$0")/engine.sh
bed=${NEMORUN_TESTBED:-/var/tmp/nemorun-testbed}

[ "$(id -u)" = 0 ] || exec "$@"
mkdir -p "$bed/locks"
exec 8>"$bed/locks/engine-users"
flock --shared 8
"$engine" up 8>&- || echo "going on without the test engine" >&2
trap : INT TERM
code=0
"$@" 8>&- || code=$?
if [ "${KEEP_TESTBED:-}" != 1 ] && [ ! -e "$bed/docker/kept" ] && flock --exclusive --nonblock 8; then
    "$engine" down 8>&- || true
fi
exit $code
