#include "hook/tasks/notified_restart.h"

#include "hook/exec/notified_call.h"
#include "hook/os/kernel_constants.h"

namespace execseal {

std::function<void(Tid)> restart_notified_calls(Ptrace& ptrace) {
    return [&ptrace](Tid tid) {
        const auto call = ptrace.current_syscall(tid);
        if (call && *call && (*call)->result == -std::int64_t{kErestartsys} &&
            is_notified_call((*call)->arch, (*call)->nr)) {
            // kernel: handle_signal(), arch/x86/kernel/signal.c, runs after this stop.
            (void)ptrace.set_syscall_result(tid, -std::int64_t{kErestartnointr});
        }
    };
}

}  // namespace execseal
