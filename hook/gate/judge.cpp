#include "hook/gate/judge.h"

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
    }
    return "the program";
}

std::string reason_of(const CompiledRule& rule, std::size_t at, const ExecFacts& facts) {
    const ProgramView& view = facts.views[at];
    std::string text = "rule " + rule.id + ": ";
    for (std::size_t i = 0; i < rule.conditions.size(); ++i) {
        text += (i == 0 ? "" : ", ") + rule.conditions[i]->reason(view, facts);
    }
    if (at > 0) {
        text += std::string(" (on ") + role_text(view.role) + " " + quoted(view.exe) + ")";
    }
    return text;
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
    judgement.reason =
        std::string("no rule matches, the default is ") + verdict_name(compiled.default_verdict);
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
