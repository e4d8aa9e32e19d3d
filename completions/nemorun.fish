# Completion of nemorun for fish: a file in ~/.config/fish/completions, or source it.
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
