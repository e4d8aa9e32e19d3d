# Daemons and their pid files, $BED/run/NAME.pid, where NAME is the command, or command-host.

pid_file() { echo "$BED/run/$1.pid"; }

# A zombie answers to kill -0, and a number is given out again: what runs is asked of /proc.
running() {
    local pid
    pid=$(cat "$(pid_file "$1")" 2>/dev/null) && [ -n "$pid" ] || return 1
    [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = "${1%%-*}" ] || return 1
    ! grep -q '^State:[[:space:]]*[ZX]' "/proc/$pid/status" 2>/dev/null
}

end() { # NAME [SIGNAL]
    local pid
    running "$1" || return 0
    pid=$(cat "$(pid_file "$1")")
    kill -s "${2:-TERM}" "$pid" 2>/dev/null || true
    within 30 not running "$1" || { kill -s KILL "$pid" && within 10 not running "$1"; }
}

not() { ! "$@"; }

within() { # SECONDS COMMAND...
    local until=$((SECONDS + $1))
    shift
    while ! "$@" >/dev/null 2>&1; do
        if [ $SECONDS -ge $until ]; then
            say "it did not come true: $*"
            return 1
        fi
        sleep 0.1
    done
}

# Daemons know nothing of whoever has started them.
cleanly() { (cd / && exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    LC_ALL=C.UTF-8 NEMORUN_TESTBED="$BED" "$@" </dev/null); }
