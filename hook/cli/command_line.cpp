#include "hook/cli/command_line.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <sstream>

#include "config/settings.h"
#include "execseal_version.h"
#include "hook/cli/doctor.h"
#include "hook/cli/event_filter.h"
#include "hook/cli/events.h"
#include "hook/cli/install.h"
#include "hook/cli/policy_check.h"
#include "hook/cli/policy_explain.h"
#include "hook/cli/policy_learn.h"
#include "hook/cli/policy_test.h"
#include "hook/cli/ps.h"
#include "hook/cli/reload.h"
#include "hook/cli/run.h"
#include "hook/cli/tree.h"
#include "hook/cli/why.h"

namespace execseal {
namespace {

constexpr const char* kAbout =
    "The exec firewall for containers: what its supervisors do, and what a policy would say.";

constexpr const char* kFooter = R"(Examples:
  execseal ps                                       supervised containers
  execseal events --follow --verdict deny           what is refused, as it happens
  execseal run --policy web -- make test            a command in a throw-away container
  execseal policy check web.json                    is this policy right?
  execseal policy explain web.json -- /bin/sh -c id what would it say, and why?
  execseal policy learn --container web > web.json  what was recorded, as a policy
  execseal why                                      why was the last one refused?
  execseal reload                                   policies changed: take them now
  podman --runtime execseal run --annotation io.execseal.policy=web IMAGE

Exit codes: 0 ok; 1 failure, or what was asked about is refused; 2 wrong usage.
Data goes to stdout, messages to stderr. Settings: /etc/execseal/config.json.)";

constexpr const char* kRunFooter =
    R"(Usage: execseal run [OPTIONS] -- COMMAND [ARGS...]

Examples:
  execseal run --policy ci-no-push -- make test
  execseal run --learn -- make test > make.json
  execseal run --policy agent.json --net --env TOKEN -- ./tool
  execseal run --policy web.json --rootfs /srv/rootfs --bind ./site:/srv/site:ro -- /bin/server

The container is gone when COMMAND ends. It sees the host's /usr and /etc, read-only and without
what in /etc not everybody may read, and the working folder, which it may write; /root, /home, /run
and everything else are its own and empty, there is no network, and of the environment only TERM
and LANG. With --rootfs it sees DIR, read-only, and no working folder. Terminal and signals are
COMMAND's.
Exit codes: COMMAND's; 1 it was not started; 2 wrong usage.)";

constexpr const char* kPsFooter = R"(Examples:
  execseal ps
  execseal ps -t web           the tasks of the container named (or whose id begins with) web
  execseal ps --format json | jq -r '.[] | select(.races_detected > 0) | .container_id'

TASKS is as of the last look; ALLOWED, REFUSED and RACES count execs since SINCE (UTC).
PROTECT: whom an exec freezes (pidns, siblings, off), and whether what ran is verified.
-t: how a task was registered: session (the first of the container or of an exec), fork (before
its first instruction), listing (found in the container's PID namespace), stray (its creator died
before telling of it).
Exit codes: 0 ok; 1 a supervisor has died or does not answer; 2 wrong usage.)";

constexpr const char* kEventsFooter = R"(Examples:
  execseal events --verdict deny --verdict kill --since 1h
  execseal events --follow --container web --via exec
  execseal events --exe '/usr/bin/*' --outcome refused -n 20
  execseal events --format json | jq -r 'select(.race_detected) | .argv | @sh'

All filters must hold; one that is given twice holds for either value. Times are UTC.
Exit codes: 0 ok; 1 failure, or lines that are no events; 2 wrong usage.)";

constexpr const char* kTreeFooter = R"(Examples:
  execseal tree web                        who started what, and what was refused
  execseal tree web --since 1h
  execseal tree web --follow               then each exec as it comes

From the audit file. Below a program stands what its process executed or tried next, and what its
children did. Verdicts are coloured on a terminal, unless NO_COLOR is set.
Exit codes: 0 ok; 1 failure, or lines that are no events; 2 wrong usage.)";

constexpr const char* kPolicyFooter = R"(Examples:
  execseal policy check web.json
  execseal policy explain web.json -- /bin/sh -c id

Exit codes: 0 ok; 1 a policy is wrong, or the exec would be refused; 2 wrong usage.)";

constexpr const char* kCheckFooter = R"(Examples:
  execseal policy check /etc/execseal/policies.d/*.json
  execseal policy check                    all policies of the node
  execseal policy check --rootfs /srv/rootfs web.json

One line a file: ok on stdout; or, on stderr, FILE: /place/in/it: what was expected. Also on stderr,
FILE: warning: /place/in/it: rules that are never asked, names that never match (with --rootfs links
of that root file system, too), lists of refused names that a copy gets around, regexes that let
pass and have no anchors. Warnings change no exit code.
Exit codes: 0 all are right; 1 one is not; 2 wrong usage.)";

constexpr const char* kExplainFooter =
    R"(Usage: execseal policy explain POLICY [OPTIONS] -- PROG [ARGS...]

Examples:
  execseal policy explain web.json -- /bin/sh -c id
  execseal policy explain web --via exec --uid 33 --env LD_PRELOAD=/tmp/x.so -- /usr/bin/php -v
  execseal policy explain web --parent /usr/sbin/nginx -- /bin/sh -c id
  execseal policy explain ci.json --rootfs /srv/rootfs --cwd /src -- git push origin main

POLICY is a file, or the name of one in policies_dir. The node's floor policy is asked, too.
Without --rootfs PROG is judged by its path as given; with it, it is looked up as in a container:
PATH, symlinks, scripts with their interpreters, ld.so, busybox applets. The environment is what
--env says and nothing else.
Exit codes: 0 it would run; 1 it would be refused, or failure; 2 wrong usage.)";

constexpr const char* kLearnFooter = R"(Examples:
  execseal policy learn --container web > web.json
  execseal policy learn monday.jsonl tuesday.jsonl --into web.json
  execseal policy learn --since 7d --strict --name web --into /etc/execseal/policies.d/web.json

EVENTS are audit files; the settings' one if none is given, - is stdin. What ran becomes rules by
program and way: words stay, paths, numbers, ids, hosts and dates become patterns, secrets are not
copied, what was seen once in a long recording is marked (audit) and listed apart. A recording made
in mode learn has all arguments and the environment. --into keeps every rule of the file and puts
the new ones behind them. The policy is checked with its own recording; how many of generated
changes of it are refused is printed; rules are narrowed until it is 85 %, with --strict 95 %, where
that can be had.
Exit codes: 0 ok; 1 failure, nothing is written; 2 wrong usage.)";

constexpr const char* kTestFooter = R"(Examples:
  execseal policy test web.json --against /var/log/execseal/audit.jsonl
  execseal policy test new.json --with web --against monday.jsonl --against tuesday.jsonl

Each recorded exec is judged again, by POLICY (and the node's floor policy): what is decided
otherwise than then, or than --with another policy decides, by rule, with a count and an example.
What the mode let pass although the policy refused it counts as run. Where an event does not have
what a rule looks at (shortened arguments, variables that were not recorded, secrets), that is said
and not guessed.
Exit codes: 0 nothing changes; 1 something does or cannot be told, or failure; 2 wrong usage.)";

constexpr const char* kWhyFooter = R"(Examples:
  execseal why                             the last denial
  execseal why --container web             the last one in this container
  execseal why 1f0c2a9b77-12               the event with this id
  execseal why --format json | jq .let_pass.rule

The rules and conditions that held or failed, what the names mean, and the smallest rule that would
let exactly this pass.
Exit codes: 0 ok; 1 there is no such event, or failure; 2 wrong usage.)";

constexpr const char* kReloadFooter = R"(Examples:
  execseal reload                          all containers of this node
  execseal reload --container web

A supervisor reads the files of its container's policy and of the node's floor by itself when they
change; this makes it do so now, and says what came of it. The execs that come from then on are
judged by the new policy, those under way by the one that they came under. Where a file is not
right, everything stays as it is. The container's filter is what it was at its start; where a new
policy asks for more than it tells, that is said.
Exit codes: 0 all are judged by what the files say; 1 one is not, or failure; 2 wrong usage.)";

constexpr const char* kModeFooter = R"(Examples:
  execseal mode web enforce
  execseal mode web audit

From enforce to audit only where the settings say "allow_mode_switch": true. The mode is that of
this container until it ends; a floor policy is enforced in every mode.
Exit codes: 0 ok; 1 the mode is what it was; 2 wrong usage.)";

constexpr const char* kDoctorFooter = R"(Examples:
  execseal doctor
  execseal doctor --format json | jq -r '.[] | select(.health == "fail") | .advice'

Kernel features are found by trying them on a process of its own. A line is ok, warn (works, with
less) or fail (containers with a policy do not start, or are not protected), with what to do.
Exit codes: 0 nothing failed; 1 something did; 2 wrong usage.)";

constexpr const char* kInstallExamples = R"(Examples:
  execseal install --dry-run               what would be changed, as a diff
  execseal install                         all that is found on this node
  execseal install --containerd --root /mnt/image
  execseal uninstall                       the exact reverse

)";

constexpr const char* kUninstallExamples = R"(Examples:
  execseal uninstall --dry-run             what would be changed, as a diff
  execseal uninstall                       all that is found on this node, but systemd's units
  execseal uninstall --systemd             the node agent's units

)";

constexpr const char* kInstallFooter =
    R"(containerd   runtime execseal of the CRI plugin: a marked block in /etc/containerd/config.toml
             (or in the import of it that has the plugin), in the templates of k3s and rke2
crio         /etc/crio/crio.conf.d/99-execseal.conf
podman       /etc/containers/containers.conf.d/50-execseal.conf: the runtime execseal, and
             /etc/execseal/hooks.d, the folder of the hook, beside those that podman reads
docker       runtime execseal in /etc/docker/daemon.json
systemd      the node agent's units, for profiles with a fixed listenerPath
A file of another program is first copied to FILE.before-execseal. Nothing is restarted.
Exit codes: 0 ok, also where nothing was to be done; 1 failure; 2 wrong usage.)";

const std::map<std::string, Format> kFormats{{"table", Format::kTable}, {"json", Format::kJson}};
const std::map<std::string, Via> kVias{
    {"entrypoint", Via::kEntrypoint}, {"exec", Via::kExec}, {"child", Via::kChild}};
const std::map<std::string, Mode> kModes{
    {"enforce", Mode::kEnforce}, {"audit", Mode::kAudit}, {"learn", Mode::kLearn}};

// All that can be typed; only the part of the chosen command is used.
struct Typed {
    std::string settings = settings_path();
    PsOptions ps;
    EventsOptions events;
    EventsOptions tree;
    CheckOptions check;
    ExplainOptions explain;
    LearnCommand learn;
    TestCommand test;
    WhyCommand why;
    RunCommand throw_away;
    ReloadCommand reload;
    ModeCommand switched;
    InstallOptions install;
    DoctorOptions doctor;
    std::string mode;
    std::vector<std::string> behind_dashes;
    std::function<Result<int>(const Typed&)> run;  // of the chosen command
};

template <class Value>
CLI::Validator one_of(const std::map<std::string, Value>& names) {
    std::vector<std::string> words;
    words.reserve(names.size());
    for (const auto& [name, value] : names) {
        words.push_back(name);
    }
    return CLI::IsMember(words);
}

template <class Value>
void add_choice(CLI::App& app, const std::string& name, Value& value,
                const std::map<std::string, Value>& names, const std::string& text) {
    app.add_option_function<std::string>(
           name, [&value, &names](const std::string& word) { value = names.at(word); }, text)
        ->check(one_of(names));
}

void add_words(CLI::App& app, const std::string& name, std::vector<std::string>& values,
               const std::string& text) {
    // One value an option: "--verdict deny kill" would swallow what follows.
    app.add_option(name, values, text)->expected(1)->take_all();
}

// `read` gives a Result whose error says what was expected.
template <class Read>
CLI::Validator checked_by(Read read) {
    return {[read](const std::string& word) {
                const auto value = read(word);
                return value ? std::string() : value.error().text();
            },
            ""};
}

CLI::Validator expecting(const char* what, bool (*holds)(const std::string& word)) {
    return {[what, holds](const std::string& word) {
                return holds(word) ? std::string() : word + ": expected " + what;
            },
            ""};
}

// As a resolved path is written: nobody looks at the file system to resolve another one.
bool is_plain_path(const std::string& word) {
    const std::string parts = word + "/";
    return word == "/" ||
           (word.starts_with('/') && parts.find("//") == std::string::npos &&
            parts.find("/./") == std::string::npos && parts.find("/../") == std::string::npos);
}

bool is_assignment(const std::string& word) {
    return word.find('=') != std::string::npos;
}

bool is_number(const std::string& word) {
    return !word.empty() && word.find_first_not_of("0123456789") == std::string::npos;
}

bool is_count(const std::string& word) {
    return is_number(word) && word.find_first_not_of('0') != std::string::npos;
}

void add_ps(CLI::App& app, Typed& typed) {
    CLI::App& ps = *app.add_subcommand("ps", "Supervised containers, or the tasks of one");
    ps.footer(kPsFooter);
    ps.add_option("-t,--tasks", typed.ps.tasks_of, "the task table of this container")
        ->type_name("CONTAINER");
    add_choice(ps, "--format", typed.ps.format, kFormats, "table or json");
    ps.callback([&typed] { typed.run = [](const Typed& all) { return run_ps(all.ps); }; });
}

void add_events(CLI::App& app, Typed& typed) {
    CLI::App& events = *app.add_subcommand("events", "What was decided: the audit file, filtered");
    EventsOptions& options = typed.events;
    events.footer(kEventsFooter);
    events.add_flag("-f,--follow", options.follow,
                    "what is written from now on, across rotation; -n and --since go back");
    events.add_flag("-a,--all", options.query.all,
                    "what the kernel would refuse anyway, too: a search along PATH");
    add_words(events, "--container", options.query.containers,
              "name, pod (NAMESPACE/NAME), id or beginning of the id");
    add_words(events, "--verdict", options.query.verdicts, "allow, audit, deny or kill");
    events.get_option("--verdict")
        ->check(CLI::IsMember(std::vector<std::string>{"allow", "audit", "deny", "kill"}));
    add_words(events, "--policy", options.query.policies,
              "the container's, or the one that decided");
    add_words(events, "--rule", options.query.rules, "id of the rule, default, or a built-in one");
    add_words(events, "--exe", options.query.exes, "glob over the program's path");
    events.get_option("--exe")->check(checked_by(
        [](const std::string& word) { return EventFilter::compile({.exes = {word}}, {}); }));
    add_words(events, "--via", options.query.vias, "entrypoint, exec or child");
    events.get_option("--via")->check(one_of(kVias));
    add_words(events, "--outcome", options.query.outcomes,
              "executed, refused, failed, killed, gone or checked");
    events.get_option("--outcome")
        ->check(CLI::IsMember(std::vector<std::string>{"executed", "refused", "failed", "killed",
                                                       "gone", "checked"}));
    events.add_option("--since", options.query.since, "an age (10m, 2h, 7d) or a time in UTC")
        ->check(checked_by([](const std::string& word) {
            return EventFilter::compile({.since = word}, std::chrono::system_clock::now());
        }));
    events.add_option("-n,--last", options.last, "only the last N of what is there")
        ->type_name("N")
        ->check(expecting("a number from 1 on", is_count));
    events.add_option("--file", options.file, "another audit file than the settings'");
    add_choice(events, "--format", options.format, kFormats,
               "table or json (the lines as they are)");
    events.callback(
        [&typed] { typed.run = [](const Typed& all) { return run_events(all.events); }; });
}

void add_tree(CLI::App& app, Typed& typed) {
    CLI::App& tree =
        *app.add_subcommand("tree", "Who started what in a container, from the events");
    EventsOptions& options = typed.tree;
    tree.footer(kTreeFooter);
    tree.add_option("CONTAINER", options.query.containers, "name, id, or the beginning of the id")
        ->required()
        ->expected(1);
    tree.add_flag("-f,--follow", options.follow, "then each exec as it comes");
    tree.add_flag("-a,--all", options.query.all, "what the kernel would refuse anyway, too");
    tree.add_option("--since", options.query.since, "an age (10m, 2h, 7d) or a time in UTC")
        ->check(checked_by([](const std::string& word) {
            return EventFilter::compile({.since = word}, std::chrono::system_clock::now());
        }));
    tree.add_option("--file", options.file, "another audit file than the settings'");
    tree.callback([&typed] { typed.run = [](const Typed& all) { return run_tree(all.tree); }; });
}

CLI::Validator moment() {
    return checked_by([](const std::string& word) {
        return EventFilter::compile({.since = word}, std::chrono::system_clock::now());
    });
}

void add_recording_options(CLI::App& app, RecordingQuery& query) {
    add_words(app, "--container", query.containers,
              "name, pod (NAMESPACE/NAME), id or beginning of the id");
    app.add_option("--since", query.since, "an age (10m, 2h, 7d) or a time in UTC")
        ->check(moment());
}

void add_learn(CLI::App& policy, Typed& typed) {
    CLI::App& learn = *policy.add_subcommand("learn", "Recorded events become a policy");
    LearnCommand& command = typed.learn;
    learn.footer(kLearnFooter);
    learn.add_option("EVENTS", command.query.files, "audit files, - is stdin");
    add_recording_options(learn, command.query);
    learn.add_option("--into", command.into, "add rules to this policy: a file, or a name")
        ->type_name("POLICY");
    learn.add_option("--name", command.name, "of a new policy")
        ->check(expecting("letters, digits, \".\", \"_\" and \"-\"",
                          [](const std::string& word) { return is_policy_name(word); }));
    CLI::Option* const strict = learn.add_flag_callback(
        "--strict", [&command] { command.width = Width::kStrict; },
        "allow hardly more than was seen");
    CLI::Option* const loose = learn.add_flag_callback(
        "--loose", [&command] { command.width = Width::kLoose; }, "allow more of the same kind");
    strict->excludes(loose);
    learn.callback(
        [&typed] { typed.run = [](const Typed& all) { return run_policy_learn(all.learn); }; });
}

void add_test(CLI::App& policy, Typed& typed) {
    CLI::App& test = *policy.add_subcommand("test", "Judge recorded execs again");
    TestCommand& command = typed.test;
    test.footer(kTestFooter);
    test.add_option("POLICY", command.policy, "a file, or a name in policies_dir")->required();
    add_words(test, "--against", command.query.files,
              "an audit file, - is stdin; the settings' one if none is given");
    test.add_option("--with", command.with, "compare with this policy, not with what was recorded")
        ->type_name("POLICY");
    add_recording_options(test, command.query);
    add_choice(test, "--format", command.format, kFormats, "table or json");
    test.callback(
        [&typed] { typed.run = [](const Typed& all) { return run_policy_test(all.test); }; });
}

void add_why(CLI::App& app, Typed& typed) {
    CLI::App& why = *app.add_subcommand("why", "How a decision came about");
    WhyCommand& command = typed.why;
    why.footer(kWhyFooter);
    why.add_option("EVENT-ID", command.id, "of an event; the last denial if none is given");
    add_recording_options(why, command.query);
    why.add_option("--file", command.query.files, "another audit file than the settings'")
        ->expected(1);
    add_choice(why, "--format", command.format, kFormats, "table or json");
    why.callback([&typed] { typed.run = [](const Typed& all) { return run_why(all.why); }; });
}

// NAME=VALUE, or NAME for what it is here.
std::string variable_of(const std::string& word) {
    if (is_assignment(word)) {
        return word;
    }
    // NOLINTNEXTLINE(concurrency-mt-unsafe): no thread of ours calls setenv
    const char* const value = std::getenv(word.c_str());
    if (value == nullptr) {
        throw CLI::ValidationError("--env " + word, "there is no such variable");
    }
    return word + "=" + value;
}

void add_run(CLI::App& app, Typed& typed) {
    CLI::App& run = *app.add_subcommand("run", "A command in a throw-away container");
    RunCommand& command = typed.throw_away;
    run.footer(kRunFooter);
    CLI::Option* const policy =
        run.add_option("--policy", command.policy,
                       "a file, or a name in policies_dir; the settings' default if none is given");
    run.add_flag("--learn", command.learn, "refuse nothing; at the end print what ran as a policy")
        ->excludes(policy);
    run.add_option("--rootfs", command.rootfs, "this root file system instead of the host's /usr")
        ->type_name("DIR");
    add_words(run, "--bind", command.binds, "SOURCE:DESTINATION[:ro], as often as needed");
    add_words(run, "--env", command.environment, "NAME=VALUE, or NAME for its value here");
    run.add_flag("--net", command.net, "with the host's network");
    run.callback([&typed] {
        typed.throw_away.command = typed.behind_dashes;
        if (typed.throw_away.command.empty()) {
            throw CLI::RequiredError("-- COMMAND [ARGS...]");
        }
        for (std::string& word : typed.throw_away.environment) {
            word = variable_of(word);
        }
        typed.run = [](const Typed& all) { return run_command(all.throw_away); };
    });
}

void add_reload(CLI::App& app, Typed& typed) {
    CLI::App& reload =
        *app.add_subcommand("reload", "Read the policies of running containers anew");
    reload.footer(kReloadFooter);
    add_words(reload, "--container", typed.reload.containers,
              "name, pod (NAMESPACE/NAME), id or beginning of the id; all if none is given");
    add_choice(reload, "--format", typed.reload.format, kFormats, "table or json");
    reload.callback(
        [&typed] { typed.run = [](const Typed& all) { return run_reload(all.reload); }; });
    CLI::App& mode = *app.add_subcommand("mode", "Let a running container be enforced, or watched");
    mode.footer(kModeFooter);
    mode.add_option("CONTAINER", typed.switched.container,
                    "name, pod (NAMESPACE/NAME), id or beginning of the id")
        ->required();
    mode.add_option("MODE", typed.switched.mode, "audit or enforce")
        ->required()
        ->check(CLI::IsMember(std::vector<std::string>{"audit", "enforce"}));
    mode.callback(
        [&typed] { typed.run = [](const Typed& all) { return run_mode(all.switched); }; });
}

void add_policy(CLI::App& app, Typed& typed) {
    CLI::App& policy = *app.add_subcommand("policy", "Check policies, and ask what they would say");
    policy.footer(kPolicyFooter);
    policy.require_subcommand(1);
    CLI::App& check = *policy.add_subcommand("check", "Load policies as a container's start would");
    check.footer(kCheckFooter);
    check.add_option("FILE", typed.check.files, "policies; all of policies_dir if none is given");
    check.add_option("--rootfs", typed.check.rootfs, "look names up in this root file system");
    check.callback(
        [&typed] { typed.run = [](const Typed& all) { return run_policy_check(all.check); }; });

    add_learn(policy, typed);
    add_test(policy, typed);

    CLI::App& explain =
        *policy.add_subcommand("explain", "What a policy says to one exec, and why");
    ExplainOptions& options = typed.explain;
    explain.footer(kExplainFooter);
    explain.add_option("POLICY", options.policy, "a file, or a name in policies_dir")->required();
    add_choice(explain, "--via", options.via, kVias, "entrypoint, exec or child (the default)");
    explain.add_option("--uid", options.uid, "effective, in the container")
        ->check(expecting("a number", is_number));
    explain.add_option("--gid", options.gid, "effective, in the container")
        ->check(expecting("a number", is_number));
    add_words(explain, "--parent", options.above,
              "the program that makes the exec; again for the one above that");
    explain.get_option("--parent")
        ->check(expecting("an absolute path without \"//\", \".\" and \"..\"", is_plain_path));
    add_words(explain, "--env", options.env, "NAME=VALUE, as often as needed");
    explain.get_option("--env")->check(expecting("NAME=VALUE", is_assignment));
    explain.add_option("--cwd", options.cwd, "working directory in the container, default /")
        ->check(expecting("an absolute path without \"//\", \".\" and \"..\"", is_plain_path));
    explain.add_option("--rootfs", options.rootfs, "look PROG up in this root file system");
    explain.add_option("--mode", typed.mode, "enforce, audit or learn; default: the settings'")
        ->check(one_of(kModes));
    add_choice(explain, "--format", options.format, kFormats, "table or json");
    explain.callback([&typed] {
        typed.explain.command = typed.behind_dashes;
        if (typed.explain.command.empty()) {
            throw CLI::RequiredError("-- PROG [ARGS...]");
        }
        if (typed.explain.rootfs.empty() && !is_plain_path(typed.explain.command.front())) {
            throw CLI::ValidationError(
                typed.explain.command.front(),
                "expected the absolute path of the program in the container, without \"//\", "
                "\".\" and \"..\", or --rootfs DIR to look it up");
        }
        if (!typed.explain.above.empty() && typed.explain.via != Via::kChild) {
            throw CLI::ValidationError("--parent", "expected --via child beside it");
        }
        if (!typed.mode.empty()) {
            typed.explain.mode = kModes.at(typed.mode);
        }
        typed.run = [](const Typed& all) { return run_policy_explain(all.explain); };
    });
}

void add_install(CLI::App& app, Typed& typed, const std::string& name, const std::string& text,
                 InstallDirection direction) {
    CLI::App& install = *app.add_subcommand(name, text);
    InstallOptions& options = typed.install;
    const bool reverse = direction == InstallDirection::kUninstall;
    install.footer(std::string(reverse ? kUninstallExamples : kInstallExamples) + kInstallFooter);
    for (const NodeProgram program :
         {NodeProgram::kContainerd, NodeProgram::kCrio, NodeProgram::kPodman, NodeProgram::kDocker,
          NodeProgram::kSystemd}) {
        const std::string flag = std::string("--") + node_program_name(program);
        install.add_flag_callback(
            flag, [&options, program] { options.programs.push_back(program); }, "this one only");
    }
    install.add_flag("--user", options.user, "a user's own files, for rootless podman");
    install.add_flag_callback(
        "--dry-run", [&options] { options.dry_run = DryRun::kYes; }, "only show the diff");
    install.add_option("--root", options.root, "a node's root file system that is mounted here");
    install.add_option("--share", options.share, "where the texts are, PREFIX/share/execseal");
    install.callback([&typed, direction] {
        typed.install.direction = direction;
        typed.run = [](const Typed& all) { return run_install(all.install); };
    });
}

void add_doctor(CLI::App& app, Typed& typed) {
    CLI::App& doctor =
        *app.add_subcommand("doctor", "Does everything work here? What to do if not");
    doctor.footer(kDoctorFooter);
    doctor.add_option("--root", typed.doctor.root, "before the paths of other programs' files");
    doctor.add_option("--share", typed.doctor.share, "where the texts are, PREFIX/share/execseal");
    add_choice(doctor, "--format", typed.doctor.format, kFormats, "table or json");
    doctor.callback(
        [&typed] { typed.run = [](const Typed& all) { return run_doctor(all.doctor); }; });
}

void add_version(CLI::App& app, Typed& typed) {
    CLI::App& version = *app.add_subcommand("version", "Print the version");
    version.footer("");
    version.callback([&typed] {
        typed.run = [](const Typed& /*all*/) {
            (void)std::printf("execseal %s\n", kVersion);
            return Result<int>(0);
        };
    });
}

void take_settings(Typed& typed) {
    typed.ps.settings = typed.settings;
    typed.events.settings = typed.settings;
    typed.tree.settings = typed.settings;
    typed.check.settings = typed.settings;
    typed.explain.settings = typed.settings;
    typed.learn.query.settings = typed.settings;
    typed.test.query.settings = typed.settings;
    typed.why.query.settings = typed.settings;
    typed.throw_away.settings = typed.settings;
    typed.reload.settings = typed.settings;
    typed.switched.settings = typed.settings;
    typed.doctor.settings = typed.settings;
}

std::string deepest_name(const CLI::App& app) {
    const auto chosen = app.get_subcommands();
    return chosen.empty() ? app.get_name() : app.get_name() + " " + deepest_name(*chosen.front());
}

// CLI11 says of a command that it does not know only that one is required, and gives words behind
// the last option that it knows in any order.
std::string problem_of(const CLI::App& app, const CLI::ParseError& error) {
    const CLI::App* deepest = &app;
    while (!deepest->get_subcommands().empty()) {
        deepest = deepest->get_subcommands().front();
    }
    const auto is_option = [](const std::string& word) { return word.starts_with('-'); };
    const std::vector<std::string> rest = app.remaining(true);
    const auto word = std::find_if_not(rest.begin(), rest.end(), is_option);
    if (word != rest.end() && (deepest->get_name() == "explain" || deepest->get_name() == "run")) {
        return *word + ": expected -- before the program";
    }
    const auto option = std::find_if(rest.begin(), rest.end(), is_option);
    if (option != rest.end()) {
        return *option + ": no such option";
    }
    if (word != rest.end() && deepest->get_require_subcommand_min() > 0) {
        return *word + ": no such command";
    }
    return error.what();
}

}  // namespace

ParsedCommand parse_command_line(const std::vector<std::string>& words) {
    Typed typed;
    CLI::App app(kAbout, "execseal");
    app.footer(kFooter);
    app.require_subcommand(1);
    app.set_version_flag("--version", std::string("execseal ") + kVersion);
    app.add_option("--config", typed.settings, "settings, else EXECSEAL_CONFIG")->type_name("FILE");
    app.fallthrough();  // --config may also stand behind the command
    add_ps(app, typed);
    add_events(app, typed);
    add_tree(app, typed);
    add_run(app, typed);
    add_policy(app, typed);
    add_why(app, typed);
    add_reload(app, typed);
    add_doctor(app, typed);
    add_install(app, typed, "install", "Make the node's container programs know execseal",
                InstallDirection::kInstall);
    add_install(app, typed, "uninstall", "Undo execseal install", InstallDirection::kUninstall);
    add_version(app, typed);

    const auto dashes = std::find(words.begin(), words.end(), "--");
    if (dashes != words.end()) {
        typed.behind_dashes.assign(dashes + 1, words.end());
    }
    std::vector<std::string> reversed(std::make_reverse_iterator(dashes), words.rend());
    ParsedCommand parsed;
    try {
        app.parse(reversed);
    } catch (const CLI::ParseError& error) {
        std::ostringstream out;
        std::ostringstream err;
        const bool asked = app.exit(error, out, err) == 0;
        parsed.code = asked ? 0 : 2;
        parsed.text = asked ? out.str()
                            : "execseal: " + problem_of(app, error) +
                                  " (see: " + deepest_name(app) + " --help)\n";
        return parsed;
    }
    take_settings(typed);
    parsed.action = [typed] { return typed.run(typed); };
    return parsed;
}

}  // namespace execseal
