// kernel_probe: what this kernel lets us do, found by doing it to a child of ours.
//
// For `execseal doctor`: each takes a few milliseconds, forks, and must be called from a process
// with one thread. Nothing is left behind. Not for the supervisor, which finds out as it goes.
#pragma once

#include <chrono>

#include "hook/os/result.h"

namespace execseal {

struct NotifyProbe {
    bool sync_wake_up = false;  // Linux 6.6
};

// A filter with a listener is loaded, a call notified, answered with CONTINUE, and the call's own
// result seen. EBUSY as the Error's code: this process is itself under a filter with a listener.
Result<NotifyProbe> probe_user_notification(std::chrono::milliseconds deadline);

// PTRACE_SEIZE and PTRACE_INTERRUPT of a process that is not below us.
Result<> probe_ptrace();

}  // namespace execseal
