// judge: policy + facts -> verdict, rule and reason. Pure, allocates little, never blocks.
#pragma once

#include <string>

#include "config/policy.h"
#include "hook/supervisor/exec_facts.h"

namespace execseal {

struct Judgement {
    Verdict verdict = Verdict::kDeny;
    int deny_errno = 0;  // positive; for kDeny
    std::string policy;  // the policy whose rule decided
    std::string rule;    // its id; "default" for the policy's default
    std::string reason;  // one line: which condition matched, on which view
};

// First matching rule decides, the policy's default otherwise.
Judgement judge(const Policy& policy, const ExecFacts& facts);

// Both are judged, the stricter verdict wins (the floor's own judgement is named when it does).
// `floor` may be null.
Judgement judge_with_floor(const Policy& policy, const Policy* floor, const ExecFacts& facts);

}  // namespace execseal
