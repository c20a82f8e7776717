// ExecCaller: the task that waits in its execve(2) for the answer to its notification.
#pragma once

#include "hook/os/seccomp_notify.h"
#include "hook/tasks/quiet_caller.h"

namespace execseal {

class ExecCaller {
  public:
    // The listener outlives this.
    ExecCaller(SeccompNotify& listener, NotifyId id, Tid tid)
        : listener_(&listener), id_(id), tid_(tid) {}

    [[nodiscard]] Tid tid() const { return tid_; }
    // 0 until it is known.
    [[nodiscard]] Tgid process() const { return process_; }
    void set_process(Tgid process) { process_ = process; }
    [[nodiscard]] QuietCaller quiet() const { return {tid_, QuietCall::kExec, listener_, id_}; }

    // Whether it still waits for its answer.
    [[nodiscard]] bool waits() const;
    // False: it does not any more.
    [[nodiscard]] bool answer(const Answer& answer);
    // With all of its process, if it still waits; it never sees the answer.
    void kill();

  private:
    SeccompNotify* listener_;
    NotifyId id_;
    Tid tid_;
    Tgid process_;
};

}  // namespace execseal
