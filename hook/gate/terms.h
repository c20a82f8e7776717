// Terms: what the execs of a container are judged and bound by, from its start or a change on.
//
// Immutable. An exec keeps those that it came under until its end, so that no exec is judged by one
// policy and bound by another.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "config/policy.h"
#include "config/settings.h"
#include "hook/gate/exec_flow.h"

namespace execseal {

struct Terms {
    Policy policy;
    std::optional<Policy> floor;
    Mode mode = Mode::kEnforce;
    std::string policy_sha256;  // of the container's own policy, hex; empty: not known
    // Of the policy and the floor, the tighter of each, as far as the container's filter allows.
    Protection protection;
    ExecTraits traits;
    // The policy asks who may write to an exec's memory, and the filter, which is what it was at
    // the container's start, does not tell of forks: each exec stops everybody instead.
    bool stops_everybody = false;

    [[nodiscard]] const Policy* floor_or_null() const { return floor ? &*floor : nullptr; }
};

using SharedTerms = std::shared_ptr<const Terms>;

// `forks_are_notified`: by the container's filter.
SharedTerms make_terms(Policy policy, std::optional<Policy> floor, Mode mode,
                       std::string policy_sha256, bool forks_are_notified);

}  // namespace execseal
