// Starting one container's supervisor, from the shim or from the createRuntime hook, and stopping
// it again.
//
// crun connects to listenerPath before any hook runs and runc after them, so whoever comes first
// starts it and the other one finds it. Synchronous: the supervisor's socket listens when
// launch_supervisor() returns, or nothing is left.
#pragma once

#include "config/plan.h"
#include "config/settings.h"
#include "hook/launch/launch_document.h"
#include "hook/os/result.h"

namespace execseal {

// An idle supervisor of an earlier life of the same container is stopped first; one that serves a
// live container is an Error. With terms.recover_from the files of a dead one stay for this one.
Result<> launch_supervisor(const Plan& plan, const Settings& settings, const LaunchTerms& terms);

// Asks the supervisor of `plan` to end if no container uses it any more, and removes what a dead
// one left. Idempotent.
Result<> retire_supervisor(const Plan& plan, const Settings& settings);

}  // namespace execseal
