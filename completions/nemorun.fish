function __nemorun_complete
    set -l words (commandline --tokens-expanded --cut-at-cursor 2>/dev/null
        or commandline --tokenize --cut-at-cursor)
    set -lx _NEMORUN_COMPLETE 1
    $words[1] $words[2..-1] (commandline --current-token --cut-at-cursor) 2>/dev/null
end
complete --command nemorun --arguments '(__nemorun_complete)'
