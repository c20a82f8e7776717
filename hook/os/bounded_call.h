// BoundedCall: one system call that may wait in the kernel, ended when its time is over.
//
// For calls whose wait a signal interrupts but which the kernel starts again after the signal's
// handler (-ERESTARTNOINTR), whatever SA_RESTART says: PTRACE_SEIZE waiting for cred_guard_mutex.
// The call is one instruction in a range of assembly; a timer's handler that meets the thread in
// this range moves it behind the instruction. A wait that only SIGKILL ends (TASK_KILLABLE,
// mmap_lock) cannot be bounded so: it belongs into an expendable process (hook/os/expendable.h).
#pragma once

#include <array>
#include <chrono>
#include <csignal>
#include <ctime>
#include <optional>

#include "hook/os/result.h"

namespace execseal {

class BoundedCall {
  public:
    BoundedCall() = default;
    BoundedCall(const BoundedCall&) = delete;
    BoundedCall& operator=(const BoundedCall&) = delete;
    BoundedCall(BoundedCall&&) = delete;
    BoundedCall& operator=(BoundedCall&&) = delete;
    ~BoundedCall();

    // The kernel's own result (a negative errno is a failure); nullopt: not done when `bound` had
    // passed, and without effect. A thread that has not got the CPU for that long may see nullopt
    // for a call that would not have waited. Error: the timer cannot be had.
    Result<std::optional<long>> call(long number, const std::array<long, 4>& arguments,
                                     std::chrono::microseconds bound);

  private:
    Result<> make_timer();

    timer_t timer_{};
    pid_t owner_ = 0;  // the thread that the timer signals; 0: there is none
    volatile std::sig_atomic_t expired_ = 0;
};

}  // namespace execseal
