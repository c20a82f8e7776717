#include "hook/gate/ptrace_binding.h"

#include <csignal>
#include <utility>

#include "hook/os/kernel_constants.h"
#include "hook/os/log.h"
#include "hook/os/pidfd.h"
#include "hook/tasks/freeze.h"

namespace execseal {
namespace {

bool will_restart(std::int64_t result) {
    return result <= -kErestartsys && result >= -kErestartRestartblock;
}

class PtraceBinding final : public ExecBinding {
  public:
    // All outlive this.
    PtraceBinding(Tracer& tracer, Procfs& procfs, const FsSharers& sharers, ExecVerifier& verifier,
                  Tid caller)
        : tracer_(tracer), procfs_(procfs), sharers_(sharers), verifier_(verifier), tid_(caller) {}
    PtraceBinding(const PtraceBinding&) = delete;
    PtraceBinding& operator=(const PtraceBinding&) = delete;
    PtraceBinding(PtraceBinding&&) = delete;
    PtraceBinding& operator=(PtraceBinding&&) = delete;
    // From arm() until here stops under the process's number may be those of this exec.
    ~PtraceBinding() override {
        if (expected_) {
            tracer_.exec_over(process_, tid_);
        }
    }

    ArmReport arm(const ArmRequest& request) override;
    std::optional<BoundOutcome> outcome() override;
    void hurry() override { (void)tracer_.interrupt(tid_); }
    bool sleeps() override;
    Verification verify(const ExpectedExec& judged) override;
    bool kill() override;
    void kill_survivor() override;
    void release() override;

  private:
    // The number under which it is attached; 0: it is not.
    [[nodiscard]] Tid attached_as() const;

    Tracer& tracer_;
    Procfs& procfs_;
    const FsSharers& sharers_;
    ExecVerifier& verifier_;
    Tid tid_;
    Tgid process_;
    bool expected_ = false;  // Tracer::expect_exec() was called
    bool executed_ = false;  // the exec event came: it has the first thread's number
};

ArmReport PtraceBinding::arm(const ArmRequest& request) {
    using Outcome = ArmReport::Outcome;
    process_ = request.process;
    const auto seized = tracer_.seize(tid_, kExecOptions);
    if (!seized) {
        return {Outcome::kRefused, built_in_rule::kArm, seized.error().text()};
    }
    switch (seized->what) {
        case Seized::kNew:
        case Seized::kAlready:
            tracer_.expect_exec(process_, tid_);
            expected_ = true;
            return {Outcome::kBound, "", ""};
        case Seized::kAlreadyLess:  // options cannot be changed on a running task
            return {Outcome::kAgain, "", ""};
        case Seized::kGone:
        case Seized::kZombie:
            return {Outcome::kGone, "", ""};
        case Seized::kTracedByOther:
            return {seized->by_supervisor ? Outcome::kHeld : Outcome::kRefused,
                    built_in_rule::kTraced,
                    "the caller is traced by task " + std::to_string(seized->other_tracer.value) +
                        (seized->by_supervisor ? " (another container's supervisor)"
                                               : " (strace, gdb or the like)") +
                        ", so what it executes cannot be verified; execseal-policy(5), TRACED "
                        "PROGRAMS"};
        case Seized::kExecuting:
            return {Outcome::kRefused, built_in_rule::kArm,
                    "another exec of the caller's process is on its way"};
        case Seized::kRefused:
            return {Outcome::kRefused, built_in_rule::kArm, "the caller cannot be traced"};
    }
    return {};
}

std::optional<BoundOutcome> PtraceBinding::outcome() {
    const auto stop = tracer_.waits().poll_exec(tid_, process_);
    if (!stop) {
        return std::nullopt;
    }
    if (is_end(*stop)) {
        return BoundOutcome{BoundOutcome::What::kEnded, 0};
    }
    if (is_exec(*stop)) {
        executed_ = true;
        return BoundOutcome{BoundOutcome::What::kExecuted, 0};
    }
    const auto result = tracer_.syscall_result(tid_);
    if (!result || will_restart(*result)) {
        return BoundOutcome{BoundOutcome::What::kBackedOut, 0};
    }
    return BoundOutcome{BoundOutcome::What::kReturned, static_cast<int>(-*result)};
}

bool PtraceBinding::sleeps() {
    const auto status = procfs_.status(tid_);
    return status && *status && ((*status)->state == 'S' || (*status)->state == 'D');
}

Verification PtraceBinding::verify(const ExpectedExec& judged) {
    if (sharers_.last_of(process_) > judged.fs_serial) {
        Verification shared;
        shared.outcome = VerifyOutcome::kDiffers;
        shared.field = "fs";
        shared.taken = "another process shares root and working directory (CLONE_FS)";
        return shared;
    }
    // After an exec from another thread than the first the task goes on under the first's number.
    return verifier_.verify(process_, judged, tracer_.stack_pointer(Tid{process_.value}));
}

bool PtraceBinding::kill() {
    const Tid armed = attached_as();
    if (armed == Tid{} || !tracer_.is_stopped(armed)) {
        return false;
    }
    (void)tracer_.kill(armed);
    (void)tracer_.release_executed(armed);
    return true;
}

// A thread in execve(2) does not end alone: its process ends, goes on as another thread's exec, or,
// which must not be, as this very exec.
void PtraceBinding::kill_survivor() {
    if (tid_.value == process_.value) {
        return;
    }
    const auto status = procfs_.status(Tid{process_.value});
    const auto pidfd = open_pidfd(process_.value);
    if (status && *status && (*status)->state != 'Z' && (*status)->state != 'X' && pidfd) {
        log_info("process " + std::to_string(process_.value) +
                 " lives on without the thread whose exec was awaited; it is killed");
        (void)send_signal(pidfd->get(), SIGKILL);
    }
}

Tid PtraceBinding::attached_as() const {
    // Tracer::poll_exec() has moved the attachment if another thread than the first made the exec.
    const Tid first_thread{process_.value};
    if (tracer_.is_attached(tid_)) {
        return tid_;
    }
    return executed_ && tracer_.is_attached(first_thread) ? first_thread : Tid{};
}

void PtraceBinding::release() {
    const Tid tid = attached_as();
    if (tid == Tid{}) {
        return;
    }
    const Stop* stop = tracer_.stop_of(tid);
    if (stop == nullptr) {
        (void)tracer_.release_when_stopped(tid, Interrupt::kYes);
    } else if (executed_) {
        (void)tracer_.release_executed(tid);
    } else if (!is_exec(*stop)) {
        (void)tracer_.release(tid);
    }
    // Else a thread has taken this caller's number in its own exec, which its own binding verifies.
}

}  // namespace

std::unique_ptr<ExecBinding> PtraceBinder::binding_for(Tid caller) {
    return std::make_unique<PtraceBinding>(tracer_, procfs_, sharers_, verifier_, caller);
}

}  // namespace execseal
