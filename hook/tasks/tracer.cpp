#include "hook/tasks/tracer.h"

#include <unistd.h>

#include <algorithm>

#include "hook/exec/notified_call.h"
#include "hook/os/kernel_constants.h"
#include "hook/os/log.h"

namespace execseal {
namespace {

constexpr PtraceOptions kBornOptions{.births = true};
constexpr PtraceOptions kExecOptions{.births = true, .exec = true, .exit_kill = true};

// Who has held the task may be gone when we look who it is.
constexpr int kSeizeRetries = 16;

bool covers(const PtraceOptions& have, const PtraceOptions& want) {
    return (have.births || !want.births) && (have.exec || !want.exec) &&
           (have.exit_kill || !want.exit_kill);
}

}  // namespace

Tracer::Tracer(Ptrace& ptrace, TraceeWait& wait, Procfs& procfs)
    : ptrace_(ptrace),
      wait_(wait),
      procfs_(procfs),
      thread_(std::this_thread::get_id()),
      self_{::gettid()} {}

Tracer::~Tracer() {
    if (!attachments_.empty()) {
        // Ordinary: a container that is killed hangs up before its last tasks are reaped. The
        // kernel releases them with this thread.
        log_debug("tracer: ends with " + std::to_string(attachments_.size()) + " tasks attached");
    }
}

void Tracer::check_thread() const {
    CHECK(std::this_thread::get_id() == thread_);
}

Tracer::Attachment* Tracer::find(Tid tid) {
    const auto found = attachments_.find(tid);
    return found == attachments_.end() ? nullptr : &found->second;
}

Tracer::Attachment& Tracer::attach(Tid tid, const PtraceOptions& options) {
    Attachment& attachment = attachments_[tid];
    attachment = Attachment{};
    attachment.serial = next_serial_++;
    attachment.options = options;
    return attachment;
}

Result<SeizeOutcome> Tracer::seize(Tid tid, const PtraceOptions& options) {
    check_thread();
    Result<SeizeOutcome> outcome = seize_once(tid, options);
    for (int again = 0; again < kSeizeRetries && outcome && outcome->what == Seized::kRefused;
         ++again) {
        outcome = seize_once(tid, options);
    }
    return outcome;
}

Result<SeizeOutcome> Tracer::seize_once(Tid tid, const PtraceOptions& options) {
    if (Attachment* attachment = find(tid)) {
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
            return SeizeOutcome{.what = Seized::kNew, .serial = attach(tid, options).serial};
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
        const bool renamed = execs_.contains(tid);
        Attachment& ours = attach(tid, renamed ? kExecOptions : kBornOptions);
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

void Tracer::expect_exec(Tgid process, Tid caller) {
    Expected& expected = execs_[Tid{process.value}];
    ++expected.execs;
    expected.of_others += caller.value != process.value ? 1 : 0;
}

void Tracer::exec_over(Tgid process, Tid caller) {
    const auto found = execs_.find(Tid{process.value});
    if (found == execs_.end()) {
        return;
    }
    Expected& expected = found->second;
    expected.of_others -= caller.value != process.value ? 1 : 0;
    const bool certain = expected.of_others == 0;
    if (--expected.execs == 0) {
        execs_.erase(found);
    }
    if (certain) {
        reap_leaving();
    }
}

bool Tracer::may_be_taken(Tid tid) const {
    const auto expected = execs_.find(tid);
    return expected != execs_.end() && expected->second.of_others > 0;
}

void Tracer::let_go_later(Tid tid, Attachment& attachment) {
    if (!std::exchange(attachment.leaving, true)) {
        leaving_.push_back(tid);
    }
}

Result<> Tracer::interrupt(Tid tid) {
    check_thread();
    const Attachment* attachment = find(tid);
    if (attachment == nullptr || attachment->stop) {
        return Ok{};
    }
    const Result<PtraceReach> reach = ptrace_.interrupt(tid);
    if (!reach) {
        return reach.error();
    }
    return Ok{};  // gone: the wait will tell
}

// waitpid(2) has no error for these arguments but ECHILD and EINTR, which are values by now.
std::optional<Stop> Tracer::try_wait(Tid tid) {
    Result<std::optional<Stop>> waited = wait_.try_wait(tid);
    CHECK(waited.has_value());
    return std::move(waited).value();
}

std::optional<Stop> Tracer::poll(Tid tid) {
    if (has_executed(tid)) {
        return std::nullopt;
    }
    std::optional<Stop> stop = poll_any(tid);
    if (stop && has_executed(tid)) {
        find(tid)->seen = false;
        return std::nullopt;
    }
    return stop;
}

bool Tracer::has_executed(Tid tid) const {
    const Stop* const stop = stop_of(tid);
    return stop != nullptr && is_exec(*stop) && execs_.contains(tid);
}

std::optional<Stop> Tracer::poll_any(Tid tid) {
    check_thread();
    Attachment* attachment = find(tid);
    if (attachment == nullptr) {
        return stop::Gone{};
    }
    if (attachment->held) {
        return std::nullopt;
    }
    if (attachment->stop) {
        if (std::exchange(attachment->seen, true)) {
            return std::nullopt;
        }
        return attachment->stop;
    }
    std::optional<Stop> news = try_wait(tid);
    if (!news) {
        return std::nullopt;
    }
    return give_news(tid, *news);
}

std::optional<Stop> Tracer::poll_exec(Tid caller, Tgid process) {
    const Tid leader{process.value};
    if (caller == leader) {
        return poll_any(caller);
    }
    if (Attachment* own = find(caller)) {
        const PtraceOptions options = own->options;
        std::optional<Stop> news = poll_any(caller);
        if (!news || !std::holds_alternative<stop::Gone>(*news)) {
            return news;
        }
        // Either it is really gone, or it has become the leader: then the leader is ours to wait
        // for.
        std::optional<Stop> renamed = try_wait(leader);
        if (renamed && std::holds_alternative<stop::Gone>(*renamed)) {
            return renamed;
        }
        suspect_orphan_of(leader);
        (void)attach(leader, options);
        if (!renamed) {
            return std::nullopt;
        }
        return give_news(leader, *renamed);
    }
    return poll_any(leader);
}

Stop Tracer::give_news(Tid tid, Stop stop) {
    Stop taken = take_news(tid, stop);
    if (Attachment* stopped = find(tid)) {
        stopped->seen = true;
    }
    return taken;
}

Stop Tracer::take_news(Tid tid, Stop stop) {
    if (is_end(stop)) {
        end(tid);
        return stop;
    }
    Attachment* attachment = find(tid);
    CHECK(attachment != nullptr);
    const PtraceOptions options = attachment->options;
    attachment->told = true;
    auto* event = std::get_if<stop::Event>(&stop);
    const bool exec = is_exec(stop);
    if (is_birth(stop) || exec) {
        const Result<std::optional<std::uint64_t>> message = ptrace_.event_message(tid);
        // A thread that has taken the number since tells its own former one (of its exec).
        const bool another_tells = is_birth(stop) && execs_.contains(tid) && message && *message &&
                                   attachments_.contains(Tid{static_cast<pid_t>(**message)});
        if (!message || !*message || another_tells) {
            // Killed in its stop. The child, if there is one, is as unknown as if the creator had
            // died before the event.
            event->message = 0;
            if (is_birth(stop)) {
                suspect_orphan();
            }
        } else {
            event->message = **message;
            const Tid other{static_cast<pid_t>(**message)};
            if (exec) {
                rename(other, tid);
            } else {
                adopt_child(options, other);
            }
        }
    }
    attachment = find(tid);  // adopting may have moved it
    attachment->stop = stop;
    attachment->seen = false;
    if (exec && execs_.contains(tid)) {
        attachment->leaving = false;  // that was for the leader, whose number this thread has taken
    }
    return stop;
}

void Tracer::end(Tid tid) {
    if (find(tid) == nullptr) {
        return;
    }
    suspect_orphan_of(tid);
    attachments_.erase(tid);
    std::erase(strays_, tid);
}

void Tracer::suspect_orphan() {
    orphans_possible_ = true;
    sweep_is_due_ = true;
}

void Tracer::suspect_orphan_of(Tid ended) {
    const Attachment* attachment = find(ended);
    if (attachment != nullptr && attachment->options.births && !attachment->told) {
        suspect_orphan();
    }
}

void Tracer::adopt_child(const PtraceOptions& options, Tid child) {
    if (attachments_.contains(child)) {
        std::erase(strays_, child);  // a sweep met it first; now it has somebody who waits for it
        return;
    }
    // The kernel gives the child its creator's options (ptrace_init_task()). It cannot have called
    // anything before its first stop.
    Attachment& newborn = attach(child, options);
    newborn.told = true;
    newborn.newborn = true;
}

void Tracer::rename(Tid former, Tid leader) {
    if (former == leader) {
        return;
    }
    const auto thread = attachments_.find(former);
    if (thread == attachments_.end()) {
        return;
    }
    // The old leader is dead and its record with it.
    suspect_orphan_of(leader);
    const Attachment renamed = thread->second;
    attachments_.erase(thread);
    attachments_[leader] = renamed;
}

bool Tracer::try_reap(Tid tid) {
    check_thread();
    const Attachment* attachment = find(tid);
    if (attachment == nullptr) {
        return true;
    }
    std::optional<Stop> news = try_wait(tid);
    if (!news) {
        return false;
    }
    return is_end(take_news(tid, *news));
}

Result<Released> Tracer::release(Tid tid) {
    check_thread();
    Attachment* attachment = find(tid);
    if (attachment == nullptr) {
        return Released::kGone;
    }
    if (has_executed(tid)) {
        return Released::kDying;
    }
    if (may_be_taken(tid)) {
        if (!attachment->stop) {
            return Released::kDying;  // poll_exec() has made it the thread's
        }
        if (std::optional<Stop> news = try_wait(tid)) {
            const Stop taken = take_news(tid, *news);
            if (is_end(taken)) {
                return Released::kGone;
            }
            attachment = find(tid);
            if (is_exec(taken)) {
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
    check_thread();
    return is_attached(tid) ? detach(tid) : Result<Released>(Released::kGone);
}

Result<Released> Tracer::detach(Tid tid) {
    Attachment* const attachment = find(tid);
    CHECK(attachment != nullptr && attachment->stop.has_value());
    const auto* owed = std::get_if<stop::Signal>(&*attachment->stop);
    if (!std::holds_alternative<stop::Event>(*attachment->stop) && !attachment->newborn) {
        restart_notified_call(tid);
    }
    const Result<PtraceReach> reach = ptrace_.detach(tid, owed != nullptr ? owed->signal : 0);
    if (!reach) {
        return reach.error();
    }
    if (*reach == PtraceReach::kDone) {
        attachments_.erase(tid);
        std::erase(strays_, tid);
        return Released::kDetached;
    }
    // Killed in its stop: it has no signal to get any more, but it has to be reaped.
    attachment->stop.reset();
    let_go_later(tid, *attachment);
    reap_leaving();
    return is_attached(tid) ? Released::kDying : Released::kGone;
}

Result<> Tracer::release_when_stopped(Tid tid, Interrupt how) {
    check_thread();
    Attachment* attachment = find(tid);
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
    check_thread();
    for (std::size_t i = 0; i < leaving_.size();) {
        const Tid tid = leaving_[i];
        Attachment* attachment = find(tid);
        if (attachment != nullptr && attachment->leaving && !attachment->held) {
            if (!attachment->stop) {
                if (std::optional<Stop> news = try_wait(tid)) {
                    const Stop taken = take_news(tid, *news);
                    if (const auto* birth = std::get_if<stop::Event>(&taken);
                        is_birth(taken) && birth->message != 0) {
                        strays_.push_back(Tid{static_cast<pid_t>(birth->message)});
                    }
                }
            }
            attachment = find(tid);
            if (attachment != nullptr && attachment->stop && attachment->leaving) {
                // An error here is EIO or the like for a stopped tracee: nothing to be done, and
                // it stays owned.
                (void)release(tid);
                attachment = find(tid);
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
    check_thread();
    Attachment* attachment = find(tid);
    if (attachment == nullptr) {
        return Ok{};
    }
    if (has_executed(tid)) {
        return Ok{};
    }
    if (may_be_taken(tid)) {
        if (attachment->stop) {
            let_go_later(tid, *attachment);
        }
        return Ok{};
    }
    CHECK(attachment->stop.has_value());
    const auto* owed = std::get_if<stop::Signal>(&*attachment->stop);
    if (!std::holds_alternative<stop::Event>(*attachment->stop)) {
        restart_notified_call(tid);
    }
    const Result<PtraceReach> reach = ptrace_.resume(tid, owed != nullptr ? owed->signal : 0);
    attachment->stop.reset();
    attachment->newborn = false;
    attachment->told = false;
    return reach ? Result<>(Ok{}) : Result<>(reach.error());
}

Result<> Tracer::kill(Tid tid) {
    check_thread();
    CHECK(is_attached(tid));
    const Result<PtraceReach> reach = ptrace_.kill(tid);
    return reach ? Result<>(Ok{}) : Result<>(reach.error());
}

const std::vector<Tid>& Tracer::sweep() {
    check_thread();
    swept_.clear();
    sweep_is_due_ = false;
    // Ends by itself: a tracee that is not resumed gives at most a stop and its end.
    while (true) {
        Result<AnyNews> news = wait_.try_wait_any();
        CHECK(news.has_value());  // as in try_wait()
        if (news->kind == AnyNews::Kind::kNoTracee) {
            // Not one tracee in the kernel: there is no stray either. Tasks that are recorded here
            // have been renamed by an exec or reaped; their owners will find them gone.
            orphans_possible_ = false;
        }
        if (news->kind != AnyNews::Kind::kStop) {
            return swept_;
        }
        if (attachments_.contains(news->tid)) {
            swept_.push_back(news->tid);
        } else if (is_end(news->what)) {
            continue;  // a child that was killed before anybody knew it
        } else if (execs_.contains(news->tid) || is_exec(news->what)) {
            // Not a child: a thread that has taken its leader's number in its exec, and must not
            // run before its caller's flow has verified it.
            attach(news->tid, kExecOptions).told = true;
        } else {
            attach(news->tid, kBornOptions).told = true;
            strays_.push_back(news->tid);
        }
        (void)take_news(news->tid, news->what);
    }
}

std::vector<Tid> Tracer::take_strays() {
    return std::exchange(strays_, {});
}

Awaited Tracer::look(Tid tid) {
    check_thread();
    const Attachment* attachment = find(tid);
    if (attachment == nullptr) {
        return Awaited::kEnded;
    }
    if (attachment->stop) {
        return Awaited::kStopped;
    }
    std::optional<Stop> news = try_wait(tid);
    if (!news) {
        std::this_thread::yield();  // one that was interrupted just now may need this CPU
        news = try_wait(tid);
    }
    if (!news) {
        return Awaited::kTick;
    }
    return is_end(take_news(tid, *news)) ? Awaited::kEnded : Awaited::kStopped;
}

Awaited Tracer::await(Tid tid) {
    check_thread();
    const Attachment* attachment = find(tid);
    if (attachment == nullptr) {
        return Awaited::kEnded;
    }
    if (attachment->stop) {
        return Awaited::kStopped;
    }
    Result<std::optional<Stop>> waited = wait_.wait(tid);
    CHECK(waited.has_value());  // as in try_wait()
    std::optional<Stop> news = std::move(waited).value();
    if (!news) {
        return Awaited::kTick;
    }
    return is_end(take_news(tid, *news)) ? Awaited::kEnded : Awaited::kStopped;
}

void Tracer::hold(Tid tid) {
    if (Attachment* attachment = find(tid)) {
        attachment->held = true;
    }
}

void Tracer::unhold(Tid tid) {
    if (Attachment* attachment = find(tid)) {
        attachment->held = false;
    }
}

std::uint64_t Tracer::serial(Tid tid) const {
    const auto found = attachments_.find(tid);
    return found == attachments_.end() ? 0 : found->second.serial;
}

const Stop* Tracer::stop_of(Tid tid) const {
    const auto found = attachments_.find(tid);
    if (found == attachments_.end() || !found->second.stop) {
        return nullptr;
    }
    return &*found->second.stop;
}

std::optional<std::int64_t> Tracer::syscall_result(Tid tid) {
    check_thread();
    const Result<std::optional<SyscallState>> call = ptrace_.current_syscall(tid);
    return call && *call ? std::optional((*call)->result) : std::nullopt;
}

std::optional<RemoteAddr> Tracer::stack_pointer(Tid tid) {
    check_thread();
    const Result<std::optional<RemoteAddr>> pointer = ptrace_.stack_pointer(tid);
    return pointer ? *pointer : std::nullopt;
}

void Tracer::restart_notified_call(Tid tid) {
    const auto call = ptrace_.current_syscall(tid);
    if (call && *call && (*call)->result == -std::int64_t{kErestartsys} &&
        is_notified_call((*call)->arch, (*call)->nr)) {
        // kernel: handle_signal(), arch/x86/kernel/signal.c, runs after this stop.
        (void)ptrace_.set_syscall_result(tid, -std::int64_t{kErestartnointr});
    }
}

}  // namespace execseal
