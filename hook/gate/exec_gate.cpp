#include "hook/gate/exec_gate.h"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <utility>

#include "config/built_in_rules.h"
#include "hook/exec/notified_call.h"
#include "hook/gate/protection.h"
#include "hook/os/deadline.h"
#include "hook/os/log.h"
#include "hook/os/pidfd.h"

namespace execseal {
namespace {

using Clock = ExecGate::Clock;

// The first read is nearly always there by then; what takes longer waits beside the others.
constexpr std::chrono::milliseconds kReadPatience{2};

// An exec that sleeps in the kernel at two looks in a row is taken to wait for somebody who is
// frozen (the FUSE server of its file, a tracer that is to reap one of its threads).
constexpr std::chrono::milliseconds kStallLook{10};
constexpr int kStallLooks = 2;

}  // namespace

struct ExecGate::Flow {
    Flow(Session& from, Tracer& tracer, const Notification& notification)
        : session(&from), caller(tracer, *from.notify, notification) {}

    Session* session;
    ExecCaller caller;
    ExecCall call;
    ExecState state = ExecState::kJudging;
    ExecInput verdict = ExecInput::kRefused;  // of the first read, while it waits for its turn
    ExecReader::Ticket ticket;                // while it is being read
    ExecStudy study;                          // what was judged last
    ExecEvent event;
    Clock::time_point received = Clock::now();
    std::optional<Clock::time_point> grace_end;
    std::optional<Clock::time_point> budget_end;
    std::optional<Clock::time_point> stall_look;
    int looks_asleep = 0;
    Clock::time_point frozen_at;
    int watched_fd = -1;    // of the ticket, while the loop waits for it
    bool answered = false;  // the answer reached the caller, who did not back out after it
};

ExecGate::ExecGate(const GateContext& context)
    : context_(context),
      protection_(protection_of(context.policy, context.floor, context.plan.mode)),
      judge_(context.policy, context.floor, context.plan.mode),
      reader_(context.settings.deadlines.remote_read),
      freeze_(context.tracer, context.procfs, context.tasks) {
    traits_.freeze = protection_.freeze != FreezeScope::kOff;
    traits_.verify = protection_.verify;
    traits_.on_freeze_failure = protection_.on_freeze_failure;
    if (protection_.freeze == FreezeScope::kPidns) {  // else no parent would be held
        context_.forks.tell_vforks_to(vfork_parents_);
    }
}

ExecGate::~ExecGate() = default;

void ExecGate::learn_root(Tid first) {
    ExecCall none;
    none.tid = first;
    judge_.learn_root(reader_.study(none, StudyScope::kRoot, std::nullopt));
}

void ExecGate::set_id_maps(IdMaps maps) {
    reader_.set_container_root(maps.uid.outside(0).value_or(0));
    judge_.set_id_maps(std::move(maps));
}

void ExecGate::on_notification(Session& session, const Notification& notification) {
    switch (kind_of_call(notification.arch, notification.nr)) {
        case NotifiedCall::kExec:
            on_exec(session, notification);
            return;
        case NotifiedCall::kFork:
            on_fork(session, notification);
            return;
        case NotifiedCall::kUnknown:
            refuse_unknown(session, notification);
            return;
    }
}

void ExecGate::on_exec(Session& session, const Notification& notification) {
    supersede(notification);
    if (context_.forks.is_followed(notification.tid)) {
        // Its last fork failed and nobody has noticed yet: it is let go first, and its exec comes
        // again.
        context_.forks.yield(*session.notify, notification, Clock::now());
        return;
    }
    auto flow = std::make_unique<Flow>(session, context_.tracer, notification);
    flow->event.host_pid = notification.tid.value;

    const auto call = decode_exec_call(notification);
    if (!call || notification.tid.value == 0) {
        refuse(flow->event, EPERM, built_in_rule::kInvisible,
               "the caller is not visible in the supervisor's PID namespace");
        drive(*flow, ExecInput::kRefused);
        return;
    }
    flow->call = *call;
    flow->ticket = reader_.begin(*call, StudyScope::kMemoryAndProgram, judge_.root());
    reading_.push_back(std::move(flow));
    collect(*reading_.back(), Clock::now() + kReadPatience);
}

void ExecGate::supersede(const Notification& next) {
    const Tid caller = next.tid;
    if (caller.value == 0) {
        return;
    }
    for (auto* flows : {&reading_, &waiting_}) {
        flows->remove_if([&](const auto& flow) {
            if (flow->caller.tid() == caller && flow->watched_fd >= 0) {
                context_.loop.remove(flow->watched_fd);
            }
            return flow->caller.tid() == caller;
        });
    }
    arrivals_.drop(caller);
    // One whose answer met a caller that was leaving already: no stop may come of that
    // (TIF_NOTIFY_SIGNAL, which io_uring uses, makes it leave without one).
    for (const auto& flow : active_) {
        if (flow->caller.tid() != caller) {
            continue;
        }
        while (const auto input = look_at(*flow)) {
            drive(*flow, *input);
        }
        if (flow->state == ExecState::kDone) {
            continue;
        }
        // The same call again has been started again, by a signal or its caller; another one says
        // that the exec has failed, but not with which error.
        const bool again = decode_exec_call(next) == flow->call;
        flow->event.outcome = again ? Outcome::kGone : Outcome::kFailed;
        flow->answered = flow->answered && !again;
        drive(*flow, ExecInput::kReturnStop);
    }
    drop_done();
    advance();
}

void ExecGate::collect(Flow& flow, Clock::time_point until) {
    auto study = reader_.collect(flow.ticket, until);
    if (study) {
        take_study(flow, std::move(*study));
        return;
    }
    // The page or the mount does not answer: others are served meanwhile.
    const int fd = flow.ticket.fd();
    context_.loop.add(fd, POLLIN, [this, &flow, fd](short) {
        context_.loop.remove(fd);
        flow.watched_fd = -1;
        collect(flow, Clock::now());
    });
    flow.watched_fd = fd;
}

void ExecGate::take_study(Flow& flow, ExecStudy study) {
    flow.study = std::move(study);
    const TaskIds& caller = flow.study.caller;
    if (caller.tgid.value != 0) {
        flow.caller.set_process(caller.tgid);
        flow.event.host_pid = caller.tgid.value;
        flow.event.container_pid =
            lister_ != nullptr ? lister_->number_of(Tid{caller.tgid.value}).value_or(0) : 0;
        flow.event.ppid = caller.parent.value;
        if (!flow.session->leader) {
            flow.session->leader = caller.tgid;
            (void)context_.tasks.add(caller.tgid, TaskOrigin::kSession, Clock::now());
        }
    }
    const ExecInput verdict = judge(flow);
    const bool behind_exec =
        verdict == ExecInput::kAllowed && context_.tracer.expects_exec(flow.caller.process());
    // While the domain is frozen nobody is answered, not even with a refusal: it would run.
    if (!behind_exec &&
        (!traits_.freeze || (verdict != ExecInput::kAllowed && !freeze_.active()))) {
        activate(reading_, flow, verdict);
        return;
    }
    flow.verdict = verdict;
    move_flow(reading_, waiting_, flow);
    advance();
}

void ExecGate::activate(Flows& from, Flow& flow, ExecInput input) {
    move_flow(from, active_, flow);
    drive(flow, input);
    drop_done();
}

void ExecGate::move_flow(Flows& from, Flows& to, const Flow& flow) {
    const auto found = std::find_if(from.begin(), from.end(),
                                    [&](const auto& owned) { return owned.get() == &flow; });
    CHECK(found != from.end());
    to.splice(to.end(), from, found);
}

void ExecGate::on_fork(Session& session, const Notification& notification) {
    supersede(notification);
    if (freeze_.active() || next_turn() != nullptr) {
        // Attached now: a signal that ends its wait meanwhile must not end its call, see
        // Tracer::release(). What came of it is asked again when its turn comes.
        (void)context_.tracer.seize(notification.tid, kForkCallerOptions);
        arrivals_.defer(session, notification);
        return;
    }
    context_.forks.on_notification(*session.notify, notification, Clock::now());
}

ExecGate::Flow* ExecGate::next_turn() const {
    const auto next = std::find_if(waiting_.begin(), waiting_.end(), [&](const auto& flow) {
        return flow->verdict != ExecInput::kAllowed ||
               !context_.tracer.expects_exec(flow->caller.process());
    });
    return next == waiting_.end() ? nullptr : next->get();
}

void ExecGate::advance() {
    while (std::exchange(look_again_, false) || (!freeze_.active() && next_turn() != nullptr)) {
        look_at_active();
        if (Flow* next = freeze_.active() ? nullptr : next_turn()) {
            activate(waiting_, *next, next->verdict);
        }
    }
    while (!freeze_.active() && next_turn() == nullptr) {
        const auto fork = arrivals_.take_deferred();
        if (!fork) {
            return;
        }
        context_.forks.on_notification(*fork->session->notify, fork->notification, Clock::now());
    }
}

void ExecGate::drive(Flow& flow, ExecInput input) {
    auto next = step(flow, input);
    while (next) {
        next = step(flow, *next);
    }
    if (flow.state == ExecState::kDone) {
        flow.caller.end();
        vfork_parents_.forget_parent(flow.caller.process());
    }
}

std::optional<ExecInput> ExecGate::step(Flow& flow, ExecInput input) {
    const ExecStep step = exec_step(flow.state, input, traits_);
    if (step.impossible) {
        const std::string what =
            std::string(exec_state_name(flow.state)) + " + " + exec_input_name(input);
        log_error("exec flow: impossible: " + what);
        refuse(flow.event, EPERM, "impossible", what);
    }
    flow.state = step.next;
    std::optional<ExecInput> next;  // at most one action of a step gives one
    for (const ExecAction action : step.actions) {
        if (const auto produced = perform(flow, action)) {
            next = produced;
        }
    }
    return next;
}

std::optional<ExecInput> ExecGate::perform(Flow& flow, ExecAction action) {
    switch (action) {
        case ExecAction::kAnswerErrno:
            flow.event.outcome = Outcome::kRefused;
            flow.event.latency = Clock::now() - flow.received;
            flow.answered = flow.caller.answer(Answer::fail(flow.event.error));
            return std::nullopt;
        case ExecAction::kAnswerContinue:
            flow.event.latency = Clock::now() - flow.received;
            flow.answered = flow.caller.answer(Answer::go_on());
            if (flow.answered) {
                executed(flow);
            }
            return std::nullopt;
        case ExecAction::kFreeze:
            return freeze(flow);
        case ExecAction::kReread:
            return reread(flow);
        case ExecAction::kArm:
            return arm(flow);
        case ExecAction::kInterrupt:
            flow.grace_end.reset();
            flow.caller.interrupt();
            if (traits_.verify) {
                flow.stall_look = Clock::now() + kStallLook;
            }
            return std::nullopt;
        case ExecAction::kVerify:
            return verify(flow);
        case ExecAction::kKillCaller:
            kill_caller(flow);
            return std::nullopt;
        case ExecAction::kReleaseCaller:
            flow.caller.release();
            return std::nullopt;
        case ExecAction::kThaw:
            thaw(flow);
            return std::nullopt;
        case ExecAction::kGiveUpFreeze:
            flow.event.gate.freeze =
                flow.looks_asleep == kStallLooks
                    ? "given up: the exec slept in the kernel, perhaps for one of the frozen"
                    : "given up: the exec took longer than the freeze budget";
            thaw(flow);
            return std::nullopt;
        case ExecAction::kReport:
            report(flow);
            return std::nullopt;
    }
    return std::nullopt;
}

ExecInput ExecGate::judge(Flow& flow) {
    return judge_.judge(flow.study, via_of(*flow.session, flow.caller.process()), flow.event);
}

std::optional<ExecInput> ExecGate::freeze(Flow& flow) {
    flow.frozen_at = Clock::now();
    flow.event.gate.freeze = freeze_scope_name(protection_.freeze);
    ++counters_.freezes;
    const std::optional<std::string> failure = try_freeze(flow);
    if (!failure) {
        return ExecInput::kFrozen;
    }
    ++counters_.freeze_failures;
    flow.event.gate.freeze = "failed: " + *failure;
    if (protection_.on_freeze_failure == OnFreezeFailure::kDeny || !protection_.verify) {
        refuse(flow.event, EPERM, built_in_rule::kFreeze, "the freeze failed: " + *failure);
    }
    return ExecInput::kFreezeFailed;
}

std::optional<std::string> ExecGate::try_freeze(Flow& flow) {
    const Tid sleeper = take_sleeper(flow);
    std::unique_ptr<ProcessLister> siblings;
    TaskLister* domain = lister_;
    if (protection_.freeze == FreezeScope::kSiblings) {
        auto opened = ProcessLister::open(flow.caller.process());
        if (!opened) {
            return opened.error().text();
        }
        siblings = std::move(*opened);
        domain = siblings.get();
    }
    if (domain == nullptr) {
        return "the tasks of the container cannot be listed";
    }
    arrivals_.receive(*flow.session);
    const std::vector<QuietCaller> quiet = quiet_callers();
    FreezeRequest request;
    request.caller = flow.caller.tid();
    request.parent = flow.study.caller.parent;
    request.sleeper = sleeper;
    request.quiet = quiet;
    request.deadline = flow.frozen_at + protection_.freeze_budget;
    request.unstoppable = traits_.verify ? Unstoppable::kLeave : Unstoppable::kFail;
    FreezeReport report = freeze_.freeze(*domain, request);
    if (report.failure != FreezeFailure::kNone) {
        look_after_thaw();
        return std::move(report.reason);
    }
    freezer_ = &flow;
    flow.budget_end = request.deadline;
    flow.event.gate.frozen_tasks = report.held;
    flow.event.gate.unfrozen_tasks = report.left.size();
    return std::nullopt;
}

Tid ExecGate::take_sleeper(const Flow& flow) {
    const Tid parent = vfork_parents_.take(flow.caller.process(), flow.caller.tid());
    // An exec of another thread of its process, on its way, takes its number without notice.
    return context_.tracer.expects_exec(Tgid{parent.value}) ? Tid{} : parent;
}

std::vector<QuietCaller> ExecGate::quiet_callers() const {
    std::vector<QuietCaller> quiet;
    for (const auto* flows : {&reading_, &waiting_}) {
        for (const auto& flow : *flows) {
            quiet.push_back(flow->caller.quiet());
        }
    }
    arrivals_.append_quiet(quiet);
    return quiet;
}

std::optional<ExecInput> ExecGate::reread(Flow& flow) {
    if (!flow.caller.waits()) {
        return ExecInput::kGone;
    }
    // Bounded by the freeze budget: a page that does not come must not keep the bystanders.
    auto ticket = reader_.begin(flow.call, StudyScope::kMemory, judge_.root());
    auto study = reader_.collect(ticket, *flow.budget_end);
    if (!study) {
        refuse(flow.event, EACCES, built_in_rule::kBlocked,
               "the arguments could not be read again within the freeze budget");
        return ExecInput::kRefused;
    }
    if (study->snapshot.outcome == SnapshotOutcome::kComplete &&
        same_request(study->snapshot, flow.study.snapshot)) {
        return ExecInput::kAllowed;
    }
    flow.event.gate.raced = true;
    ++counters_.raced;
    ticket = reader_.begin(flow.call, StudyScope::kMemoryAndProgram, judge_.root());
    study = reader_.collect(ticket, *flow.budget_end);
    if (!study) {
        refuse(flow.event, EACCES, built_in_rule::kBlocked,
               "the changed arguments could not be read within the freeze budget");
        return ExecInput::kRefused;
    }
    flow.study = std::move(*study);
    return judge(flow);
}

std::optional<ExecInput> ExecGate::arm(Flow& flow) {
    ArmReport armed = flow.caller.arm();
    switch (armed.outcome) {
        case ArmReport::Outcome::kRefused:
            refuse(flow.event, EPERM, armed.rule, std::move(armed.reason));
            return ExecInput::kArmFailed;
        case ArmReport::Outcome::kAgain:
            return ExecInput::kAnswerStale;
        case ArmReport::Outcome::kGone:
            return ExecInput::kGone;
        case ArmReport::Outcome::kDone:
            break;
    }
    flow.event.latency = Clock::now() - flow.received;
    if (!flow.caller.answer(Answer::go_on())) {
        return ExecInput::kAnswerStale;
    }
    flow.answered = true;
    flow.grace_end = Clock::now() + context_.settings.deadlines.exec_grace;
    return std::nullopt;
}

void ExecGate::executed(Flow& flow) {
    flow.event.outcome = Outcome::kExecuted;
    if (flow.session->leader == flow.caller.process()) {
        flow.session->started = true;
    }
}

ExecInput ExecGate::verify(Flow& flow) {
    // After an exec from another thread than the leader the task goes on under the leader's number.
    const Tgid process = flow.caller.process();
    Verification found = verifier_.verify(process, expected_exec(std::move(flow.study)),
                                          context_.tracer.stack_pointer(Tid{process.value}));
    switch (found.outcome) {
        case VerifyOutcome::kSame:
            return ExecInput::kSame;
        case VerifyOutcome::kGone:
            flow.event.outcome = Outcome::kGone;
            return ExecInput::kGone;
        case VerifyOutcome::kUnreadable:
            found.field = "unreadable: " + found.reason;
            break;
        case VerifyOutcome::kDiffers:
            break;
    }
    ++counters_.races_detected;
    flow.event.gate.race_detected = true;
    flow.event.gate.race_field = std::move(found.field);
    flow.event.gate.race_judged = std::move(found.judged);
    flow.event.gate.race_taken = std::move(found.taken);
    return ExecInput::kDifferent;
}

void ExecGate::kill_caller(Flow& flow) {
    flow.event.outcome = Outcome::kKilled;
    flow.answered = true;
    if (flow.event.latency == std::chrono::nanoseconds(0)) {
        flow.event.latency = Clock::now() - flow.received;
    }
    flow.caller.kill();
}

void ExecGate::thaw(Flow& flow) {
    if (freezer_ != &flow) {
        return;
    }
    freezer_ = nullptr;
    freeze_.thaw();
    flow.event.gate.frozen_for = Clock::now() - flow.frozen_at;
    flow.budget_end.reset();
    flow.stall_look.reset();
    look_after_thaw();
}

void ExecGate::look_for_stall(Flow& flow, Clock::time_point now) {
    if (freezer_ != &flow) {
        flow.stall_look.reset();
        return;
    }
    const auto status = context_.procfs.status(flow.caller.tid());
    const bool asleep = status && *status && ((*status)->state == 'S' || (*status)->state == 'D');
    flow.looks_asleep = asleep ? flow.looks_asleep + 1 : 0;
    flow.stall_look = now + kStallLook;
    if (flow.looks_asleep == kStallLooks) {
        drive(flow, ExecInput::kBudgetOver);
    }
}

void ExecGate::look_after_thaw() {
    context_.forks.on_sigchld(Clock::now());
    look_again_ = true;
}

void ExecGate::report(Flow& flow) {
    // Nothing was decided: the caller died before its answer, or a signal made it back out and its
    // call comes again.
    if (!flow.answered) {
        return;
    }
    const Judgement& judgement = flow.event.judgement;
    if (judgement.rule == built_in_rule::kKernel) {
        ++counters_.kernel_refusals;
    } else {
        ++counters_.verdicts.at(static_cast<std::size_t>(judgement.verdict));
    }
    context_.audit.exec(flow.event);
}

std::optional<ExecInput> ExecGate::look_at(Flow& flow) {
    if (flow.state != ExecState::kArmed && flow.state != ExecState::kInterrupted) {
        return std::nullopt;
    }
    const auto news = flow.caller.look();
    if (!news) {
        return std::nullopt;
    }
    switch (news->what) {
        case CallerNews::What::kEnded:
            flow.event.outcome = Outcome::kGone;
            end_unverified(flow);
            return ExecInput::kGone;
        case CallerNews::What::kExecuted:
            executed(flow);
            return ExecInput::kExecStop;
        case CallerNews::What::kBackedOut:
            flow.event.outcome = Outcome::kGone;
            flow.answered = false;
            return ExecInput::kReturnStop;
        case CallerNews::What::kReturned:
            flow.event.outcome = news->error == 0 ? Outcome::kChecked : Outcome::kFailed;
            flow.event.error = news->error;
            return ExecInput::kReturnStop;
    }
    return ExecInput::kGone;
}

// A thread in execve(2) does not end alone: its process ends, goes on as another thread's exec, or,
// which must not be, as this very exec without its verification.
void ExecGate::end_unverified(const Flow& flow) {
    const Tgid process = flow.caller.process();
    const bool other_exec = std::any_of(active_.begin(), active_.end(), [&](const auto& other) {
        return other.get() != &flow && other->caller.process() == process;
    });
    if (flow.caller.tid().value == process.value || !traits_.verify || other_exec) {
        return;
    }
    const auto status = context_.procfs.status(Tid{process.value});
    const auto pidfd = open_pidfd(process.value);
    if (status && *status && (*status)->state != 'Z' && (*status)->state != 'X' && pidfd) {
        log_info("process " + std::to_string(process.value) +
                 " lives on without the thread whose exec was awaited; it is killed");
        (void)send_signal(pidfd->get(), SIGKILL);
    }
}

void ExecGate::look_at_active() {
    for (const auto& flow : active_) {
        while (const auto input = look_at(*flow)) {
            drive(*flow, *input);
        }
    }
    drop_done();
}

void ExecGate::on_sigchld() {
    if (freeze_.active()) {
        // The siblings of a successful exec are killed by the kernel, which waits in de_thread()
        // until their tracer has reaped them.
        freeze_.reap_siblings(freezer_->caller.process());
    }
    look_at_active();
    advance();
}

void ExecGate::drop_done() {
    active_.remove_if([](const auto& flow) { return flow->state == ExecState::kDone; });
}

std::optional<ExecGate::Clock::time_point> ExecGate::next_deadline() const {
    std::optional<Clock::time_point> next;
    if (arrivals_.unseen() != 0) {
        next = Clock::time_point{};  // at once, but after the stops that are there
    }
    for (const auto& flow : reading_) {
        next = earliest({next, flow->ticket.deadline()});
    }
    for (const auto& flow : active_) {
        next = earliest({next, flow->grace_end, flow->budget_end, flow->stall_look});
    }
    return next;
}

void ExecGate::on_deadline(Clock::time_point now) {
    // One at a time, as they would come from the listener: nobody's stop waits for all of them.
    if (const auto next = arrivals_.take_unseen()) {
        on_notification(*next->session, next->notification);
    }
    for (auto next = reading_.begin(); next != reading_.end();) {
        Flow& flow = **next++;  // collect() may move it to another list
        if (flow.watched_fd >= 0 && flow.ticket.deadline() <= now) {
            context_.loop.remove(std::exchange(flow.watched_fd, -1));
            collect(flow, now);
        }
    }
    for (const auto& flow : active_) {
        if (flow->grace_end && *flow->grace_end <= now) {
            drive(*flow, ExecInput::kGraceOver);
        }
        if (flow->budget_end && *flow->budget_end <= now) {
            drive(*flow, ExecInput::kBudgetOver);
        }
        if (flow->stall_look && *flow->stall_look <= now) {
            look_for_stall(*flow, now);
        }
    }
    drop_done();
    advance();
}

void ExecGate::forget(const Session& session) {
    arrivals_.forget(session);
    context_.forks.forget(*session.notify);
    for (auto& flow : reading_) {
        if (flow->session == &session && flow->watched_fd >= 0) {
            context_.loop.remove(std::exchange(flow->watched_fd, -1));
        }
    }
    for (auto* flows : {&reading_, &waiting_}) {
        flows->remove_if([&](const auto& flow) { return flow->session == &session; });
    }
    // Armed flows end by their tracee's end, which its exit has made certain; they must not use the
    // session any more.
    for (const auto& flow : active_) {
        if (flow->session == &session && flow->state != ExecState::kDone) {
            flow->event.outcome = Outcome::kGone;
            drive(*flow, ExecInput::kGone);
        }
    }
    drop_done();
    advance();
}

}  // namespace execseal
