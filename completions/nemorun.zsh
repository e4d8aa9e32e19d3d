#compdef nemorun
_nemorun() {
    local -a candidates
    local candidate description
    while IFS=$'\t' read -r candidate description; do
        candidates+=("${candidate//:/\\:}:$description")
    done < <(_NEMORUN_COMPLETE=1 "${words[1]}" "${(@)words[2,CURRENT]}" 2>/dev/null)
    _describe nemorun candidates || _files
}
compdef _nemorun nemorun
