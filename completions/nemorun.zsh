#compdef nemorun
# Completion of nemorun for zsh: a file `_nemorun` in a folder of $fpath, or source it.
_nemorun() {
    local -a whole open
    local candidate text files
    while IFS=$'\t' read -r candidate text; do
        case $candidate in
            /) files=1 ;;
            *[=.:/,\(]) open+=("${candidate//:/\\:}${text:+:$text}") ;;
            *) whole+=("${candidate//:/\\:}${text:+:$text}") ;;
        esac
    done < <(_NEMORUN_COMPLETE=1 "${(Q)words[1]}" "${(@Q)words[2,CURRENT-1]}" \
        "${(Q)PREFIX}" 2>/dev/null)
    if [[ -n $files ]]; then
        _files
    else
        _describe -V nemorun open -S '' -- whole
    fi
}
if [[ ${funcstack[1]} = _nemorun ]]; then
    _nemorun "$@"
elif (( $+functions[compdef] )); then
    compdef _nemorun nemorun
fi
