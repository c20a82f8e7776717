#include "hook/tasks/tracer.h"

#include <unistd.h>

#include <string>
#include <utility>

#include "hook/os/check.h"
#include "hook/os/log.h"

namespace execseal {
namespace {

// Who has held the task may be gone when we look who it is.
constexpr int kSeizeRetries = 16;

bool covers(const PtraceOptions& have, const PtraceOptions& want) {
    return (have.births || !want.births) && (have.exec || !want.exec) &&
           (have.exit_kill || !want.exit_kill);
}

}  // namespace

Tracer::Tracer(Ptrace& ptrace, TraceeWait& wait, Procfs& procfs, LeavesStop leaves_stop)
    : ptrace_(ptrace),
      procfs_(procfs),
      leaves_stop_(std::move(leaves_stop)),
      self_{::gettid()},
      waits_(ptrace, wait, attachments_) {}

Tracer::~Tracer() {
    if (attachments_.size() != 0) {
        // Ordinary: a container that is killed hangs up before its last tasks are reaped. The
        // kernel releases them with this thread.
        log_debug("tracer: ends with " + std::to_string(attachments_.size()) + " tasks attached");
    }
}

Result<SeizeOutcome> Tracer::seize(Tid tid, const PtraceOptions& options) {
    attachments_.check_thread();
    Result<SeizeOutcome> outcome = seize_once(tid, options);
    for (int again = 0; again < kSeizeRetries && outcome && outcome->what == Seized::kRefused;
         ++again) {
        outcome = seize_once(tid, options);
    }
    return outcome;
}

Result<SeizeOutcome> Tracer::seize_once(Tid tid, const PtraceOptions& options) {
    if (Attachment* attachment = attachments_.find(tid)) {
        const bool was_leaving = std::exchange(attachment->leaving, false);
        return SeizeOutcome{
            .what = covers(attachment->options, options) ? Seized::kAlready : Seized::kAlreadyLess,
            .serial = attachment->serial,
            .was_leaving = was_leaving};
    }
    const Result<SeizeReach> seized = ptrace_.seize(tid, options);
    if (!seized) {
        return seized.error();
    }
    switch (*seized) {
        case SeizeReach::kDone:
            return SeizeOutcome{.what = Seized::kNew,
                                .serial = attachments_.attach(tid, options).serial};
        case SeizeReach::kGone:
            return SeizeOutcome{.what = Seized::kGone};
        case SeizeReach::kBusy:
            return SeizeOutcome{.what = Seized::kExecuting};
        case SeizeReach::kRefused:
            break;
    }
    const Result<std::optional<TaskStatus>> status = procfs_.status(tid);
    if (!status) {
        return status.error();
    }
    if (!*status || (*status)->state == 'X') {
        return SeizeOutcome{.what = Seized::kGone};
    }
    if ((*status)->state == 'Z') {
        return SeizeOutcome{.what = Seized::kZombie};
    }
    if ((*status)->tracer == self_) {
        const bool renamed = attachments_.expects_exec(tid);
        Attachment& ours = attachments_.attach(tid, renamed ? kExecOptions : kForkOptions);
        ours.told = true;
        return SeizeOutcome{
            .what = Seized::kAlready, .serial = ours.serial, .untold_birth = !renamed};
    }
    if ((*status)->tracer != Tid{}) {
        const Tid other = (*status)->tracer;
        return SeizeOutcome{.what = Seized::kTracedByOther,
                            .other_tracer = other,
                            .by_supervisor = is_supervisor_ && is_supervisor_(other)};
    }
    return SeizeOutcome{.what = Seized::kRefused};
}

void Tracer::exec_over(Tgid process, Tid caller) {
    if (attachments_.exec_over(process, caller)) {
        reap_leaving();
    }
}

void Tracer::let_go_later(Tid tid, Attachment& attachment) {
    if (!std::exchange(attachment.leaving, true)) {
        leaving_.push_back(tid);
    }
}

Result<> Tracer::interrupt(Tid tid) {
    attachments_.check_thread();
    const Attachment* attachment = attachments_.find(tid);
    if (attachment == nullptr || attachment->stop) {
        return Ok{};
    }
    const Result<PtraceReach> reach = ptrace_.interrupt(tid);
    if (!reach) {
        return reach.error();
    }
    return Ok{};  // gone: the wait will tell
}

Result<Released> Tracer::release(Tid tid) {
    attachments_.check_thread();
    Attachment* attachment = attachments_.find(tid);
    if (attachment == nullptr) {
        return Released::kGone;
    }
    if (attachments_.has_executed(tid)) {
        return Released::kDying;
    }
    if (attachments_.may_be_taken(tid)) {
        if (!attachment->stop) {
            return Released::kDying;  // poll_exec() has made it the thread's
        }
        if (const std::optional<Stop> news = waits_.take(tid)) {
            if (is_end(*news)) {
                return Released::kGone;
            }
            attachment = attachments_.find(tid);
            if (is_exec(*news)) {
                attachment->leaving = false;
                return Released::kDying;
            }
        }
        let_go_later(tid, *attachment);
        return Released::kDying;
    }
    return detach(tid);
}

Result<Released> Tracer::release_executed(Tid tid) {
    attachments_.check_thread();
    return is_attached(tid) ? detach(tid) : Result<Released>(Released::kGone);
}

Result<Released> Tracer::detach(Tid tid) {
    Attachment* const attachment = attachments_.find(tid);
    CHECK(attachment != nullptr && attachment->stop.has_value());
    const auto* owed = std::get_if<stop::Signal>(&*attachment->stop);
    if (!std::holds_alternative<stop::Event>(*attachment->stop) && !attachment->newborn) {
        leaves_stop_(tid);
    }
    const Result<PtraceReach> reach = ptrace_.detach(tid, owed != nullptr ? owed->signal : 0);
    if (!reach) {
        return reach.error();
    }
    if (*reach == PtraceReach::kDone) {
        attachments_.erase(tid);
        return Released::kDetached;
    }
    // Killed in its stop: it has no signal to get any more, but it has to be reaped.
    attachment->stop.reset();
    let_go_later(tid, *attachment);
    reap_leaving();
    return is_attached(tid) ? Released::kDying : Released::kGone;
}

Result<> Tracer::release_when_stopped(Tid tid, Interrupt how) {
    attachments_.check_thread();
    Attachment* attachment = attachments_.find(tid);
    if (attachment == nullptr) {
        return Ok{};
    }
    if (attachment->stop && !attachment->held) {
        const Result<Released> released = release(tid);
        return released ? Result<>(Ok{}) : Result<>(released.error());
    }
    let_go_later(tid, *attachment);
    return how == Interrupt::kYes ? interrupt(tid) : Result<>(Ok{});
}

void Tracer::reap_leaving() {
    attachments_.check_thread();
    for (std::size_t i = 0; i < leaving_.size();) {
        const Tid tid = leaving_[i];
        Attachment* attachment = attachments_.find(tid);
        if (attachment != nullptr && attachment->leaving && !attachment->held) {
            if (!attachment->stop) {
                if (const std::optional<Stop> news = waits_.take(tid); news && is_birth(*news)) {
                    const auto child = std::get<stop::Event>(*news).message;
                    if (child != 0) {
                        attachments_.add_stray(Tid{static_cast<pid_t>(child)});
                    }
                }
            }
            attachment = attachments_.find(tid);
            if (attachment != nullptr && attachment->stop && attachment->leaving) {
                // An error here is EIO or the like for a stopped tracee: nothing to be done, and
                // it stays owned.
                (void)release(tid);
                attachment = attachments_.find(tid);
            }
        }
        if (i >= leaving_.size()) {
            return;  // release() has come here as well
        }
        if (attachment == nullptr || !attachment->leaving) {
            leaving_[i] = leaving_.back();
            leaving_.pop_back();
        } else {
            ++i;
        }
    }
}

Result<> Tracer::resume(Tid tid) {
    attachments_.check_thread();
    Attachment* attachment = attachments_.find(tid);
    if (attachment == nullptr) {
        return Ok{};
    }
    if (attachments_.has_executed(tid)) {
        return Ok{};
    }
    if (attachments_.may_be_taken(tid)) {
        if (attachment->stop) {
            let_go_later(tid, *attachment);
        }
        return Ok{};
    }
    CHECK(attachment->stop.has_value());
    const auto* owed = std::get_if<stop::Signal>(&*attachment->stop);
    if (!std::holds_alternative<stop::Event>(*attachment->stop)) {
        leaves_stop_(tid);
    }
    const Result<PtraceReach> reach = ptrace_.resume(tid, owed != nullptr ? owed->signal : 0);
    attachment->stop.reset();
    attachment->newborn = false;
    attachment->told = false;
    return reach ? Result<>(Ok{}) : Result<>(reach.error());
}

Result<> Tracer::kill(Tid tid) {
    attachments_.check_thread();
    CHECK(is_attached(tid));
    const Result<PtraceReach> reach = ptrace_.kill(tid);
    return reach ? Result<>(Ok{}) : Result<>(reach.error());
}

std::uint64_t Tracer::serial(Tid tid) const {
    const Attachment* const attachment = attachments_.find(tid);
    return attachment == nullptr ? 0 : attachment->serial;
}

const Stop* Tracer::stop_of(Tid tid) const {
    const Attachment* const attachment = attachments_.find(tid);
    return attachment != nullptr && attachment->stop ? &*attachment->stop : nullptr;
}

std::optional<std::int64_t> Tracer::syscall_result(Tid tid) {
    attachments_.check_thread();
    const Result<std::optional<SyscallState>> call = ptrace_.current_syscall(tid);
    return call && *call ? std::optional((*call)->result) : std::nullopt;
}

std::optional<RemoteAddr> Tracer::stack_pointer(Tid tid) {
    attachments_.check_thread();
    const Result<std::optional<RemoteAddr>> pointer = ptrace_.stack_pointer(tid);
    return pointer ? *pointer : std::nullopt;
}

}  // namespace execseal
