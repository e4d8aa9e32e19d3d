#!/bin/sh
# The main job, as a user would type it: train a model, then look at what there is to see.
set -eu

NEMORUN_HOME=${NEMORUN_HOME:-$PWD/.make/demo}
export NEMORUN_HOME
show() { printf '\n\033[1m$ %s\033[0m\n' "$*"; "$@"; }

show nemorun launch digits --name demo --follow
show nemorun list
show nemorun show last
printf '\nThe runs of this demo are kept in %s\n' "$NEMORUN_HOME"
