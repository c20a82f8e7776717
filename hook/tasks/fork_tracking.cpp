#include "hook/tasks/fork_tracking.h"

#include <algorithm>
#include <string>
#include <unordered_set>
#include <utility>

#include "hook/os/check.h"
#include "hook/os/deadline.h"
#include "hook/os/kernel_constants.h"
#include "hook/os/log.h"
#include "hook/os/remote_memory.h"
#include "hook/os/task_ids.h"

namespace execseal {
namespace {

constexpr std::chrono::milliseconds kLookAgain{20};

// Programs that catch SIGCHLD say so before they fork first, and a read of a status file costs as
// much as half of a fork's other calls together.
constexpr std::chrono::milliseconds kAskAgain{20};
constexpr std::size_t kRemembered = 1024;

// Also where the flags are in memory, which another thread may change.
bool may_share_fs(const ForkCall& call) {
    return !call.flags || ((*call.flags & kCloneFs) != 0 && (*call.flags & kCloneThread) == 0);
}

bool is_in_call(ForkState state) {
    return state != ForkState::kKept && state != ForkState::kRecalled;
}

void log_failure(const char* what, Tid tid, const Error& error) {
    log_warning("fork tracking: " + std::string(what) + " of task " + std::to_string(tid.value) +
                ": " + error.text());
}

// Makes the kernel restart a call whose notification we hold: the caller is interrupted, the call
// comes again, and the caller is unattached by then. For a caller that is attached with other
// options than the call needs.
void restart_call(Tracer& tracer, SeccompNotify& listener, NotifyId id, Tid caller) {
    // The interrupt first: with it pending the caller handles signals before it returns to its
    // program, and there -ERESTARTNOINTR becomes a restart that the program does not see
    // (arch_do_signal_or_restart()). An ordinary notification is stale by then; one of a filter
    // with WAIT_KILLABLE_RECV waits for this answer.
    (void)tracer.release_when_stopped(caller, Interrupt::kYes);
    (void)listener.answer(id, Answer::fail(kErestartnointr));
}

}  // namespace

ForkTracking::ForkTracking(Tracer& tracer, TaskTable& table, Procfs& procfs,
                           ForkTrackingLimits limits)
    : tracer_(tracer), table_(table), procfs_(procfs), limits_(limits), grace_(limits.grace) {}

ForkTracking::Makes ForkTracking::what_it_makes(const ForkCall& call) {
    if (!call.flags) {
        return Makes::kUnknown;
    }
    if ((*call.flags & kCloneThread) != 0) {
        return Makes::kThread;
    }
    return (*call.flags & kCloneParent) != 0 ? Makes::kSibling : Makes::kChild;
}

void ForkTracking::suspect_sharers(const std::vector<Tgid>& processes) {
    for (const Tgid process : processes) {
        fs_sharers_.ended(Tgid{}, process);
    }
}

void ForkTracking::begin_sharing(Flow& flow, const ForkCall& call) {
    if (!may_share_fs(call)) {
        return;
    }
    const Result<std::optional<TaskStatus>> status = procfs_.status(call.tid);
    flow.fs_maker = status && *status ? (*status)->tgid : Tgid{call.tid.value};
    fs_sharers_.begun(flow.fs_maker);
}

void ForkTracking::end_sharing(Flow& flow, Tid child) {
    if (flow.fs_maker != Tgid{}) {
        fs_sharers_.ended(std::exchange(flow.fs_maker, Tgid{}), Tgid{child.value});
    }
}

ForkTracking::Memory ForkTracking::where_it_runs(const ForkCall& call) {
    if (!call.flags) {
        return Memory::kCompare;
    }
    return (*call.flags & kCloneVm) != 0 ? Memory::kShared : Memory::kOwn;
}

void ForkTracking::on_notification(SeccompNotify& listener, NotifyId id, const ForkCall& call,
                                   Clock::time_point now) {
    ++counts_.received;
    const Occasion occasion{&listener, id, Tid{}, now};
    const Tid caller = call.tid;
    if (caller == Tid{} || (may_share_fs(call) && fs_sharers_.is_full())) {
        ++counts_.refused;
        (void)answer(Answer::fail(limits_.refused_errno), occasion);
        return;
    }
    if (flows_.contains(caller)) {
        // Either its last call has failed, or that caller is dead and this one has its number.
        poll_flow(caller, now);
    }
    if (const auto known = flows_.find(caller); known != flows_.end()) {
        Flow& flow = known->second;
        counts_.without_child += is_in_call(flow.state) ? 1 : 0;
        flow.number = next_number_++;
        flow.makes = what_it_makes(call);
        end_sharing(flow, Tid{});
        begin_sharing(flow, call);
        flow.memory = where_it_runs(call);
        flow.lineage = lineage_of(call);
        run(flow, ForkInput::kNotifiedAnew, occasion);
    } else {
        std::erase_if(unseized_,
                      [&](const Unseized& earlier) { return earlier.call.tid == caller; });
        begin({&listener, id, call, Tgid{}, std::nullopt}, now);
        return;
    }
    settle(caller, occasion);
}

void ForkTracking::begin(const Unseized& call, Clock::time_point now) {
    const Tid caller = call.call.tid;
    const Result<SeizeOutcome> outcome = tracer_.seize(caller, kForkOptions);
    std::optional<ForkInput> seized = ForkInput::kSeizeRefused;
    if (!outcome) {
        log_failure("seize", caller, outcome.error());
        ++counts_.refused;
    } else if (outcome->what == Seized::kExecuting) {
        try_again(call, now);
        return;
    } else if (outcome->by_supervisor &&
               now - call.held_since.value_or(now) < limits_.longest_held) {
        Unseized held = call;
        held.held_since = call.held_since.value_or(now);
        try_again(held, now);
        return;
    } else {
        seized = take_seized(*outcome, caller, {call.listener, call.id, Tid{}, now});
    }
    if (seized) {
        const Occasion occasion{call.listener, call.id, Tid{}, now};
        Flow& flow = flows_[caller];
        flow.number = next_number_++;
        flow.caller = caller;
        flow.makes = what_it_makes(call.call);
        begin_sharing(flow, call.call);
        flow.memory = where_it_runs(call.call);
        flow.lineage = lineage_of(call.call);
        run(flow, *seized, occasion);
        settle(caller, occasion);
    }
}

// The kernel would let the fork happen beside the exec, but then nobody would learn of its child. A
// signal that comes meanwhile ends the call with EINTR where its handler lacks SA_RESTART: the
// thread is about to be killed by the exec, unless that fails.
void ForkTracking::try_again(Unseized call, Clock::time_point now) {
    if (call.process == Tgid{}) {
        const Result<std::optional<TaskStatus>> status = procfs_.status(call.call.tid);
        call.process = status && *status ? (*status)->tgid : Tgid{};
    }
    unseized_.push_back(call);
    next_retry_ = next_retry_.value_or(now + limits_.retry);
}

// At most one attempt a process, which costs this thread the bound of Ptrace::seize(); none where
// the exec is one that we await.
void ForkTracking::retry_unseized(Clock::time_point now) {
    next_retry_.reset();
    std::unordered_set<Tgid> still_busy;
    for (Unseized& waiting : std::exchange(unseized_, {})) {
        const Result<NotifyReach> waits = waiting.listener->id_valid(waiting.id);
        if (waits && *waits != NotifyReach::kDone) {
            continue;
        }
        if (tracer_.expects_exec(waiting.process) || still_busy.contains(waiting.process)) {
            unseized_.push_back(waiting);
            continue;
        }
        const std::size_t before = unseized_.size();
        begin(waiting, now);
        if (unseized_.size() > before) {
            still_busy.insert(waiting.process);
        }
    }
    if (!unseized_.empty()) {
        next_retry_ = now + limits_.retry;
    }
}

void ForkTracking::forget(const SeccompNotify& listener) {
    std::erase_if(unseized_,
                  [&](const Unseized& waiting) { return waiting.listener == &listener; });
}

std::optional<ForkInput> ForkTracking::take_seized(const SeizeOutcome& outcome, Tid caller,
                                                   const Occasion& occasion) {
    switch (outcome.what) {
        case Seized::kNew:
        case Seized::kAlready:
            return ForkInput::kSeizeDone;
        case Seized::kGone:
        case Seized::kZombie:
            return ForkInput::kGone;
        case Seized::kAlreadyLess:
            restart_call(tracer_, *occasion.listener, occasion.id, caller);
            return std::nullopt;
        case Seized::kTracedByOther:
            if (limits_.traced_may_fork) {
                table_.may_miss_births();
                (void)answer(Answer::go_on(), occasion);
                return ForkInput::kGone;  // for us
            }
            log_info("fork tracking: task " + std::to_string(caller.value) + " is traced by " +
                     std::to_string(outcome.other_tracer.value) + ", its fork is refused");
            break;
        case Seized::kExecuting:  // begin() has seen to it
        case Seized::kRefused:
            log_warning("fork tracking: task " + std::to_string(caller.value) +
                        " cannot be traced, its fork is refused");
            break;
    }
    ++counts_.refused;
    return ForkInput::kSeizeRefused;
}

ForkInput ForkTracking::answer(const Answer& answer, const Occasion& occasion) {
    CHECK(occasion.listener != nullptr);
    const Result<NotifyReach> reach = occasion.listener->answer(occasion.id, answer);
    if (!reach) {
        log_warning("fork tracking: " + reach.error().text());
        return ForkInput::kAnswerFailed;
    }
    return *reach == NotifyReach::kDone ? ForkInput::kAnswerDone : ForkInput::kAnswerGone;
}

void ForkTracking::run(Flow& flow, ForkInput input, const Occasion& occasion) {
    for (;;) {
        const ForkState before = flow.state;
        const ForkStep taken = fork_step(before, input);
        if (taken.impossible) {
            ++counts_.impossible;
            log_error("fork tracking: '" + std::string(fork_input_name(input)) + "' in state '" +
                      fork_state_name(before) + "' of task " + std::to_string(flow.caller.value));
        }
        if (before == ForkState::kInterrupted &&
            (input == ForkInput::kGroupStop || input == ForkInput::kPassingStop)) {
            learn_from_interrupt(flow.caller);
        }
        flow.state = taken.next;
        bool goes_on = false;
        for (const ForkAction action : taken.actions) {
            if (const std::optional<ForkInput> result = perform(flow, action, occasion)) {
                input = *result;
                goes_on = true;
            }
        }
        if (!goes_on) {
            return;
        }
    }
}

std::optional<ForkInput> ForkTracking::perform(Flow& flow, ForkAction action,
                                               const Occasion& occasion) {
    switch (action) {
        case ForkAction::kNothing:
            return std::nullopt;
        case ForkAction::kAnswerErrno:
            (void)answer(Answer::fail(limits_.refused_errno), occasion);
            return std::nullopt;
        case ForkAction::kAnswerContinue:
            flow.answered = occasion.now;
            return answer(Answer::go_on(), occasion);
        case ForkAction::kStartGrace:
            start_grace(flow, occasion.now);
            return std::nullopt;
        case ForkAction::kInterrupt:
            if (const Result<> sent = tracer_.interrupt(flow.caller); !sent) {
                log_failure("interrupt", flow.caller, sent.error());
            }
            return std::nullopt;
        case ForkAction::kReleaseCaller:
            release(flow.caller);
            return std::nullopt;
        case ForkAction::kRegisterChild:
            ++counts_.born;
            if (flow.answered) {
                learn_from_event(occasion.now - *flow.answered);
            }
            end_sharing(flow, occasion.child);
            register_child(occasion.child, flow, TaskOrigin::kForkEvent, occasion.now);
            (void)catches_child(flow, occasion.now);  // asked while the child comes to its stop
            return std::nullopt;
        case ForkAction::kAskCaller:
            return catches_child(flow, occasion.now) ? ForkInput::kCatchesChild
                                                     : ForkInput::kCatchesNone;
        case ForkAction::kResumeCaller:
            if (const Result<> resumed = tracer_.resume(flow.caller); !resumed) {
                log_failure("resume", flow.caller, resumed.error());
            }
            return std::nullopt;
        case ForkAction::kKeepCaller:
            start_keep(flow, occasion.now);
            return std::nullopt;
        case ForkAction::kReleaseChild:
            release(occasion.child);
            return std::nullopt;
        case ForkAction::kForgetChild:
            forget_child(occasion.child);
            return std::nullopt;
        case ForkAction::kAbandon:
            (void)tracer_.release_when_stopped(flow.caller, Interrupt::kYes);
            if (occasion.child != Tid{}) {
                (void)tracer_.release_when_stopped(occasion.child, Interrupt::kNo);
            }
            return std::nullopt;
    }
    return std::nullopt;
}

void ForkTracking::start_grace(Flow& flow, Clock::time_point now) {
    flow.arming = next_number_++;
    deadlines_.push_back({now + grace_, flow.caller, flow.arming});
}

void ForkTracking::start_keep(Flow& flow, Clock::time_point now) {
    flow.arming = next_number_++;
    keeps_.push_back({now + limits_.keep, flow.caller, flow.arming});
    flow.makes = Makes::kUnknown;
    flow.memory = Memory::kCompare;
    flow.lineage = {};
    flow.answered.reset();
}

// One that does not catch it is let go: SIGCHLD would make an attached task stop even where it is
// ignored, and a wait such as epoll_wait(2) would end with EINTR.
bool ForkTracking::catches_child(Flow& flow, Clock::time_point now) {
    if (!flow.catches_child) {
        // The creator of a stray is gone.
        flow.catches_child = flow.caller != Tid{} && flow.makes != Makes::kThread &&
                             caller_catches_child(flow.caller, now);
    }
    return *flow.catches_child;
}

bool ForkTracking::caller_catches_child(Tid caller, Clock::time_point now) {
    const auto known = not_catching_.find(caller);
    if (known != not_catching_.end() && now - known->second < kAskAgain) {
        return false;
    }
    const Result<std::optional<TaskStatus>> status = procfs_.status(caller);
    if (status && *status && (*status)->catches_sigchld) {
        return true;
    }
    if (not_catching_.size() >= kRemembered) {
        not_catching_.clear();
    }
    not_catching_[caller] = now;
    return false;
}

void ForkTracking::release(Tid tid) {
    const Result<Released> released = tracer_.release(tid);
    if (!released) {
        log_failure("release", tid, released.error());
    }
}

// Puts a flow where its state belongs after a run.
void ForkTracking::settle(Tid caller, const Occasion& occasion) {
    const auto found = flows_.find(caller);
    if (found == flows_.end()) {
        return;
    }
    if (found->second.state == ForkState::kDone) {
        end_sharing(found->second, Tid{});
        flows_.erase(found);
    } else if (found->second.state == ForkState::kBirth) {
        auto flow = flows_.extract(found);
        flow.key() = occasion.child;
        births_.erase(occasion.child);
        births_.insert(std::move(flow));
        poll_birth(occasion.child, occasion.now);
    }
}

void ForkTracking::poll_flow(Tid caller, Clock::time_point now) {
    const auto found = flows_.find(caller);
    if (found == flows_.end()) {
        return;
    }
    const std::optional<Stop> stop = tracer_.waits().poll(caller);
    if (!stop) {
        return;
    }
    Occasion occasion{nullptr, NotifyId{}, Tid{}, now};
    ForkInput input = std::holds_alternative<stop::Group>(*stop) ? ForkInput::kGroupStop
                                                                 : ForkInput::kPassingStop;
    if (is_end(*stop)) {
        input = ForkInput::kGone;
    } else if (const auto* event = std::get_if<stop::Event>(&*stop);
               is_birth(*stop) && event->message != 0) {
        occasion.child = Tid{static_cast<pid_t>(event->message)};
        input = ForkInput::kBorn;
        if (event->kind == stop::EventKind::kVfork && vfork_parents_ != nullptr) {
            vfork_parents_->add(caller, Tgid{occasion.child.value});
        }
    }
    if (input != ForkInput::kBorn && is_in_call(found->second.state)) {
        ++counts_.without_child;
        end_sharing(found->second, Tid{});
    }
    run(found->second, input, occasion);
    settle(caller, occasion);
}

void ForkTracking::poll_birth(Tid child, Clock::time_point now) {
    const auto found = births_.find(child);
    if (found == births_.end()) {
        return;
    }
    const std::optional<Stop> stop = tracer_.waits().poll(child);
    if (!stop) {
        return;
    }
    auto flow = births_.extract(found);
    if (is_end(*stop) && vfork_parents_ != nullptr) {
        vfork_parents_->forget_child(Tgid{child.value});
    }
    run(flow.mapped(), is_end(*stop) ? ForkInput::kChildGone : ForkInput::kChildStop,
        {nullptr, NotifyId{}, child, now});
    if (flow.mapped().state == ForkState::kKept) {
        flow.key() = flow.mapped().caller;
        flows_.erase(flow.key());
        flows_.insert(std::move(flow));
    }
}

void ForkTracking::register_child(Tid child, const Flow& creator, TaskOrigin origin,
                                  Clock::time_point now) {
    const Tgid process{child.value};
    const Tgid parent{creator.caller.value};
    if (creator.makes == Makes::kThread) {
        return;
    }
    // A caller that is not in the table is a thread, or new to us.
    if (creator.makes == Makes::kChild && table_.find(parent) != nullptr) {
        table_.add_child(process, parent, now);
        table_.set_lineage(process, creator.lineage);
        note_memory(process, creator);
        return;
    }
    if (creator.makes == Makes::kUnknown) {
        const Result<std::optional<TaskStatus>> status = procfs_.status(child);
        if (status && *status && (*status)->tgid != process) {
            return;
        }
    }
    if (table_.add(process, origin, now)) {
        table_.set_lineage(process, creator.lineage);
        note_memory(process, creator);
    }
}

// Both stand still: the child before its first instruction, the creator at the event that tells of
// it. What is not known stays unknown.
void ForkTracking::note_memory(Tgid child, const Flow& creator) {
    bool shared = creator.memory == Memory::kShared;
    if (creator.memory == Memory::kCompare) {
        const auto same = creator.caller == Tid{}
                              ? Result<bool>(Error{ESRCH, "its creator"})
                              : share_address_space(Tid{child.value}, creator.caller);
        if (!same) {
            return;
        }
        shared = *same;
    }
    if (!shared) {
        table_.has_own_memory(child);
        return;
    }
    const auto ids = read_task_ids(creator.caller);
    table_.shares_memory(child, ids ? ids->tgid : Tgid{});
}

// By the process itself: the number of a thread may be that of a process that has ended.
Lineage ForkTracking::lineage_of(const ForkCall& call) const {
    if (what_it_makes(call) == Makes::kThread) {
        return {};
    }
    const auto ids = read_task_ids(call.tid);
    return ids ? table_.lineage_of(ids->tgid) : Lineage{};
}

// Not attached any more is not yet dead.
void ForkTracking::forget_child(Tid child) {
    const Result<std::optional<TaskStat>> stat = procfs_.stat(child);
    if (stat && (!*stat || (*stat)->state == 'Z')) {
        table_.remove(Tgid{child.value});
    }
}

void ForkTracking::attach_waiting(const ForkCall& call) {
    (void)tracer_.seize(call.tid, kForkOptions);
}

void ForkTracking::on_sigchld(Clock::time_point now) {
    const bool swept = tracer_.waits().may_have_strays() || in_flight() >= limits_.many;
    if (swept) {
        (void)tracer_.waits().sweep();
    }
    // After a sweep only those are asked that it, or an earlier one of a freeze, has met: that
    // costs no system call.
    const auto may_have_news = [&](Tid tid) {
        return !swept || !tracer_.is_attached(tid) || tracer_.is_stopped(tid);
    };
    scratch_.clear();
    for (const auto& [caller, flow] : flows_) {
        if (may_have_news(caller)) {
            scratch_.push_back(caller);
        }
    }
    const std::size_t callers = scratch_.size();
    for (const auto& [child, flow] : births_) {
        if (may_have_news(child)) {
            scratch_.push_back(child);
        }
    }
    for (std::size_t i = 0; i < scratch_.size(); ++i) {
        if (i < callers) {
            poll_flow(scratch_[i], now);
        } else {
            poll_birth(scratch_[i], now);
        }
    }
    tracer_.reap_leaving();
    // Children that this very sweep met before their creators' events are among them.
    adopt_strays(now);
    look_again(now);
}

// A creator whose number a thread has taken in its exec is found gone once that is over, which no
// SIGCHLD tells; a child of its waits for that in the stop of its birth.
void ForkTracking::look_again(Clock::time_point now) {
    const bool interrupted = std::any_of(flows_.begin(), flows_.end(), [](const auto& entry) {
        return entry.second.state == ForkState::kInterrupted;
    });
    next_look_ = interrupted || !strays_.empty() ? std::optional(now + kLookAgain) : std::nullopt;
}

void ForkTracking::adopt_strays(Clock::time_point now) {
    for (const Tid tid : tracer_.waits().take_strays()) {
        strays_.push_back({tid, next_number_});
    }
    if (strays_.empty()) {
        return;
    }
    std::uint64_t oldest = next_number_;
    for (const auto& [caller, flow] : flows_) {
        if (is_in_call(flow.state)) {
            oldest = std::min(oldest, flow.number);
        }
    }
    for (std::size_t i = 0; i < strays_.size();) {
        const Stray stray = strays_[i];
        const bool claimed = births_.contains(stray.tid) || !tracer_.is_attached(stray.tid);
        if (!claimed && oldest < stray.before) {
            ++i;  // its creator may be alive, with the event still to come
            continue;
        }
        strays_[i] = strays_.back();
        strays_.pop_back();
        if (!claimed) {
            ++counts_.strays;
            Flow& flow = births_[stray.tid];
            flow.state = ForkState::kBirth;
            if (!fs_sharers_.empty()) {
                fs_sharers_.ended(Tgid{}, Tgid{stray.tid.value});  // its creator may have been one
            }
            register_child(stray.tid, flow, TaskOrigin::kStray, now);
            poll_birth(stray.tid, now);
        }
    }
}

std::optional<ForkTracking::Clock::time_point> ForkTracking::first_of(
    std::deque<Deadline>& deadlines) {
    while (!deadlines.empty()) {
        const Deadline& next = deadlines.front();
        const auto flow = flows_.find(next.caller);
        if (flow != flows_.end() && flow->second.arming == next.arming) {
            return next.at;
        }
        deadlines.pop_front();
    }
    return std::nullopt;
}

std::optional<ForkTracking::Clock::time_point> ForkTracking::next_deadline() {
    return tracer_.waits().sweep_is_due()
               ? std::optional(Clock::time_point{})
               : earliest({first_of(deadlines_), first_of(keeps_), next_retry_, next_look_});
}

void ForkTracking::on_deadline(Clock::time_point now) {
    if (next_look_ && *next_look_ <= now) {
        (void)tracer_.waits().sweep();
        on_sigchld(now);
    } else if (tracer_.waits().sweep_is_due()) {
        on_sigchld(now);
    }
    run_due(deadlines_, now);
    run_due(keeps_, now);
    if (!next_look_) {
        look_again(now);
    }
    if (next_retry_ && *next_retry_ <= now) {
        retry_unseized(now);
    }
}

void ForkTracking::run_due(std::deque<Deadline>& deadlines, Clock::time_point now) {
    for (auto due = first_of(deadlines); due && *due <= now; due = first_of(deadlines)) {
        const Tid caller = deadlines.front().caller;
        const std::uint64_t arming = deadlines.front().arming;
        deadlines.pop_front();
        poll_flow(caller, now);
        const auto flow = flows_.find(caller);
        if (flow != flows_.end() && flow->second.arming == arming) {
            run(flow->second, ForkInput::kDeadline, {nullptr, NotifyId{}, Tid{}, now});
            settle(caller, {nullptr, NotifyId{}, Tid{}, now});
        }
    }
}

void ForkTracking::yield(SeccompNotify& listener, NotifyId id, Tid caller, Clock::time_point now) {
    const auto flow = flows_.find(caller);
    if (flow == flows_.end()) {
        return;
    }
    run(flow->second, ForkInput::kYield, {&listener, id, Tid{}, now});
    (void)listener.answer(id, Answer::fail(kErestartnointr));  // see restart_call()
}

// The grace follows four times the usual time of a fork, so that a busy machine does not make every
// fork back out and start again.
void ForkTracking::learn_from_event(Clock::duration taken) {
    const auto seen = std::chrono::duration_cast<std::chrono::microseconds>(taken);
    grace_ = std::clamp((grace_ * 7 + seen * 4) / 8, limits_.grace, limits_.longest_grace);
}

void ForkTracking::learn_from_interrupt(Tid caller) {
    const auto result = tracer_.syscall_result(caller);
    if (result && (*result == -kErestartnointr || *result == -kErestartsys)) {
        grace_ = std::min(grace_ * 2, limits_.longest_grace);
    }
}

}  // namespace execseal
