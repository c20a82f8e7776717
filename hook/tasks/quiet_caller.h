// QuietCaller: a caller whose notification was received and is not answered.
#pragma once

#include "hook/os/ids.h"
#include "hook/os/seccomp_notify.h"

namespace execseal {

// What it waits with: whoever attaches it has to do so with all that this call will need.
enum class QuietCall { kFork, kExec };

struct QuietCaller {
    Tid tid;
    QuietCall call = QuietCall::kFork;
    // Its notification. One that a signal has made stale meanwhile is no reason to leave its caller
    // running. Null: it waits for certain.
    SeccompNotify* listener = nullptr;
    NotifyId id{};
};

}  // namespace execseal
