#!/bin/sh
# Installs what the tests and the demo need from the system's packages, where that is allowed; says
# what is missing where it is not. Does nothing on a machine that has it all.
set -eu

missing=''
PATH="$PATH:/usr/sbin:/sbin"
need() { command -v "$1" >/dev/null 2>&1 || missing="$missing $2"; }
need git git
need busybox busybox
need bash bash
need dash dash
need zsh zsh
need fish fish
need tcsh tcsh
need bsd-csh csh
need ssh openssh-client
need sshd openssh-server
need setsid util-linux
${PYTHON:-python3} -c 'import ensurepip, venv' 2>/dev/null || missing="$missing python3-venv"

[ -n "$missing" ] || exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "installing:$missing" >&2
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    # shellcheck disable=SC2086
    apt-get install -y -qq --no-install-recommends $missing >/dev/null
else
    echo "not installed, and not root: apt-get install$missing" >&2
fi
