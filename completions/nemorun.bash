# Completion of nemorun for bash: source this file.
_nemorun() {
    local candidate
    COMPREPLY=()
    while IFS= read -r candidate; do
        case $candidate in
            /) compopt -o default 2>/dev/null ;;
            *[=.:/,\(]) compopt -o nospace 2>/dev/null; COMPREPLY+=("$candidate") ;;
            *) COMPREPLY+=("$candidate") ;;
        esac
    done < <(_NEMORUN_COMPLETE=bash "$1" "${COMP_LINE:0:COMP_POINT}" "$2" 2>/dev/null)
}
complete -o nosort -F _nemorun nemorun 2>/dev/null || complete -F _nemorun nemorun
