// Starting one container's supervisor, from the shim or from the createRuntime hook, and stopping
// it again.
//
// crun connects to listenerPath before any hook runs and runc after them, so whoever comes first
// starts it and the other one finds it. Synchronous: the supervisor's socket listens when
// launch_supervisor() returns, or nothing is left.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>

#include "config/plan.h"
#include "config/settings.h"
#include "hook/os/result.h"

namespace execseal {

// When a supervisor that no listener has reached gives up: the container never came to be.
struct LaunchTerms {
    pid_t creator = 0;  // once this process (the runtime, or who calls it) has ended
    // Also after this time, for creators that outlive a failed create; absent: no bound.
    std::optional<std::chrono::milliseconds> arrival;
    // A cgroup's directory that the supervisor moves to; empty: it stays in the launcher's.
    std::string cgroup{};
    // It follows one that died: a task of the container, whose calls in flight are to come again.
    // 0: it is the first.
    pid_t recover_from = 0;
};

// An idle supervisor of an earlier life of the same container is stopped first; one that serves a
// live container is an Error.
Result<> launch_supervisor(const Plan& plan, const Settings& settings, const LaunchTerms& terms);

// Asks the supervisor of `plan` to end if no container uses it any more, and removes what a dead
// one left. Idempotent.
Result<> retire_supervisor(const Plan& plan, const Settings& settings);

// What the launcher hands to the supervisor on its descriptors 0 to 3.
inline constexpr int kLaunchDocumentFd = 0;  // memfd with the launch document
inline constexpr int kReadyPipeFd = 1;       // "READY\n", or one line that says what went wrong
inline constexpr int kCrashLogFd =
    2;  // the log file, for what the process can only say while dying
inline constexpr int kCreatorPidFd = 3;

}  // namespace execseal
