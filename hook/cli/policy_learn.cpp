#include "hook/cli/policy_learn.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <optional>

#include "config/policy_rules.h"
#include "config/settings.h"
#include "hook/cli/learnt_rules.h"
#include "hook/cli/mutations.h"
#include "hook/cli/policy_explain.h"
#include "hook/cli/policy_text.h"
#include "hook/cli/progress.h"
#include "hook/cli/recorded_judge.h"
#include "hook/cli/table.h"
#include "hook/os/file_read.h"
#include "hook/os/file_replace.h"

namespace execseal {
namespace {

using nlohmann::ordered_json;

constexpr double kStrictPercent = 95;
constexpr double kDefaultPercent = 85;
constexpr int kTightenings = 3;

struct Base {
    std::string path;                 // empty: stdout
    std::optional<std::string> text;  // what is in it
    std::optional<Policy> policy;
    std::string name;
};

struct Learnt {
    std::vector<LearntRule> rules;
    std::string text;
    std::optional<Policy> policy;
    PolicyWidth width;
};

std::string plural(std::uint64_t count, const char* one, const char* many) {
    return std::to_string(count) + " " + (count == 1 ? one : many);
}

void tell(const std::string& line) {
    (void)std::fprintf(stderr, "%s\n", line.c_str());
}

Result<Base> base_of(const LearnCommand& command) {
    Base base;
    base.name = command.name;
    if (command.into.empty()) {
        base.name = command.name.empty() ? "learnt" : command.name;
        return base;
    }
    const auto settings = load_settings(command.query.settings);
    if (!settings) {
        return settings.error();
    }
    base.path = policy_path(command.into, *settings);
    const std::string stem = std::filesystem::path(base.path).stem();
    base.name = base.name.empty() ? stem : base.name;
    auto text = read_file(base.path, kPolicyBytes);
    if (!text && text.error().code == ENOENT) {
        if (!is_policy_name(base.name)) {
            return make_error(base.path + ": expected a file NAME.json, its policy is called NAME");
        }
        return base;
    }
    if (!text) {
        return text.error();
    }
    auto policy = Policy::parse(*text, base.path);
    if (!policy) {
        return policy.error();
    }
    base.text = std::move(*text);
    base.policy = std::move(*policy);
    return base;
}

std::set<std::string> ids_of(const Base& base) {
    std::set<std::string> ids;
    if (base.policy) {
        for (const CompiledRule& rule : base.policy->compiled().rules) {
            ids.insert(rule.id);
        }
    }
    return ids;
}

bool passes(const RecordedJudgement& judged) {
    return judged.lacking.empty() && (judged.judgement.verdict == Verdict::kAllow ||
                                      judged.judgement.verdict == Verdict::kAudit);
}

// The execs that rules are wanted for: those that the policy does not let pass already, and that no
// rule of its author refuses.
std::vector<const ObservedExec*> wanted_execs(const Observations& observations, const Base& base,
                                              std::vector<std::string>& told) {
    Progress progress("asking the policy that is there");
    std::uint64_t done = 0;
    std::vector<const ObservedExec*> wanted;
    std::optional<RecordedJudge> judge;
    if (base.policy) {
        judge.emplace(*base.policy, nullptr);
    }
    for (const ObservedExec& observed : observations.execs()) {
        ++done;
        progress.at(done, observations.execs().size(), done);
        const ExecFacts& facts = *observed.exec.facts;
        const ProgramView& view = facts.views.front();
        const std::string command = command_text(view.exe, view.argv);
        if (!view.loose_link.empty()) {
            told.push_back(command + ": the link " + shell_word(view.loose_link) +
                           " can be changed by others than root, no rule lets it pass by name");
            continue;
        }
        if (judge) {
            const RecordedJudgement judged = judge->judge(observed.exec);
            if (passes(judged)) {
                continue;
            }
            if (judged.lacking.empty() && judged.judgement.rule != "default") {
                told.push_back(command + ": refused by rule " + judged.judgement.rule);
                continue;
            }
        }
        wanted.push_back(&observed);
    }
    return wanted;
}

ordered_json new_policy(const Base& base, const Observations& observations,
                        const std::vector<LearntRule>& rules) {
    std::string first;
    std::string last;
    for (const ObservedExec& observed : observations.execs()) {
        first = first.empty() ? observed.first : std::min(first, observed.first);
        last = std::max(last, observed.last);
    }
    ordered_json policy{
        {"apiVersion", "execseal/v1"},
        {"name", base.name},
        {"description", "Learnt from " + plural(observations.taken(), "exec", "execs") + ", " +
                            short_time(first) + " to " + short_time(last) +
                            " (UTC). Read it before it is enforced"},
        {"default", "deny"},
        {"rules", ordered_json::array()}};
    for (const LearntRule& rule : rules) {
        policy["rules"].push_back(rule.json);
    }
    return policy;
}

Result<Learnt> learn(const Base& base, const Observations& observations,
                     const std::vector<const ObservedExec*>& wanted, const LearnOptions& options) {
    Learnt learnt;
    if (!wanted.empty()) {
        learnt.rules = learn_rules(wanted, observations, options);
    }
    if (base.text) {
        std::vector<ordered_json> rules;
        for (const LearntRule& rule : learnt.rules) {
            rules.push_back(rule.json);
        }
        auto text = with_rules(*base.text, rules);
        if (!text) {
            return add_context(base.path, text.error());
        }
        learnt.text = std::move(*text);
    } else {
        learnt.text = policy_text(new_policy(base, observations, learnt.rules));
    }
    auto policy = Policy::parse(learnt.text, "the learnt policy");
    if (!policy) {
        return policy.error();
    }
    learnt.policy = std::move(*policy);
    Progress progress("measuring the rules");
    learnt.width = width_of(*learnt.policy, wanted, [&](std::size_t done, std::size_t total) {
        progress.at(done, total, done);
    });
    return learnt;
}

// Learns again with the widest groups narrower, then strict, until enough of the mutations are
// refused.
Result<Learnt> learn_narrow(const Base& base, const Observations& observations,
                            const std::vector<const ObservedExec*>& wanted, LearnOptions options) {
    auto learnt = learn(base, observations, wanted, options);
    const double bound = options.width == Width::kStrict    ? kStrictPercent
                         : options.width == Width::kDefault ? kDefaultPercent
                                                            : 0;
    for (int i = 0; learnt && i < kTightenings && learnt->width.refused_percent() < bound; ++i) {
        for (const auto& [group, count] : learnt->width.groups) {
            if (static_cast<double>(count.refused) * 100 <
                bound * static_cast<double>(count.made)) {
                const auto [width, first] = options.narrower.try_emplace(group, Width::kNarrow);
                width->second = first ? Width::kNarrow : Width::kStrict;
            }
        }
        learnt = learn(base, observations, wanted, options);
    }
    if (learnt && learnt->width.refused_percent() < bound) {
        tell("the recording allows no narrower rules: less than " +
             std::to_string(static_cast<int>(bound)) + " % of its mutations are refused");
    }
    return learnt;
}

// The first exec of its own recording that the policy does not let pass.
std::optional<std::string> not_passed(const Policy& policy,
                                      const std::vector<const ObservedExec*>& wanted) {
    const RecordedJudge judge(policy, nullptr);
    Progress progress("judging the recording");
    std::uint64_t done = 0;
    for (const ObservedExec* const observed : wanted) {
        ++done;
        progress.at(done, wanted.size(), done);
        RecordedJudgement judged = judge.judge(observed->exec);
        if (!judged.lacking.empty()) {
            // A secret that is not in the record: its mark stands for it.
            judged.lacking.clear();
            judged.judgement = execseal::judge(policy, *observed->exec.facts);
        }
        if (!passes(judged)) {
            const ProgramView& view = observed->exec.facts->views.front();
            return command_text(view.exe, view.argv) + ": " + printable(judged.judgement.reason);
        }
    }
    return std::nullopt;
}

void tell_width(const PolicyWidth& width) {
    char percent[16];
    (void)std::snprintf(percent, sizeof percent, "%.1f", width.refused_percent());
    std::string line = "width: " + std::string(percent) + " % of " +
                       std::to_string(width.all().made) + " mutations are refused";
    std::string kinds;
    for (const auto& [mutation, count] : width.kinds) {
        kinds += (kinds.empty() ? " (" : ", ") + std::string(mutation_name(mutation)) + " " +
                 std::to_string(count.refused) + "/" + std::to_string(count.made);
    }
    tell(line + kinds + (kinds.empty() ? "" : ")"));
}

void tell_list(const char* title, const std::vector<std::string>& lines) {
    static constexpr std::size_t kShown = 20;
    if (lines.empty()) {
        return;
    }
    tell(std::string(title) + ":");
    for (std::size_t i = 0; i < std::min(lines.size(), kShown); ++i) {
        tell("  " + lines[i]);
    }
    if (lines.size() > kShown) {
        tell("  and " + std::to_string(lines.size() - kShown) + " more");
    }
}

void tell_report(const Learnt& learnt, const Observations& observations,
                 const RecordingCounts& counts, const std::vector<std::string>& told) {
    std::vector<std::string> rare;
    for (const LearntRule& rule : learnt.rules) {
        if (rule.rare) {
            rare.push_back(rule.json["id"].get<std::string>() + ": " +
                           printable(rule.json["description"].get<std::string>()));
        }
    }
    tell("learnt " + plural(learnt.rules.size(), "rule", "rules") + " from " +
         plural(observations.taken(), "exec", "execs") + " (" +
         std::to_string(observations.execs().size()) + " different)");
    const auto left_out = [](std::uint64_t count, const char* why) {
        if (count > 0) {
            tell("left out: " + plural(count, "exec", "execs") + " " + why);
        }
    };
    left_out(observations.refused(), "that a policy refused");
    left_out(observations.not_run(), "that did not run (no such program, ended, raced)");
    left_out(observations.not_whole(), "of which the record has only a part");
    left_out(observations.too_large(), "too large for a rule to tell");
    left_out(counts.summed_up, "that the record only counts (summaries)");
    if (counts.foreign > 0) {
        tell("left out: " +
             plural(counts.foreign, "line that is no event", "lines that are no events"));
    }
    if (!observations.has_environment()) {
        tell(
            "no rules about variables: the record does not have the environment (mode learn does)");
    }
    tell_list("too large", observations.named_too_large());
    tell_list("not learnt", told);
    tell_list("rare, and marked in events (verdict audit): look at them", rare);
    tell_width(learnt.width);
}

Result<> put(const Base& base, const std::string& text) {
    if (base.path.empty()) {
        (void)std::fwrite(text.data(), 1, text.size(), stdout);
        return Ok{};
    }
    auto written = base.text ? replace_file(base.path, text) : create_file(base.path, text);
    return written ? written : add_context(base.path, written.error());
}

}  // namespace

Result<int> run_policy_learn(const LearnCommand& command) {
    const auto base = base_of(command);
    if (!base) {
        return base.error();
    }
    auto secrets = Secrets::compile({});
    if (!secrets) {
        return secrets.error();
    }
    Observations observations(std::move(*secrets));
    const auto counts = read_grouped(
        command.query,
        [&](const RecordedExec& exec, std::size_t group) { observations.add(exec, group); });
    if (!counts) {
        return counts.error();
    }
    if (observations.taken() == 0) {
        tell_list("too large", observations.named_too_large());
        return make_error("there is nothing to learn from: " +
                          plural(counts->execs, "exec", "execs") + " in the record, none that ran");
    }
    std::vector<std::string> told;
    const auto wanted = wanted_execs(observations, *base, told);
    LearnOptions options;
    options.width = command.width;
    options.taken_ids = ids_of(*base);
    const auto learnt = learn_narrow(*base, observations, wanted, std::move(options));
    if (!learnt) {
        return learnt.error();
    }
    if (const auto failed = not_passed(*learnt->policy, wanted)) {
        return make_error("nothing is written: the policy would not let its own recording pass: " +
                          *failed);
    }
    if (auto written = put(*base, learnt->text); !written) {
        return written.error();
    }
    tell_report(*learnt, observations, *counts, told);
    return 0;
}

}  // namespace execseal
