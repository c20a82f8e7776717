#include "hook/cli/why.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "config/built_in_rules.h"
#include "config/condition_facts.h"
#include "config/digest.h"
#include "config/errno_names.h"
#include "config/policy_rules.h"
#include "hook/cli/argument_shape.h"
#include "hook/cli/container_names.h"
#include "hook/cli/explain.h"
#include "hook/cli/learnt_rules.h"
#include "hook/cli/policy_check.h"
#include "hook/cli/policy_explain.h"
#include "hook/cli/policy_text.h"
#include "hook/cli/progress.h"
#include "hook/cli/recorded_judge.h"
#include "hook/gate/json_line.h"
#include "hook/os/file_read.h"

namespace execseal {
namespace {

using nlohmann::ordered_json;

bool is_denial(const RecordedExec& exec) {
    const auto refuses = [](const std::string& verdict) {
        return verdict == "deny" || verdict == "kill";
    };
    return (refuses(exec.verdict) && exec.rule != built_in_rule::kKernel) ||
           refuses(exec.would_be) || exec.race_detected;
}

Result<RecordedExec> find_exec(const WhyCommand& command) {
    std::optional<RecordedExec> found;
    const auto counts = read_recordings(command.query, [&](RecordedExec&& exec) {
        const bool wanted = command.id.empty() ? is_denial(exec) : exec.id == command.id;
        if (wanted) {
            found = std::move(exec);
        }
    });
    if (!counts) {
        return counts.error();
    }
    if (!found) {
        return command.id.empty()
                   ? make_error("nothing that is asked for was refused in this record (" +
                                std::to_string(counts->execs) + " execs)")
                   : make_error(command.id +
                                ": no event of this record has this id (`execseal "
                                "events --format json` shows them)");
    }
    return std::move(*found);
}

// What a name or a fact of the exec stands for, where a reader would wonder.
std::string meanings(const RecordedExec& exec) {
    std::string text;
    const auto add = [&](const std::string& line) { text += "meaning   " + line + "\n"; };
    const std::string built_in = built_in_meaning(exec.rule);
    if (!built_in.empty()) {
        add("rule " + exec.rule + ": " + built_in);
    }
    if (!exec.would_be.empty()) {
        add("would_be: the mode let pass what the policy refuses (" + exec.would_be + ")");
    }
    if (exec.race_detected) {
        add("race_detected: what the kernel took was not what was judged, the process was killed");
    }
    if (!exec.facts) {
        return text;
    }
    if (exec.facts->via == Via::kExec) {
        add("via exec: the first program of an exec into the container");
    } else if (exec.facts->via == Via::kEntrypoint) {
        add("via entrypoint: the first program of the container");
    }
    for (const ProgramView& view : exec.facts->views) {
        static constexpr std::array<std::pair<std::string_view, const char*>, 3> kPrefixes{
            {{"other-mounts:",
              "a mount that the container did not start with, or a mount namespace "
              "of the caller's own"},
             {"unreachable:", "a file that is not below the container's root"},
             {"memfd:", "a file in memory, without a name"}}};
        for (const auto& [prefix, meaning] : kPrefixes) {
            if (view.exe.starts_with(prefix)) {
                add(std::string(prefix) + " " + meaning);
            }
        }
        if (view.exe.ends_with(" (deleted)")) {
            add("(deleted): the file has no name any more");
        }
    }
    return text;
}

std::string head_text(const RecordedExec& exec) {
    const ContainerNames names{exec.container_id, exec.container_name, exec.pod};
    std::string verdict = exec.verdict;
    if (exec.error != 0) {
        verdict += " (" + errno_name(exec.error) + ")";
    }
    std::string text = "event     " + (exec.id.empty() ? "" : exec.id + ", ") + exec.time + "\n";
    const std::string name = shown_name(names);
    text += "container " + (name.empty() ? shell_word(exec.container_id) : name) + ", policy " +
            printable(exec.policy) + "\n";
    text += exec.facts ? "exec      " + facts_text(*exec.facts)
                       : "exec      " + shell_word(exec.requested) + "\n";
    text += "verdict   " + printable(verdict) + ", " + printable(exec.outcome) + ", " +
            printable(exec.decided_by.empty() ? "no policy" : exec.decided_by) + ": " +
            printable(exec.reason) + "\n";
    return text + meanings(exec);
}

// The rule, with a pattern for each argument.
ordered_json exact_arguments(const ProgramView& program) {
    const std::vector<std::string>& argv = program.argv;
    const std::string name = program.exe.substr(program.exe.rfind('/') + 1);
    auto list = ordered_json::array();
    for (std::size_t i = 1; i < argv.size(); ++i) {
        // As a first literal the loader would take the program's own name for argv[0].
        if (i == 1 && argv[i].substr(argv[i].rfind('/') + 1) == name) {
            list.push_back({{"regex", quoted_regex(argv[i])}});
        } else if (const auto around = around_secret(argv[i])) {
            list.push_back(
                {{"glob", quoted_glob(around->before) + "**" + quoted_glob(around->after)}});
        } else {
            list.push_back(bytes_to_json(argv[i]));
        }
    }
    return {{"exact", std::move(list)}};
}

// What decided: of the floor where that one did.
struct Decided {
    std::string path;
    std::optional<Policy> policy;
    std::string problem;   // why there is none
    bool changed = false;  // the file is another than the event's
};

Decided policy_of(const RecordedExec& exec, const Settings& settings) {
    Decided decided;
    const std::string& name = exec.decided_by.empty() ? exec.policy : exec.decided_by;
    decided.path = policy_path(name, settings);
    auto text = read_file(decided.path, kPolicyBytes);
    if (!text) {
        decided.problem = text.error().text();
        return decided;
    }
    auto policy = Policy::parse(*text, decided.path);
    if (!policy) {
        decided.problem = policy.error().text();
        return decided;
    }
    decided.changed = name == exec.policy && !exec.policy_sha256.empty() &&
                      exec.policy_sha256 != sha256_hex(*text);
    decided.policy = std::move(*policy);
    return decided;
}

// Rules about other programs say nothing about this one.
Explanation without_strangers(Explanation explanation, std::size_t& strangers) {
    const auto is_stranger = [](const RuleTrail& rule) {
        return !rule.matches && !rule.failed.empty() &&
               std::all_of(
                   rule.failed.begin(), rule.failed.end(),
                   [](const FailedCondition& failed) { return failed.wanted.starts_with("exe "); });
    };
    const auto first =
        std::remove_if(explanation.rules.begin(), explanation.rules.end(), is_stranger);
    strangers = static_cast<std::size_t>(explanation.rules.end() - first);
    explanation.rules.erase(first, explanation.rules.end());
    return explanation;
}

std::string rule_text(const Decided& decided, const RecordedExec& exec) {
    std::string obstacle;
    const auto rule = smallest_rule(*decided.policy, exec, obstacle);
    if (!rule) {
        return "let pass  " + obstacle + "\n";
    }
    return "let pass  exactly this, and the same by nobody else: a rule of " +
           shell_word(decided.path) +
           (rule->before.empty() ? ", behind the others" : ", in front of rule " + rule->before) +
           "\n" + policy_text(rule->rule);
}

bool was_refused(const RecordedExec& exec) {
    return exec.verdict == "deny" || exec.verdict == "kill" || !exec.would_be.empty();
}

void print_table(const RecordedExec& exec, const Decided& decided) {
    std::string text = head_text(exec);
    std::string rule;  // to be copied: never cut
    if (!exec.facts) {
        text += "rules     none was asked: the event does not have what rules look at\n";
    } else if (!decided.policy) {
        text += "rules     cannot be shown: " + decided.problem + "\n";
    } else {
        if (decided.changed) {
            text += "rules     " + shell_word(decided.path) +
                    " has changed since this event; what follows is what it says now\n";
        }
        const RecordedJudgement judged = RecordedJudge(*decided.policy, nullptr).judge(exec);
        if (!judged.lacking.empty()) {
            text += "rules     not certain: " + printable(judged.lacking) + "\n";
        }
        std::size_t strangers = 0;
        const Explanation explanation =
            without_strangers(explain(*decided.policy, *exec.facts), strangers);
        text += explanation_tree(explanation, *exec.facts);
        if (strangers > 0) {
            text += "          and " + std::to_string(strangers) +
                    (strangers == 1 ? " rule" : " rules") + " about other programs\n";
        }
        rule = was_refused(exec) ? rule_text(decided, exec) : "";
    }
    text = fitted(text, terminal_width()) + rule;
    (void)std::fwrite(text.data(), 1, text.size(), stdout);
}

void print_json(const RecordedExec& exec, const Decided& decided) {
    ordered_json json{{"id", exec.id},
                      {"time", exec.time},
                      {"container", bytes_to_json(exec.container_id)},
                      {"policy", exec.policy},
                      {"verdict", exec.verdict},
                      {"rule", exec.rule},
                      {"reason", bytes_to_json(exec.reason)},
                      {"outcome", exec.outcome}};
    if (!exec.would_be.empty()) {
        json["would_be"] = exec.would_be;
    }
    if (const std::string meaning = built_in_meaning(exec.rule); !meaning.empty()) {
        json["meaning"] = meaning;
    }
    if (exec.facts && decided.policy) {
        json["policy_file"] = decided.path;
        json["policy_changed"] = decided.changed;
        const RecordedJudgement judged = RecordedJudge(*decided.policy, nullptr).judge(exec);
        if (!judged.lacking.empty()) {
            json["lacking"] = bytes_to_json(judged.lacking);
        }
        json["explanation"] = explanation_json(explain(*decided.policy, *exec.facts), *exec.facts);
        std::string obstacle;
        if (!was_refused(exec)) {
            // It passes already.
        } else if (auto rule = smallest_rule(*decided.policy, exec, obstacle)) {
            json["let_pass"] = {{"rule", std::move(rule->rule)}, {"before", rule->before}};
        } else {
            json["let_pass"] = {{"obstacle", obstacle}};
        }
    } else if (!decided.problem.empty()) {
        json["problem"] = decided.problem;
    }
    (void)std::printf("%s\n", json.dump(2).c_str());
}

}  // namespace

std::string built_in_meaning(std::string_view rule) {
    namespace names = built_in_rule;
    static constexpr std::array<std::pair<std::string_view, const char*>, 9> kMeanings{
        {{names::kDefault, "no rule matches, so the policy's \"default\" decides"},
         {names::kKernel,
          "the kernel itself would refuse this call (no such file, not executable)"},
         {names::kUnreadable, "the arguments cannot be read as the kernel would take them"},
         {names::kBlocked, "reading the arguments would have waited without end"},
         {names::kUnresolved, "which program it would be cannot be known"},
         {names::kFreeze, "the tasks that could change the arguments could not be stopped"},
         {names::kTraced, "the caller is traced by somebody else"},
         {names::kArm, "the caller could not be watched through its exec"},
         {names::kInvisible, "the caller cannot be seen from the supervisor's PID namespace"}}};
    const auto* const found = std::find_if(kMeanings.begin(), kMeanings.end(),
                                           [&](const auto& one) { return one.first == rule; });
    return found == kMeanings.end() ? "" : found->second;
}

std::optional<SmallestRule> smallest_rule(const Policy& policy, const RecordedExec& exec,
                                          std::string& obstacle) {
    if (!exec.facts || exec.arguments_cut || exec.programs_unknown) {
        obstacle = "cannot be told: the event has only a part of the arguments";
        return std::nullopt;
    }
    const ExecFacts& facts = *exec.facts;
    const ProgramView& program = facts.views.front();
    if (!program.loose_link.empty()) {
        obstacle = "no rule can: the link " + shell_word(program.loose_link) +
                   " can be changed by others than root";
        return std::nullopt;
    }
    if (views_to_match(facts).size() > 1) {
        obstacle = "no rule can say exactly this: what runs cannot be proved";
        return std::nullopt;
    }
    SmallestRule smallest;
    ordered_json& rule = smallest.rule;
    rule["id"] = "allow-this";
    for (int i = 2; std::any_of(policy.compiled().rules.begin(), policy.compiled().rules.end(),
                                [&](const auto& one) { return one.id == rule["id"]; });
         ++i) {
        rule["id"] = "allow-this-" + std::to_string(i);
    }
    rule["verdict"] = "allow";
    rule["via"] = via_name(facts.via);
    rule["exe"] = quoted_glob(program.exe);
    rule["argv"] = exact_arguments(program);
    rule["uid"] = facts.uid;
    rule["gid"] = facts.gid;
    if (facts.cwd.starts_with('/')) {
        rule["cwd"] = quoted_glob(facts.cwd);
    }
    const ordered_json alone{{"apiVersion", "execseal/v1"},
                             {"name", "why"},
                             {"default", "deny"},
                             {"rules", ordered_json::array({rule})}};
    const auto parsed = Policy::parse(alone.dump(), "the rule");
    if (!parsed) {
        obstacle = "no rule can: " + parsed.error().text();
        return std::nullopt;
    }
    if (judge(*parsed, facts).verdict != Verdict::kAllow) {
        obstacle = "no rule can: " + judge(*parsed, facts).reason;
        return std::nullopt;
    }
    const Judgement now = judge(policy, facts);
    smallest.before = now.rule == built_in_rule::kDefault ? "" : now.rule;
    return smallest;
}

Result<int> run_why(const WhyCommand& command) {
    const auto settings = load_settings(command.query.settings);
    if (!settings) {
        return settings.error();
    }
    const auto exec = find_exec(command);
    if (!exec) {
        return exec.error();
    }
    const Decided decided = policy_of(*exec, *settings);
    if (command.format == Format::kJson) {
        print_json(*exec, decided);
    } else {
        print_table(*exec, decided);
    }
    return 0;
}

}  // namespace execseal
