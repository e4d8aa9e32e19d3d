"""The functions of the shells that ask `nemorun` what to complete."""

_BASH = r"""# Completion of nemorun for bash: source this file.
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
"""
_ZSH = r"""#compdef nemorun
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
"""
_FISH = r"""# Completion of nemorun for fish: a file in ~/.config/fish/completions, or source it.
function __nemorun_complete
    set -l words (commandline --tokens-expanded --cut-at-cursor --current-process 2>/dev/null
        or commandline --tokenize --cut-at-cursor --current-process)
    set -l word (commandline --current-token --cut-at-cursor)
    set -lx _NEMORUN_COMPLETE fish
    set -l found ($words[1] $words[2..] "$word" 2>/dev/null)
    if string match --quiet --regex '^/\t' -- "$found"
        __fish_complete_path "$word"
    else if set -q found[1]
        printf '%s\n' $found
    end
end
complete --command nemorun --no-files --keep-order --arguments '(__nemorun_complete)'
"""
SCRIPTS = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}
FILES = {shell: f"nemorun.{shell}" for shell in SCRIPTS}
