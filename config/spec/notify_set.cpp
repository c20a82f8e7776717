#include "config/spec/notify_set.h"

namespace execseal {

Treatment treatment_of(std::string_view call, std::uint64_t flags, ForkCalls forks) {
    const Treatment fork_class =
        forks == ForkCalls::kNotified ? Treatment::kNotify : Treatment::kKeep;
    if (call == "execve" || call == "execveat") {
        return Treatment::kNotify;
    }
    if (call == "fork" || call == "vfork") {
        return fork_class;
    }
    if (call == "clone") {
        // Neither a process nor a thread may be born untraced: the freeze attaches to newcomers
        // through PTRACE_O_TRACECLONE, which CLONE_UNTRACED suppresses (kernel/fork.c,
        // kernel_clone()). Refused without fork tracking as well, for the same freeze.
        if ((flags & kCloneUntraced) != 0) {
            return Treatment::kRefusePerm;
        }
        // Threads are listed from /proc, their creation costs nothing.
        if ((flags & kCloneThread) != 0) {
            return Treatment::kKeep;
        }
        // Refused it cannot be: a browser's sandbox makes such a child for an instant.
        return (flags & kCloneFs) != 0 ? Treatment::kNotify : fork_class;
    }
    if (call == "clone3") {
        // Its flags lie in memory: a filter cannot see CLONE_UNTRACED there, and what a supervisor
        // reads there may be changed after the look. libc falls back to clone on ENOSYS.
        return Treatment::kRefuseNosys;
    }
    if (call == "seccomp") {
        // The newest filter that says USER_NOTIF wins (kernel/seccomp.c, seccomp_run_filters()):
        // with a listener of its own the container could answer its own execs.
        return (flags & kFilterFlagNewListener) != 0 ? Treatment::kRefusePerm : Treatment::kKeep;
    }
    return Treatment::kKeep;
}

}  // namespace execseal
