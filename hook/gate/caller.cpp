#include "hook/gate/caller.h"

#include <cerrno>
#include <csignal>
#include <utility>

#include "hook/os/kernel_constants.h"
#include "hook/os/log.h"
#include "hook/os/pidfd.h"

namespace execseal {
namespace {

bool will_restart(std::int64_t result) {
    return result <= -kErestartsys && result >= -kErestartRestartblock;
}

}  // namespace

bool ExecCaller::waits() const {
    const auto reach = listener_->id_valid(id_);
    return reach && *reach == NotifyReach::kDone;
}

bool ExecCaller::answer(const Answer& answer) {
    const auto reached = listener_->answer(id_, answer);
    if (!reached) {
        log_warning("answering a notification: " + reached.error().text());
    }
    return reached && *reached == NotifyReach::kDone;
}

ArmReport ExecCaller::arm() {
    using Outcome = ArmReport::Outcome;
    const auto seized = tracer_.seize(tid_, kExecCallerOptions);
    if (!seized) {
        return {Outcome::kRefused, built_in_rule::kArm, seized.error().text()};
    }
    switch (seized->what) {
        case Seized::kNew:
        case Seized::kAlready:
            tracer_.expect_exec(process_);
            expected_ = true;
            return {Outcome::kDone, "", ""};
        case Seized::kAlreadyLess:
            return {Outcome::kAgain, "", ""};
        case Seized::kGone:
        case Seized::kZombie:
            return {Outcome::kGone, "", ""};
        case Seized::kTracedByOther:
            return {Outcome::kRefused, built_in_rule::kTraced,
                    "the caller is traced by task " + std::to_string(seized->other_tracer.value) +
                        " (a debugger in the container?), so what it executes cannot be verified"};
        case Seized::kExecuting:
            return {Outcome::kRefused, built_in_rule::kArm,
                    "another exec of the caller's process is on its way"};
        case Seized::kRefused:
            return {Outcome::kRefused, built_in_rule::kArm, "the caller cannot be traced"};
    }
    return {};
}

std::optional<CallerNews> ExecCaller::look() {
    const auto stop = tracer_.poll_exec(tid_, process_);
    if (!stop) {
        return std::nullopt;
    }
    if (is_end(*stop)) {
        return CallerNews{CallerNews::What::kEnded, 0};
    }
    if (is_exec(*stop)) {
        executed_ = true;
        return CallerNews{CallerNews::What::kExecuted, 0};
    }
    const auto result = tracer_.syscall_result(tid_);
    if (!result || will_restart(*result)) {
        return CallerNews{CallerNews::What::kBackedOut, 0};
    }
    return CallerNews{CallerNews::What::kReturned, static_cast<int>(-*result)};
}

void ExecCaller::interrupt() {
    (void)tracer_.interrupt(tid_);
}

void ExecCaller::kill() {
    const Tid armed = attached_as();
    if (armed != Tid{} && tracer_.is_stopped(armed)) {
        (void)tracer_.kill(armed);
        (void)tracer_.release_when_stopped(armed, Interrupt::kNo);
        return;
    }
    // By pidfd, and only while the notification lives: the number is still the caller's then.
    const auto pidfd = open_pidfd(process_.value);
    if (pidfd && waits()) {
        (void)send_signal(pidfd->get(), SIGKILL);
    }
    (void)listener_->answer(id_, Answer::fail(EPERM));
    release();
}

Tid ExecCaller::attached_as() const {
    // Tracer::poll_exec() has moved the attachment if another thread than the first made the exec.
    const Tid first_thread{process_.value};
    if (tracer_.is_attached(tid_)) {
        return tid_;
    }
    return executed_ && tracer_.is_attached(first_thread) ? first_thread : Tid{};
}

void ExecCaller::release() {
    const Tid tid = attached_as();
    if (tid == Tid{}) {
        return;
    }
    const Stop* stop = tracer_.stop_of(tid);
    if (stop == nullptr) {
        (void)tracer_.release_when_stopped(tid, Interrupt::kYes);
    } else if (!is_exec(*stop) || executed_) {
        (void)tracer_.release(tid);
    }
    // Else a thread has taken this caller's number in its own exec, which its own flow verifies.
}

void ExecCaller::end() {
    if (std::exchange(expected_, false)) {
        tracer_.exec_over(process_);
    }
}

}  // namespace execseal
