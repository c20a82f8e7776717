# zsh_completions.zsh FOLDER LINE: what zsh, with the completion functions of FOLDER, offers at the end of LINE; a word a line.
# zsh completes on a terminal only: an interactive one is given LINE and a tab, and its compadd tells what it adds.
zmodload zsh/zpty
zpty completer zsh -f -i
zpty -w completer "PROMPT=
fpath=($1 \$fpath)
autoload -U compinit && compinit -u -D
compadd() {
    if [[ \${@[1,(i)(-|--)]} == *-(O|A|D)\ * ]]; then
        builtin compadd \"\$@\"
        return
    fi
    local -a hits
    builtin compadd -A hits \"\$@\"
    print -rl -- '' match:\$^hits
    builtin compadd \"\$@\"
}
comppostfuncs=('print done:; exit')
bindkey '^I' complete-word
print ready:"
zpty -r completer out $'*\nready:*'
zpty -w -n completer "$2"$'\t'
zpty -r completer out $'*done:*'
print -r -- "$out" | tr -d '\r' | sed -n 's/^match://p'
