// ExecCaller: the task that waits in its execve(2), from its notification to its release.
//
// What the gate does to it and learns of it: its answer, the seizure that makes its exec end in a
// stop, that stop, its death. Knows that a thread which executes goes on under the number of its
// process's first one (de_thread(), fs/exec.c). Never blocks.
#pragma once

#include <optional>
#include <string>

#include "config/built_in_rules.h"
#include "hook/os/seccomp_notify.h"
#include "hook/tasks/freeze.h"
#include "hook/tasks/tracer.h"

namespace execseal {

// What the caller of an exec is seized with, before the answer.
inline constexpr PtraceOptions kExecCallerOptions{.births = true, .exec = true, .exit_kill = true};

struct ArmReport {
    // kAgain: seized with too little for this call, by a freeze for another one. Options cannot be
    // changed on a running task: it is to be let go, and its call comes again.
    enum class Outcome { kRefused, kAgain, kGone, kDone };
    Outcome outcome = Outcome::kRefused;
    const char* rule = built_in_rule::kArm;  // of kRefused, for the event
    std::string reason;
};

struct CallerNews {
    enum class What {
        kEnded,
        kExecuted,   // the new image is there and has not run
        kBackedOut,  // for a signal or our interrupt; the call starts again
        kReturned    // from execve(2), into its old image
    };
    What what = What::kEnded;
    int error = 0;  // of kReturned, positive; 0 after a mere AT_EXECVE_CHECK
};

class ExecCaller {
  public:
    // Both outlive this.
    ExecCaller(Tracer& tracer, SeccompNotify& listener, const Notification& notification)
        : tracer_(tracer), listener_(&listener), id_(notification.id), tid_(notification.tid) {}

    [[nodiscard]] Tid tid() const { return tid_; }
    // 0 until it is known.
    [[nodiscard]] Tgid process() const { return process_; }
    void set_process(Tgid process) { process_ = process; }
    [[nodiscard]] QuietCaller quiet() const { return {tid_, kExecCallerOptions, listener_, id_}; }

    // Whether it still waits for its answer.
    [[nodiscard]] bool waits() const;
    // False: it does not any more.
    [[nodiscard]] bool answer(const Answer& answer);
    // From a kDone on, until end(), stops under the process's number may be those of this exec.
    [[nodiscard]] ArmReport arm();
    // nullopt: nothing yet. Only of an armed one.
    [[nodiscard]] std::optional<CallerNews> look();
    void interrupt();
    // With all of its process; it never sees the answer.
    void kill();
    // Where it is attached; one that has not stopped yet is let go when it stops.
    void release();
    // Nothing more is awaited of it.
    void end();

  private:
    // The number under which it is attached; 0: it is not.
    [[nodiscard]] Tid attached_as() const;

    Tracer& tracer_;
    SeccompNotify* listener_;
    NotifyId id_;
    Tid tid_;
    Tgid process_;
    bool expected_ = false;  // Tracer::expect_exec() was called
    bool executed_ = false;  // the exec event came: it has the first thread's number
};

}  // namespace execseal
