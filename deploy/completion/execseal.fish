# fish completion of execseal(1).

function __execseal_containers
    execseal ps 2>/dev/null | awk 'NR > 1 {print $1}'
end

set -l commands ps events tree run why reload mode policy doctor install uninstall version
complete -c execseal -n "not __fish_seen_subcommand_from $commands" -f -a "$commands"
complete -c execseal -l config -r -d settings
complete -c execseal -s h -l help -d 'help with examples'
complete -c execseal -l version -d 'print the version'
complete -c execseal -n '__fish_seen_subcommand_from ps events why reload explain test doctor' -l format -x -a 'table json'
complete -c execseal -n '__fish_seen_subcommand_from ps' -s t -l tasks -x -a '(__execseal_containers)'

complete -c execseal -n '__fish_seen_subcommand_from mode' -f -a 'audit enforce (__execseal_containers)'

complete -c execseal -n '__fish_seen_subcommand_from events tree' -s f -l follow
complete -c execseal -n '__fish_seen_subcommand_from tree' -f -a '(__execseal_containers)'
complete -c execseal -n '__fish_seen_subcommand_from events tree' -s a -l all
complete -c execseal -n '__fish_seen_subcommand_from events why reload learn test' -l container -x -a '(__execseal_containers)'
complete -c execseal -n '__fish_seen_subcommand_from events' -l verdict -x -a 'allow audit deny kill'
complete -c execseal -n '__fish_seen_subcommand_from events' -l policy -x
complete -c execseal -n '__fish_seen_subcommand_from events' -l rule -x
complete -c execseal -n '__fish_seen_subcommand_from events' -l exe -x
complete -c execseal -n '__fish_seen_subcommand_from events explain' -l via -x -a 'entrypoint exec child'
complete -c execseal -n '__fish_seen_subcommand_from events' -l outcome -x -a 'executed refused failed killed gone checked'
complete -c execseal -n '__fish_seen_subcommand_from events tree why learn test' -l since -x
complete -c execseal -n '__fish_seen_subcommand_from events' -s n -l last -x
complete -c execseal -n '__fish_seen_subcommand_from events tree why' -l file -r

complete -c execseal -n '__fish_seen_subcommand_from policy; and not __fish_seen_subcommand_from check explain learn test' -f -a 'check explain learn test'
complete -c execseal -n '__fish_seen_subcommand_from explain' -l parent -r
complete -c execseal -n '__fish_seen_subcommand_from explain' -l uid -x
complete -c execseal -n '__fish_seen_subcommand_from explain' -l gid -x
complete -c execseal -n '__fish_seen_subcommand_from explain run' -l env -x
complete -c execseal -n '__fish_seen_subcommand_from run' -l policy -r
complete -c execseal -n '__fish_seen_subcommand_from run' -l learn
complete -c execseal -n '__fish_seen_subcommand_from run' -l bind -r
complete -c execseal -n '__fish_seen_subcommand_from run' -l net
complete -c execseal -n '__fish_seen_subcommand_from explain' -l cwd -r
complete -c execseal -n '__fish_seen_subcommand_from check explain run' -l rootfs -r
complete -c execseal -n '__fish_seen_subcommand_from learn' -l into -r
complete -c execseal -n '__fish_seen_subcommand_from learn' -l name -x
complete -c execseal -n '__fish_seen_subcommand_from learn' -l strict
complete -c execseal -n '__fish_seen_subcommand_from learn' -l loose
complete -c execseal -n '__fish_seen_subcommand_from test' -l against -r
complete -c execseal -n '__fish_seen_subcommand_from test' -l with -r
complete -c execseal -n '__fish_seen_subcommand_from explain' -l mode -x -a 'enforce audit learn'

complete -c execseal -n '__fish_seen_subcommand_from install uninstall doctor' -l root -r
complete -c execseal -n '__fish_seen_subcommand_from install uninstall doctor' -l share -r
for program in containerd crio podman docker systemd user
    complete -c execseal -n '__fish_seen_subcommand_from install uninstall' -l $program
end
complete -c execseal -n '__fish_seen_subcommand_from install uninstall' -l dry-run
