# bash completion of execseal(1).

_execseal() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
    local command="" word words="" i
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        case $word in
            --) return ;; # the command of run or policy explain
            --config) ((i++)) ;;
            -*) ;;
            ps | events | tree | run | why | reload | mode | doctor | install | uninstall | version)
                [[ -n $command ]] || command=$word
                ;;
            policy)
                [[ -n $command ]] || command=policy
                ;;
            check | explain | learn | test)
                [[ $command != policy ]] || command="policy $word"
                ;;
        esac
    done
    case $previous in
        --format) words="table json" ;;
        --verdict) words="allow audit deny kill" ;;
        --via) words="entrypoint exec child" ;;
        --outcome) words="executed refused failed killed gone checked" ;;
        --mode) words="enforce audit learn" ;;
        -t | --tasks | --container) words=$(execseal ps 2>/dev/null | awk 'NR > 1 {print $1}') ;;
        --config | --file | --against | --into | --with)
            mapfile -t COMPREPLY < <(compgen -f -- "$current")
            return
            ;;
        --root | --rootfs | --share | --cwd)
            mapfile -t COMPREPLY < <(compgen -d -- "$current")
            return
            ;;
        --since | --name | --last | -n | --rule | --policy | --exe | --uid | --gid | --env) return ;;
    esac
    if [[ -z $words ]]; then
        case $command in
            "") words="ps events tree run why reload mode policy doctor install uninstall version --config --help --version" ;;
            ps) words="--tasks --format --config --help" ;;
            events) words="--follow --all --container --verdict --policy --rule --exe --via --outcome --since --last --file --format --config --help" ;;
            tree) words="--follow --all --since --file --config --help $(execseal ps 2>/dev/null | awk 'NR > 1 {print $1}')" ;;
            run) words="--policy --learn --rootfs --bind --env --net --config --help --" ;;
            policy) words="check explain learn test --config --help" ;;
            "policy explain") words="--via --parent --uid --gid --env --cwd --rootfs --mode --format --config --help --" ;;
            "policy check") words="--rootfs --config --help" ;;
            "policy learn") words="--container --since --into --name --strict --loose --config --help" ;;
            "policy test") words="--against --with --container --since --format --config --help" ;;
            reload) words="--container --format --config --help" ;;
            mode) words="audit enforce $(execseal ps 2>/dev/null | awk 'NR > 1 {print $1}') --config --help" ;;
            why) words="--container --since --file --format --config --help" ;;
            doctor) words="--root --share --format --config --help" ;;
            install | uninstall) words="--containerd --crio --podman --docker --systemd --user --dry-run --root --share --config --help" ;;
            version) words="--config --help" ;;
        esac
        if [[ $command == "policy "* && $current != -* ]]; then
            mapfile -t COMPREPLY < <(compgen -f -- "$current")
            return
        fi
    fi
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}
complete -o filenames -F _execseal execseal
