// ForkSupervisor: the least supervisor that tracks the forks of a ForkedContainer; answers every
// other notification with "continue".
#pragma once

#include <csignal>
#include <functional>

#include "hook/os/event_loop.h"
#include "hook/tasks/fork_tracking.h"
#include "hook/tasks/notified_restart.h"
#include "tests/kernel/forked_container.h"

namespace execseal::test {

// The real ptrace, with a look at each detach: the last moment before the task can run.
class WatchedPtrace final : public Ptrace {
  public:
    std::function<void(Tid)> before_detach;

    Result<SeizeReach> seize(Tid tid, const PtraceOptions& options) override {
        return real_->seize(tid, options);
    }
    Result<PtraceReach> interrupt(Tid tid) override {
        ++interrupts;
        return real_->interrupt(tid);
    }
    Result<PtraceReach> detach(Tid tid, int signal) override {
        if (before_detach) {
            before_detach(tid);
        }
        return real_->detach(tid, signal);
    }
    Result<PtraceReach> resume(Tid tid, int signal) override { return real_->resume(tid, signal); }
    Result<std::optional<std::uint64_t>> event_message(Tid tid) override {
        return real_->event_message(tid);
    }
    Result<std::optional<SyscallState>> current_syscall(Tid tid) override {
        return real_->current_syscall(tid);
    }
    Result<std::optional<RemoteAddr>> stack_pointer(Tid tid) override {
        return real_->stack_pointer(tid);
    }
    Result<PtraceReach> set_syscall_result(Tid tid, std::int64_t value) override {
        return real_->set_syscall_result(tid, value);
    }
    Result<PtraceReach> kill(Tid tid) override { return real_->kill(tid); }

    int interrupts = 0;

  private:
    std::unique_ptr<Ptrace> real_ = real_ptrace();
};

class ForkSupervisor {
  public:
    explicit ForkSupervisor(ForkedContainer& container, ForkTrackingLimits limits = {});
    ~ForkSupervisor();
    ForkSupervisor(const ForkSupervisor&) = delete;
    ForkSupervisor& operator=(const ForkSupervisor&) = delete;
    ForkSupervisor(ForkSupervisor&&) = delete;
    ForkSupervisor& operator=(ForkSupervisor&&) = delete;

    // Serves until the condition holds (true) or for `patience` (false).
    bool serve_until(const std::function<bool()>& condition,
                     std::chrono::milliseconds patience = std::chrono::seconds(20));
    // One round of the loop.
    void serve_once(std::chrono::microseconds longest);

    // Instead of the tracking, for a test that wants a notification to itself; true: taken.
    std::function<bool(const Notification&)> on_notification;

    WatchedPtrace ptrace;
    std::unique_ptr<TraceeWait> wait = real_tracee_wait();
    std::unique_ptr<Procfs> procfs = open_procfs().value();
    std::unique_ptr<ExitWatch> exits = open_exit_watch(4096).value();
    Tracer tracer{ptrace, *wait, *procfs, restart_notified_calls(ptrace)};
    TaskTable table{*procfs, *exits};
    ForkTracking tracking;
    bool hung_up = false;

  private:
    void receive(short events);

    ForkedContainer& container_;
    EventLoop loop_;
    UniqueFd sigchld_ = open_signal_fd(SIGCHLD).value();
};

}  // namespace execseal::test
