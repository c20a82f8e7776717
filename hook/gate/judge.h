// judge: policy + facts -> verdict, rule and reason. Pure, allocates little, never blocks.
#pragma once

#include <optional>
#include <string>

#include "config/exec_facts.h"
#include "config/policy.h"
#include "config/settings.h"

namespace execseal {

struct Judgement {
    Verdict verdict = Verdict::kDeny;
    int deny_errno = 0;  // positive; for kDeny
    std::string policy;  // the policy whose rule decided
    std::string rule;    // its id; "default" for the policy's default
    std::string reason;  // one line: which condition matched, on which view
    // What the verdict would have been in enforce mode, where the mode softened it.
    std::optional<Verdict> softened = std::nullopt;
};

// First matching rule decides, the policy's default otherwise.
Judgement judge(const Policy& policy, const ExecFacts& facts);

// Both are judged, the stricter verdict wins (the floor's own judgement is named when it does).
// `floor` may be null. In audit and learn mode what `policy` refuses becomes kAudit; what the floor
// refuses stays refused, it is the node owner's.
Judgement judge_with_floor(const Policy& policy, const Policy* floor, const ExecFacts& facts,
                           Mode mode = Mode::kEnforce);

}  // namespace execseal
