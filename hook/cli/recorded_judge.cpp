#include "hook/cli/recorded_judge.h"

#include <algorithm>
#include <optional>

#include "config/policy_rules.h"

namespace execseal {
namespace {

void add_env_names(const Policy& policy, std::vector<std::string>& names) {
    for (const CompiledRule& rule : policy.compiled().rules) {
        for (const auto& condition : rule.conditions) {
            condition->add_env_names(names);
        }
    }
}

// Whether every variable that `name` (a glob) may mean is in the record.
bool covers(const std::vector<std::string>& recorded, const std::string& name) {
    return std::any_of(recorded.begin(), recorded.end(), [&](const std::string& pattern) {
        if (pattern == "**" || pattern == "*" || pattern == name) {
            return true;
        }
        const auto wanted = Glob::compile(name);
        const auto glob = Glob::compile(pattern);
        return wanted && glob && wanted->is_literal() && glob->matches(wanted->literal());
    });
}

// What the record does not tell of what this condition looks at; empty: it tells all.
std::string lack_of(const Condition& condition, const RecordedExec& exec, std::size_t view) {
    if (condition.sees_arguments()) {
        if (exec.arguments_cut) {
            return "the record has only the first bytes of argv";
        }
        if (view > 0 && exec.programs_unknown) {
            return "the record does not have the arguments of what runs the program";
        }
    }
    if (exec.names_cut && condition.sees_names()) {
        return "the record has only the first of its other names";
    }
    if (condition.sees_lineage() && (exec.lineage_missing || exec.lineage_cut)) {
        return exec.lineage_missing ? "the record does not have what stands above it"
                                    : "the record has only the first of what stands above it";
    }
    std::vector<std::string> names;
    condition.add_env_names(names);
    for (const std::string& name : names) {
        if (!covers(exec.env_of, name)) {
            return "the record does not have the environment (" + name + ")";
        }
        if (exec.environment_cut) {
            return "the record has only the first bytes of the environment";
        }
    }
    if (!exec.redacted) {
        return "";
    }
    const ExecFacts& facts = *exec.facts;
    const auto differs = [&](const std::vector<std::string>& texts, Gap::Place place) {
        for (std::size_t i = 0; i < texts.size(); ++i) {
            const auto around = around_secret(texts[i]);
            if (!around) {
                continue;
            }
            Gap gap;
            gap.place = place;
            gap.before = around->before;
            gap.after = around->after;
            gap.position = i;
            gap.argv = texts;
            if (!condition.overlooks(gap)) {
                return true;
            }
        }
        return false;
    };
    if (differs(facts.views[view].argv, Gap::Place::kArgument)) {
        return "a secret in argv is not in the record";
    }
    return differs(facts.env, Gap::Place::kVariable)
               ? "a secret in the environment is not in the record"
               : "";
}

enum class Holds { kNo, kYes, kUnknown };

struct RuleAnswer {
    Holds holds = Holds::kNo;
    std::string lacking;
};

RuleAnswer ask_view(const CompiledRule& rule, const RecordedExec& exec, std::size_t view) {
    RuleAnswer answer{Holds::kYes, ""};
    for (const auto& condition : rule.conditions) {
        const std::string lack = lack_of(*condition, exec, view);
        if (!lack.empty()) {
            answer = {Holds::kUnknown, lack};
        } else if (!condition->holds(exec.facts->views[view], *exec.facts)) {
            return {Holds::kNo, ""};
        }
    }
    return answer;
}

RuleAnswer ask(const CompiledRule& rule, const RecordedExec& exec) {
    const ExecFacts& facts = *exec.facts;
    if (leaning_of(rule.verdict) == Leaning::kLenient) {
        RuleAnswer answer{Holds::kYes, ""};
        for (const std::size_t view : views_to_match(facts)) {
            RuleAnswer one = ask_view(rule, exec, view);
            if (one.holds == Holds::kNo) {
                return one;
            }
            if (one.holds == Holds::kUnknown) {
                answer = std::move(one);
            }
        }
        if (answer.holds == Holds::kYes && exec.programs_unknown) {
            return {Holds::kUnknown, "the record does not say in what way it runs through " +
                                         facts.views.back().exe};
        }
        return answer;
    }
    RuleAnswer answer;
    for (std::size_t view = 0; view < facts.views.size(); ++view) {
        RuleAnswer one = ask_view(rule, exec, view);
        if (one.holds == Holds::kYes) {
            return one;
        }
        if (one.holds == Holds::kUnknown) {
            answer = std::move(one);
        }
    }
    return answer;
}

std::string lack_in(const Policy& policy, const RecordedExec& exec) {
    for (const CompiledRule& rule : policy.compiled().rules) {
        const RuleAnswer answer = ask(rule, exec);
        if (answer.holds == Holds::kUnknown) {
            return "rule " + rule.id + ": " + answer.lacking;
        }
        if (answer.holds == Holds::kYes) {
            return "";
        }
    }
    return "";
}

}  // namespace

RecordedJudge::RecordedJudge(const Policy& policy, const Policy* floor)
    : policy_(policy),
      floor_(floor),
      sees_lineage_(policy.sees_lineage() || (floor != nullptr && floor->sees_lineage())) {
    add_env_names(policy, env_names_);
    if (floor != nullptr) {
        add_env_names(*floor, env_names_);
    }
}

bool RecordedJudge::is_whole(const RecordedExec& exec) const {
    return !exec.arguments_cut && !exec.programs_unknown && !exec.names_cut && !exec.redacted &&
           (!sees_lineage_ || !(exec.lineage_missing || exec.lineage_cut)) &&
           (env_names_.empty() ||
            (!exec.environment_cut &&
             std::all_of(env_names_.begin(), env_names_.end(),
                         [&](const std::string& name) { return covers(exec.env_of, name); })));
}

RecordedJudgement RecordedJudge::judge(const RecordedExec& exec) const {
    RecordedJudgement result;
    if (!is_whole(exec)) {
        result.lacking = lack_in(policy_, exec);
        if (result.lacking.empty() && floor_ != nullptr) {
            result.lacking = lack_in(*floor_, exec);
        }
        if (!result.lacking.empty()) {
            return result;
        }
    }
    result.judgement = judge_with_floor(policy_, floor_, *exec.facts);
    return result;
}

}  // namespace execseal
