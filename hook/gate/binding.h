// ExecBinding: what makes that an exec runs as it was judged, or not at all.
//
// One an exec: armed before the answer "continue", asked for the outcome after it, released at the
// end. The gate knows this interface alone; the kernel's means stand behind it. Never blocks. From
// a kBound on the new image does not run one instruction before verify() has compared what the
// kernel took and release() has let it go; it dies where neither comes.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "config/built_in_rules.h"
#include "hook/exec/study.h"
#include "hook/gate/verify.h"
#include "hook/os/ids.h"

namespace execseal {

struct ArmRequest {
    Tgid process;            // the caller's
    const ExecStudy& study;  // what was judged; whole where `verifies`
    bool freezes = false;    // others stand still for this exec
    bool verifies = true;    // else whatever the kernel takes is right
};

struct ArmReport {
    // kAgain: it is held for another call, with too little for this one. It is to be let go, and
    // its call comes again. kHeld: by the supervisor of another container, which lets go soon;
    // arm() may be called again then.
    enum class Outcome { kRefused, kAgain, kHeld, kGone, kBound };
    Outcome outcome = Outcome::kRefused;
    const char* rule = built_in_rule::kArm;  // of kRefused and kHeld, for the event
    std::string reason;
};

struct BoundOutcome {
    enum class What {
        kEnded,      // the caller has
        kExecuted,   // the new image is there and has not run
        kBackedOut,  // for a signal, or because of hurry(); the call starts again
        kReturned    // from execve(2), into its old image
    };
    What what = What::kEnded;
    // Of kReturned, positive; 0 after a mere AT_EXECVE_CHECK, -1: it is not known.
    int error = 0;
};

class ExecBinding {
  public:
    ExecBinding() = default;
    ExecBinding(const ExecBinding&) = delete;
    ExecBinding& operator=(const ExecBinding&) = delete;
    ExecBinding(ExecBinding&&) = delete;
    ExecBinding& operator=(ExecBinding&&) = delete;
    // Nothing more is awaited of it. Does not let the caller go: its next call may need it held.
    virtual ~ExecBinding() = default;

    // Once, but after a kHeld.
    [[nodiscard]] virtual ArmReport arm(const ArmRequest& request) = 0;
    // nullopt: nothing yet. Only of one that is bound and was answered.
    [[nodiscard]] virtual std::optional<BoundOutcome> outcome() = 0;
    // Makes the outcome come soon.
    virtual void hurry() = 0;
    // The caller does in the kernel, without an outcome yet: perhaps for one of those who are
    // frozen.
    [[nodiscard]] virtual bool sleeps() = 0;
    // Between kExecuted and release().
    [[nodiscard]] virtual Verification verify(const ExpectedExec& judged) = 0;
    // With all of its process, before it runs again. False: it is not held so that this can be
    // done.
    [[nodiscard]] virtual bool kill() = 0;
    // After a kEnded, when no other exec of the process is known: it is killed if it goes on, for
    // then as this very exec, without its verification.
    virtual void kill_survivor() = 0;
    // Where it is held; one that cannot be let go at once is as soon as it can.
    virtual void release() = 0;
};

// The means, of one container.
class ExecBinder {
  public:
    ExecBinder() = default;
    ExecBinder(const ExecBinder&) = delete;
    ExecBinder& operator=(const ExecBinder&) = delete;
    ExecBinder(ExecBinder&&) = delete;
    ExecBinder& operator=(ExecBinder&&) = delete;
    virtual ~ExecBinder() = default;

    // For the exec of this thread, whose notification was received. Outlived by this.
    virtual std::unique_ptr<ExecBinding> binding_for(Tid caller) = 0;
    // An exec of one of its threads is bound and on its way: that thread may take the number of the
    // first one without notice (de_thread(), fs/exec.c), and no other thread can be bound.
    [[nodiscard]] virtual bool is_executing(Tgid process) const = 0;

    // Around all execs of one listener, which is open meanwhile. An Error: none of them can be
    // bound.
    virtual Result<> begin_session(int /*listener*/) { return Ok{}; }
    virtual void end_session(int /*listener*/) {}
    // An exec that is not armed dies: also those that nobody verifies are to be.
    [[nodiscard]] virtual bool must_arm() const { return false; }
    // Outcomes are there that no stop of a tracee tells of.
    [[nodiscard]] virtual bool has_news() { return false; }
    // When outcomes are to be asked for again; nullopt: they come by themselves.
    [[nodiscard]] virtual std::optional<std::chrono::steady_clock::time_point> next_look() const {
        return std::nullopt;
    }
};

}  // namespace execseal
