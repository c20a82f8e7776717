#include "hook/gate/judge.h"

#include <algorithm>

#include "config/built_in_rules.h"
#include "config/policy_rules.h"
#include "config/quote.h"

namespace execseal {
namespace {

const char* role_text(ViewRole role) {
    switch (role) {
        case ViewRole::kProgram:
            return "the program";
        case ViewRole::kInterpreter:
            return "its interpreter";
        case ViewRole::kLoader:
            return "its loader";
        case ViewRole::kMultiCall:
            return "its multi-call binary";
        case ViewRole::kPossible:
            return "what it may run,";
        case ViewRole::kElfInterpreter:
            return "its PT_INTERP";
    }
    return "the program";
}

// What stands before or behind a name that is not simply that of a file in the container.
std::string meaning_of(const ProgramView& view) {
    if (view.exe.starts_with("other-mounts:")) {
        return "; other-mounts: is a mount that the container did not start with, or a mount "
               "namespace of the caller's own";
    }
    if (view.exe.starts_with("unreachable:")) {
        return "; unreachable: is a file that is not below the container's root";
    }
    if (!view.loose_link.empty()) {
        return "; the link " + quoted(view.loose_link) +
               " can be changed before the program is opened again by its name";
    }
    return "";
}

// Whether the rule matches another name of the program than the one that events give it.
bool rule_names(const CompiledRule& rule, const ProgramView& view) {
    return !rule.exe.empty() && std::none_of(rule.exe.begin(), rule.exe.end(),
                                             [&](const Glob& g) { return g.matches(view.exe); });
}

std::string reason_of(const CompiledRule& rule, std::size_t at, const ExecFacts& facts) {
    const ProgramView& view = facts.views[at];
    std::string text = "rule " + rule.id + ": ";
    for (std::size_t i = 0; i < rule.conditions.size(); ++i) {
        text += (i == 0 ? "" : ", ") + rule.conditions[i]->reason(view, facts);
    }
    if (at > 0) {
        text += std::string(" (on ") + role_text(view.role) + " " + quoted(view.exe) + ")";
    } else if (rule_names(rule, view)) {
        text += " (a name of " + quoted(view.exe) + ")";
    }
    return text + meaning_of(view);
}

Judgement softened(Judgement judgement, Mode mode) {
    if (mode == Mode::kEnforce || judgement.verdict == Verdict::kAllow ||
        judgement.verdict == Verdict::kAudit) {
        return judgement;
    }
    judgement.softened = judgement.verdict;
    judgement.reason = std::string(mode_name(mode)) + " mode, else " +
                       verdict_name(judgement.verdict) + ": " + judgement.reason;
    judgement.verdict = Verdict::kAudit;
    judgement.deny_errno = 0;
    return judgement;
}

}  // namespace

Judgement judge(const Policy& policy, const ExecFacts& facts) {
    const CompiledPolicy& compiled = policy.compiled();
    Judgement judgement;
    judgement.policy = compiled.name;
    judgement.rule = built_in_rule::kDefault;
    judgement.deny_errno = EACCES;
    if (facts.views.empty()) {
        judgement.reason = "there is no program to judge";
        return judgement;
    }
    RuleCandidates candidates(compiled.index, facts);
    while (const auto number = candidates.next()) {
        const CompiledRule& rule = compiled.rules[*number];
        if (const auto at = matching_view(rule, facts)) {
            judgement.verdict = rule.verdict;
            judgement.deny_errno = rule.verdict == Verdict::kDeny ? rule.deny_errno : 0;
            judgement.rule = rule.id;
            judgement.reason = reason_of(rule, *at, facts);
            return judgement;
        }
    }
    judgement.verdict = compiled.default_verdict;
    judgement.deny_errno = compiled.default_verdict == Verdict::kDeny ? compiled.default_errno : 0;
    judgement.reason = std::string("no rule matches, the default is ") +
                       verdict_name(compiled.default_verdict) + meaning_of(facts.views.front());
    return judgement;
}

Judgement judge_with_floor(const Policy& policy, const Policy* floor, const ExecFacts& facts,
                           Mode mode) {
    Judgement own = softened(judge(policy, facts), mode);
    if (floor == nullptr) {
        return own;
    }
    Judgement lowest = judge(*floor, facts);
    // Equally strict: the container's own policy says it, its author knows that one.
    return own.verdict == stricter(own.verdict, lowest.verdict) ? own : lowest;
}

}  // namespace execseal
