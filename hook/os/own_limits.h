// This process's own resource limits, where they were meant for somebody else.
#pragma once

#include "hook/os/result.h"

namespace execseal {

// crun sets the container's process.rlimits before it runs the hooks, which inherit them: a stack
// of 64 KiB, a file size of 0. Takes back those that could end us, as far as is allowed (the hard
// limit needs CAP_SYS_RESOURCE); what is not stays. For a process that becomes no other program: a
// runtime hands its limits on to containers. The stack may grow from here on, its mappings stay
// where they are (setrlimit(2)). Before any thread is made.
void lift_own_limits() noexcept;

// oom_score_adj -999, proc_pid_oom_score_adj(5): where memory runs out others are killed first.
// Needs CAP_SYS_RESOURCE to go below what was inherited; the Error names the file. Children have it
// too.
Result<> be_spared_by_oom_killer();

// Whether the function above would succeed here; nothing is changed.
Result<> may_be_spared_by_oom_killer();

}  // namespace execseal
