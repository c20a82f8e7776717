// What binds a container: the "protect" of its policy and of the node's floor, in its mode.
#pragma once

#include "config/policy.h"
#include "config/settings.h"

namespace execseal {

// As tightly as the tighter of the two asks, each setting for itself. In a mode that only watches
// nothing of the container's own policy is enforced; a floor is, in every mode. `floor` may be
// null.
Protection protection_of(const Policy& policy, const Policy* floor, Mode mode);

}  // namespace execseal
