#include "hook/gate/terms.h"

#include <utility>

#include "config/plan.h"
#include "hook/gate/protection.h"

namespace execseal {
namespace {

ExecTraits traits_of(const Protection& protection) {
    ExecTraits traits;
    traits.freeze = protection.freeze != FreezeScope::kOff;
    traits.verify = protection.verify;
    traits.on_freeze_failure = protection.on_freeze_failure;
    return traits;
}

}  // namespace

SharedTerms make_terms(Policy policy, std::optional<Policy> floor, Mode mode,
                       std::string policy_sha256, bool forks_are_notified) {
    auto terms = std::make_shared<Terms>(
        Terms{std::move(policy), std::move(floor), mode, std::move(policy_sha256), {}, {}, false});
    terms->protection = protection_of(terms->policy, terms->floor_or_null(), mode);
    if (!forks_are_notified && terms->protection.freeze == FreezeScope::kWriters &&
        binds_by_forks(mode, terms->policy, terms->floor_or_null())) {
        terms->protection.freeze = FreezeScope::kPidns;
        terms->stops_everybody = true;
    }
    terms->traits = traits_of(terms->protection);
    return terms;
}

}  // namespace execseal
