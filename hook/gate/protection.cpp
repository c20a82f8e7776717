#include "hook/gate/protection.h"

#include <algorithm>

namespace execseal {
namespace {

// FreezeScope and OnFreezeFailure list the tighter value first.
Protection tighter(const Protection& a, const Protection& b) {
    Protection both;
    both.freeze = std::min(a.freeze, b.freeze);
    both.verify = a.verify || b.verify;
    both.on_freeze_failure = std::min(a.on_freeze_failure, b.on_freeze_failure);
    both.freeze_budget = std::min(a.freeze_budget, b.freeze_budget);
    return both;
}

}  // namespace

Protection protection_of(const Policy& policy, const Policy* floor, Mode mode) {
    if (mode == Mode::kEnforce) {
        return floor != nullptr ? tighter(policy.protection(), floor->protection())
                                : policy.protection();
    }
    Protection unbound;
    unbound.freeze = FreezeScope::kOff;
    unbound.verify = false;
    return floor != nullptr ? floor->protection() : unbound;
}

}  // namespace execseal
