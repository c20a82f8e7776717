#include "hook/supervisor/exec_gate.h"

#include <linux/seccomp.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <utility>

#include "hook/os/deadline.h"
#include "hook/os/kernel_constants.h"
#include "hook/os/log.h"
#include "hook/os/pidfd.h"
#include "hook/supervisor/notified_call.h"

namespace execseal {
namespace {

using Clock = ExecGate::Clock;

// The first read is nearly always there by then; what takes longer waits beside the others.
constexpr std::chrono::milliseconds kReadPatience{2};

// What the caller of a judged exec is seized with, before the answer.
constexpr PtraceOptions kArmedOptions{.births = true, .exec = true, .exit_kill = true};
constexpr PtraceOptions kForkOptions{.births = true};

// Notifications that a freeze receives before it begins; more would keep the first one waiting.
constexpr int kMostArrivals = 256;

seccomp_data data_of(const Notification& notification) {
    seccomp_data data{};
    data.nr = notification.nr;
    data.arch = notification.arch;
    data.instruction_pointer = notification.instruction_pointer;
    std::copy(notification.args.begin(), notification.args.end(), std::begin(data.args));
    return data;
}

bool will_restart(std::int64_t result) {
    return result <= -kErestartsys && result >= -kErestartRestartblock;
}

// A container is bound as tightly as the tighter of its policy and the node's floor asks.
// FreezeScope and OnFreezeFailure list the tighter value first.
Protection tighter(const Protection& a, const Protection& b) {
    Protection both;
    both.freeze = std::min(a.freeze, b.freeze);
    both.verify = a.verify || b.verify;
    both.on_freeze_failure = std::min(a.on_freeze_failure, b.on_freeze_failure);
    both.freeze_budget = std::min(a.freeze_budget, b.freeze_budget);
    return both;
}

Protection protection_of(const GateContext& context) {
    if (context.plan.mode != Mode::kEnforce) {
        // Nothing of the container's own policy is enforced; a floor is, in every mode.
        Protection unbound;
        unbound.freeze = FreezeScope::kOff;
        unbound.verify = false;
        return context.floor != nullptr ? context.floor->protection() : unbound;
    }
    return context.floor != nullptr
               ? tighter(context.policy.protection(), context.floor->protection())
               : context.policy.protection();
}

}  // namespace

struct ExecGate::Flow {
    Session* session = nullptr;
    NotifyId id;
    ExecCall call;
    Tid tid;
    Tgid process;
    ExecState state = ExecState::kJudging;
    ExecInput verdict = ExecInput::kRefused;  // of the first read, while it waits for its turn
    ExecTraits traits;
    ExecReader::Ticket ticket;  // while it is being read
    ExecStudy study;            // what was judged last
    ExpectedExec expected;      // what must then be seen to run
    ExecEvent event;
    Clock::time_point received;
    std::optional<Clock::time_point> grace_end;
    std::optional<Clock::time_point> budget_end;
    Clock::time_point frozen_at;
    int watched_fd = -1;  // of the ticket, while the loop waits for it
    bool owns_freeze = false;
    bool answered = false;      // the answer reached the caller, who did not back out after it
    bool exec_seen = false;     // its exec event came: the task has the leader's number
    bool expects_exec = false;  // Tracer::expect_exec() was called
};

ExecGate::ExecGate(const GateContext& context)
    : context_(context),
      protection_(protection_of(context)),
      reader_(context.settings.deadlines.remote_read) {
    traits_.freeze = protection_.freeze != FreezeScope::kOff;
    traits_.verify = protection_.verify;
    traits_.on_freeze_failure = protection_.on_freeze_failure;
    if (traits_.freeze) {
        context_.forks.tell_vforks_to(vfork_parents_);
    }
}

ExecGate::~ExecGate() = default;

void ExecGate::learn_root(Tid first) {
    ExecCall none;
    none.tid = first;
    ExecStudy study = reader_.study(none, StudyScope::kRoot, std::nullopt);
    if (study.program.outcome == ProgramOutcome::kFound) {
        root_ = std::move(study.program.root);
        return;
    }
    root_failure_ = std::move(study.program.reason);
    log_error("the container's root: " + *root_failure_);
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
            // Not of our rules: another tool's, or an ABI that nobody has planned for.
            (void)session.notify->answer(notification.id, Answer::fail(ENOSYS));
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
    auto flow = std::make_unique<Flow>();
    flow->session = &session;
    flow->id = notification.id;
    flow->tid = notification.tid;
    flow->received = Clock::now();
    flow->traits = traits_;
    flow->event.host_pid = notification.tid.value;

    const auto call = decode_exec_call(data_of(notification), notification.tid);
    if (!call || notification.tid.value == 0) {
        refuse(*flow, EPERM, "invisible",
               "the caller is not visible in the supervisor's PID namespace");
        drive(*flow, ExecInput::kRefused);
        return;
    }
    flow->call = *call;
    flow->ticket = reader_.begin(*call, StudyScope::kMemoryAndProgram, root_);
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
            if (flow->tid == caller && flow->watched_fd >= 0) {
                context_.loop.remove(flow->watched_fd);
            }
            return flow->tid == caller;
        });
    }
    drop_arrivals_of(caller);
    // One whose answer met a caller that was leaving already: no stop may come of that
    // (TIF_NOTIFY_SIGNAL, which io_uring uses, makes it leave without one).
    for (const auto& flow : active_) {
        if (flow->tid != caller) {
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
        const bool again = decode_exec_call(data_of(next), caller) == flow->call;
        flow->event.outcome = again ? Outcome::kGone : Outcome::kFailed;
        flow->answered = flow->answered && !again;
        drive(*flow, ExecInput::kReturnStop);
    }
    drop_done();
    advance();
}

void ExecGate::drop_arrivals_of(Tid caller) {
    if (caller.value == 0) {
        return;
    }
    for (auto* arrivals : {&arrived_, &deferred_forks_}) {
        std::erase_if(*arrivals,
                      [&](const Arrival& earlier) { return earlier.notification.tid == caller; });
    }
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
        flow.process = caller.tgid;
        flow.event.host_pid = caller.tgid.value;
        flow.event.container_pid =
            lister_ != nullptr ? lister_->number_of(Tid{caller.tgid.value}).value_or(0) : 0;
        flow.event.ppid = caller.parent.value;
        if (!flow.session->leader) {
            flow.session->leader = caller.tgid;
            (void)context_.tasks.add(caller.tgid, TaskOrigin::kSession, Clock::now());
        }
    }
    const ExecInput verdict = judge_study(flow);
    // While the domain is frozen nobody is answered, not even with a refusal: it would run.
    if (!traits_.freeze || (verdict != ExecInput::kAllowed && freeze_ == nullptr)) {
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
    if (freeze_ != nullptr || !waiting_.empty()) {
        // Attached now: a signal that ends its wait meanwhile must not end its call, see
        // Tracer::release(). What came of it is asked again when its turn comes.
        (void)context_.tracer.seize(notification.tid, kForkOptions);
        deferred_forks_.push_back({&session, notification});
        return;
    }
    context_.forks.on_notification(*session.notify, notification, Clock::now());
}

void ExecGate::advance() {
    while (std::exchange(look_again_, false) || (freeze_ == nullptr && !waiting_.empty())) {
        look_at_active();
        if (freeze_ == nullptr && !waiting_.empty()) {
            activate(waiting_, *waiting_.front(), waiting_.front()->verdict);
        }
    }
    while (freeze_ == nullptr && waiting_.empty() && !deferred_forks_.empty()) {
        const Arrival fork = deferred_forks_.front();
        deferred_forks_.pop_front();
        context_.forks.on_notification(*fork.session->notify, fork.notification, Clock::now());
    }
}

void ExecGate::drive(Flow& flow, ExecInput input) {
    std::vector<ExecInput> inputs{input};  // actions may produce the next one; at most one each
    while (!inputs.empty()) {
        const ExecInput current = inputs.back();
        inputs.clear();
        const ExecStep step = exec_step(flow.state, current, flow.traits);
        if (step.impossible) {
            const std::string what =
                std::string(exec_state_name(flow.state)) + " + " + exec_input_name(current);
            log_error("exec flow: impossible: " + what);
            refuse(flow, EPERM, "impossible", what);
        }
        flow.state = step.next;
        for (const ExecAction action : step.actions) {
            if (const auto produced = perform(flow, action)) {
                inputs.push_back(*produced);
            }
        }
    }
    if (flow.state == ExecState::kDone && std::exchange(flow.expects_exec, false)) {
        context_.tracer.exec_over(flow.process);
    }
}

std::optional<ExecInput> ExecGate::perform(Flow& flow, ExecAction action) {
    switch (action) {
        case ExecAction::kAnswerErrno:
            flow.event.outcome = Outcome::kRefused;
            flow.event.latency = Clock::now() - flow.received;
            flow.answered = answer(flow, Answer::fail(flow.event.error));
            return std::nullopt;
        case ExecAction::kAnswerContinue:
            executed(flow);
            flow.event.latency = Clock::now() - flow.received;
            flow.answered = answer(flow, Answer::go_on());
            return std::nullopt;
        case ExecAction::kFreeze:
            return freeze(flow);
        case ExecAction::kReread:
            return reread(flow);
        case ExecAction::kArm:
            return arm(flow);
        case ExecAction::kInterrupt:
            flow.grace_end.reset();
            (void)context_.tracer.interrupt(flow.tid);
            return std::nullopt;
        case ExecAction::kVerify:
            return verify(flow);
        case ExecAction::kKillCaller:
            kill_caller(flow);
            return std::nullopt;
        case ExecAction::kReleaseCaller:
            release_caller(flow);
            return std::nullopt;
        case ExecAction::kThaw:
            thaw(flow);
            return std::nullopt;
        case ExecAction::kGiveUpFreeze:
            flow.budget_end.reset();
            flow.event.gate.freeze = "given up: the exec took longer than the freeze budget";
            thaw(flow);
            return std::nullopt;
        case ExecAction::kReport:
            report(flow);
            return std::nullopt;
    }
    return std::nullopt;
}

ExecInput ExecGate::judge_study(Flow& flow) {
    const ExecSnapshot& snapshot = flow.study.snapshot;
    switch (snapshot.outcome) {
        case SnapshotOutcome::kGone:
            return ExecInput::kGone;
        case SnapshotOutcome::kUnreadable:
            refuse(flow, EACCES, "unreadable", snapshot.reason);
            return ExecInput::kRefused;
        case SnapshotOutcome::kBlocked:
            refuse(flow, EACCES, "blocked", snapshot.reason);
            return ExecInput::kRefused;
        case SnapshotOutcome::kRefused:
            flow.event.requested = snapshot.path;
            refuse(flow, snapshot.error, "kernel", snapshot.reason);
            return ExecInput::kRefused;
        case SnapshotOutcome::kComplete:
            break;
    }
    const Program& program = flow.study.program;
    if (program.outcome != ProgramOutcome::kFound) {
        flow.event.requested = snapshot.path;
        const bool kernel = program.outcome == ProgramOutcome::kRefused;
        refuse(flow, kernel ? program.error : EACCES, kernel ? "kernel" : "unresolved",
               program.reason);
        return ExecInput::kRefused;
    }
    if (root_failure_) {
        flow.event.requested = snapshot.path;
        refuse(flow, EACCES, "unresolved", "the container's root: " + *root_failure_);
        return ExecInput::kRefused;
    }
    if (!root_) {
        root_ = program.root;
    }
    auto facts = id_maps_ ? build_facts(flow.study, via_of(*flow.session, flow.process), *id_maps_)
                          : make_error("the container's user namespace could not be looked at");
    if (!facts) {
        flow.event.requested = snapshot.path;
        refuse(flow, EACCES, "unresolved", facts.error().text());
        return ExecInput::kRefused;
    }
    flow.event.facts = std::move(*facts);
    if (traits_.verify) {
        flow.expected = expected_exec(flow.study);
    }
    return judge_facts(flow);
}

ExecInput ExecGate::judge_facts(Flow& flow) {
    flow.event.judgement =
        judge_with_floor(context_.policy, context_.floor, *flow.event.facts, context_.plan.mode);
    flow.event.error = 0;
    switch (flow.event.judgement.verdict) {
        case Verdict::kDeny:
            flow.event.error = flow.event.judgement.deny_errno;
            return ExecInput::kRefused;
        case Verdict::kKill:
            return ExecInput::kKillVerdict;
        case Verdict::kAudit:
        case Verdict::kAllow:
            return ExecInput::kAllowed;
    }
    return ExecInput::kRefused;
}

void ExecGate::refuse(Flow& flow, int error, const char* rule, std::string reason) {
    Judgement& judgement = flow.event.judgement;
    judgement = Judgement{};
    judgement.deny_errno = error;
    judgement.rule = rule;
    judgement.reason = std::move(reason);
    flow.event.error = error;
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
    if (protection_.on_freeze_failure == OnFreezeFailure::kDeny) {
        refuse(flow, EPERM, "freeze", "the freeze failed: " + *failure);
    }
    return ExecInput::kFreezeFailed;
}

std::optional<std::string> ExecGate::try_freeze(Flow& flow) {
    const Tid sleeper = vfork_parents_.take(flow.process, flow.tid);
    std::unique_ptr<ProcessLister> siblings;
    TaskLister* domain = lister_;
    if (protection_.freeze == FreezeScope::kSiblings) {
        auto opened = ProcessLister::open(flow.process);
        if (!opened) {
            return opened.error().text();
        }
        siblings = std::move(*opened);
        domain = siblings.get();
    }
    if (domain == nullptr) {
        return "the tasks of the container cannot be listed";
    }
    take_arrived(*flow.session);
    const std::vector<QuietCaller> quiet = quiet_callers();
    FreezeRequest request;
    request.caller = flow.tid;
    request.parent = flow.study.caller.parent;
    request.sleeper = sleeper;
    request.quiet = quiet;
    request.deadline = flow.frozen_at + protection_.freeze_budget;
    freeze_ = std::make_unique<Freeze>(context_.tracer, context_.procfs, context_.tasks);
    FreezeReport report = freeze_->freeze(*domain, request);
    if (report.failure != FreezeFailure::kNone) {
        freeze_.reset();
        return std::move(report.reason);
    }
    flow.owns_freeze = true;
    freezer_ = &flow;
    flow.budget_end = request.deadline;
    flow.event.gate.frozen_tasks = report.held;
    return std::nullopt;
}

void ExecGate::take_arrived(Session& session) {
    for (int left = kMostArrivals; left > 0; --left) {
        const auto state = session.notify->poll(std::chrono::milliseconds(0));
        if (!state || *state != ListenerState::kReadable) {
            break;
        }
        const auto received = session.notify->receive();
        if (!received) {
            log_warning("receiving a notification: " + received.error().text());
            break;
        }
        if (!*received) {
            continue;
        }
        drop_arrivals_of((*received)->tid);
        if (kind_of_call((*received)->arch, (*received)->nr) == NotifiedCall::kUnknown) {
            on_notification(session, **received);
        } else {
            arrived_.push_back({&session, **received});
        }
    }
    session.was_emptied = true;
}

std::vector<QuietCaller> ExecGate::quiet_callers() const {
    // They wait for our answer and run nothing; to interrupt them would cancel their notification.
    // A seized task keeps the options it was seized with, so these are already what its own flow
    // will need.
    std::vector<QuietCaller> quiet;
    for (const auto& flow : reading_) {
        quiet.push_back({flow->tid, kArmedOptions, flow->session->notify.get(), flow->id});
    }
    for (const auto& flow : waiting_) {
        quiet.push_back({flow->tid, kArmedOptions, flow->session->notify.get(), flow->id});
    }
    for (const auto* arrivals : {&arrived_, &deferred_forks_}) {
        for (const auto& [session, notification] : *arrivals) {
            const bool exec =
                kind_of_call(notification.arch, notification.nr) == NotifiedCall::kExec;
            quiet.push_back({notification.tid, exec ? kArmedOptions : kForkOptions,
                             session->notify.get(), notification.id});
        }
    }
    return quiet;
}

std::optional<ExecInput> ExecGate::reread(Flow& flow) {
    const auto valid = flow.session->notify->id_valid(flow.id);
    if (!valid || *valid == NotifyReach::kGone) {
        return ExecInput::kGone;
    }
    // Bounded by the freeze budget: a page that does not come must not keep the bystanders.
    auto ticket = reader_.begin(flow.call, StudyScope::kMemory, root_);
    auto study = reader_.collect(ticket, *flow.budget_end);
    if (!study) {
        refuse(flow, EACCES, "blocked",
               "the arguments could not be read again within the freeze budget");
        return ExecInput::kRefused;
    }
    if (study->snapshot.outcome == SnapshotOutcome::kComplete &&
        same_request(study->snapshot, flow.study.snapshot)) {
        return ExecInput::kAllowed;
    }
    flow.event.gate.raced = true;
    ++counters_.raced;
    ticket = reader_.begin(flow.call, StudyScope::kMemoryAndProgram, root_);
    study = reader_.collect(ticket, *flow.budget_end);
    if (!study) {
        refuse(flow, EACCES, "blocked",
               "the changed arguments could not be read within the freeze budget");
        return ExecInput::kRefused;
    }
    flow.study = std::move(*study);
    return judge_study(flow);
}

std::optional<ExecInput> ExecGate::arm(Flow& flow) {
    const auto seized = context_.tracer.seize(flow.tid, kArmedOptions);
    if (!seized) {
        refuse(flow, EPERM, "arm", seized.error().text());
        return ExecInput::kArmFailed;
    }
    switch (seized->what) {
        case Seized::kNew:
        case Seized::kAlready:
            break;
        case Seized::kAlreadyLess:
            // Seized by a freeze for another call than this one; options cannot be changed on a
            // running task. It is let go, and the call comes again.
            return ExecInput::kAnswerStale;
        case Seized::kGone:
        case Seized::kZombie:
            return ExecInput::kGone;
        case Seized::kTracedByOther:
            refuse(flow, EPERM, "traced",
                   "the caller is traced by task " + std::to_string(seized->other_tracer.value) +
                       " (a debugger in the container?), so what it executes cannot be verified");
            return ExecInput::kArmFailed;
        case Seized::kRefused:
            refuse(flow, EPERM, "arm", "the caller cannot be traced");
            return ExecInput::kArmFailed;
    }
    context_.tracer.expect_exec(flow.process);
    flow.expects_exec = true;
    flow.event.latency = Clock::now() - flow.received;
    if (!answer(flow, Answer::go_on())) {
        return ExecInput::kAnswerStale;
    }
    flow.answered = true;
    flow.grace_end = Clock::now() + context_.settings.deadlines.exec_grace;
    return std::nullopt;
}

bool ExecGate::answer(Flow& flow, const Answer& answer) {
    const auto reached = flow.session->notify->answer(flow.id, answer);
    if (!reached) {
        log_warning("answering a notification: " + reached.error().text());
    }
    return reached && *reached == NotifyReach::kDone;
}

void ExecGate::executed(Flow& flow) {
    flow.event.outcome = Outcome::kExecuted;
    if (flow.session->leader == flow.process) {
        flow.session->started = true;
    }
}

ExecInput ExecGate::verify(Flow& flow) {
    // After an exec from another thread than the leader the task goes on under the leader's number.
    Verification found = verifier_.verify(flow.process, flow.expected,
                                          context_.tracer.stack_pointer(Tid{flow.process.value}));
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
    const Tid armed = attached_as(flow);
    if (armed.value != 0 && context_.tracer.is_stopped(armed)) {
        (void)context_.tracer.kill(armed);
        (void)context_.tracer.release_when_stopped(armed, Interrupt::kNo);
        return;
    }
    // By pidfd, and only while the notification lives: the number is still the caller's then.
    const auto pidfd = open_pidfd(flow.process.value);
    const auto valid = flow.session->notify->id_valid(flow.id);
    if (pidfd && valid && *valid == NotifyReach::kDone) {
        (void)send_signal(pidfd->get(), SIGKILL);
    }
    (void)flow.session->notify->answer(flow.id, Answer::fail(EPERM));
    release_caller(flow);
}

Tid ExecGate::attached_as(const Flow& flow) const {
    // poll_exec() has moved the attachment to the leader's number if another thread made the exec.
    const Tid leader{flow.process.value};
    if (context_.tracer.is_attached(flow.tid)) {
        return flow.tid;
    }
    return flow.state != ExecState::kJudging && flow.exec_seen &&
                   context_.tracer.is_attached(leader)
               ? leader
               : Tid{};
}

void ExecGate::release_caller(Flow& flow) {
    const Tid tid = attached_as(flow);
    if (tid.value == 0) {
        return;
    }
    const Stop* stop = context_.tracer.stop_of(tid);
    if (stop == nullptr) {
        (void)context_.tracer.release_when_stopped(tid, Interrupt::kYes);
    } else if (!is_exec(*stop) || flow.exec_seen) {
        (void)context_.tracer.release(tid);
    }
    // Else a thread has taken this caller's number in its own exec, which its own flow verifies.
}

void ExecGate::thaw(Flow& flow) {
    if (!std::exchange(flow.owns_freeze, false)) {
        return;
    }
    freeze_->thaw();
    freezer_ = nullptr;
    flow.event.gate.frozen_for = Clock::now() - flow.frozen_at;
    freeze_.reset();
    flow.budget_end.reset();
    context_.forks.on_sigchld(Clock::now());
    look_again_ = true;
}

void ExecGate::report(Flow& flow) {
    // Nothing was decided: the caller died before its answer, or a signal made it back out and its
    // call comes again.
    if (!flow.answered) {
        return;
    }
    ++counters_.verdicts.at(static_cast<std::size_t>(flow.event.judgement.verdict));
    context_.audit.exec(flow.event);
}

std::optional<ExecInput> ExecGate::look_at(Flow& flow) {
    if (flow.state != ExecState::kArmed && flow.state != ExecState::kInterrupted) {
        return std::nullopt;
    }
    const auto stop = context_.tracer.poll_exec(flow.tid, flow.process);
    if (!stop) {
        return std::nullopt;
    }
    if (is_end(*stop)) {
        flow.event.outcome = Outcome::kGone;
        end_unverified(flow);
        return ExecInput::kGone;
    }
    if (is_exec(*stop)) {
        flow.exec_seen = true;
        executed(flow);
        return ExecInput::kExecStop;
    }
    const auto result = context_.tracer.syscall_result(flow.tid);
    if (!result || will_restart(*result)) {
        flow.event.outcome = Outcome::kGone;
        flow.answered = false;
    } else {
        flow.event.outcome = *result == 0 ? Outcome::kChecked : Outcome::kFailed;
        flow.event.error = static_cast<int>(-*result);
    }
    return ExecInput::kReturnStop;
}

// A thread in execve(2) does not end alone: its process ends, goes on as another thread's exec, or,
// which must not be, as this very exec without its verification.
void ExecGate::end_unverified(const Flow& flow) {
    const bool other_exec = std::any_of(active_.begin(), active_.end(), [&](const auto& other) {
        return other.get() != &flow && other->process == flow.process;
    });
    if (flow.tid.value == flow.process.value || !flow.traits.verify || other_exec) {
        return;
    }
    const auto status = context_.procfs.status(Tid{flow.process.value});
    const auto pidfd = open_pidfd(flow.process.value);
    if (status && *status && (*status)->state != 'Z' && (*status)->state != 'X' && pidfd) {
        log_info("process " + std::to_string(flow.process.value) +
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
    if (freeze_ != nullptr) {
        // The siblings of a successful exec are killed by the kernel, which waits in de_thread()
        // until their tracer has reaped them.
        freeze_->reap_siblings(freezer_->process);
    }
    look_at_active();
    advance();
}

void ExecGate::drop_done() {
    active_.remove_if([](const auto& flow) { return flow->state == ExecState::kDone; });
}

std::optional<ExecGate::Clock::time_point> ExecGate::next_deadline() const {
    std::optional<Clock::time_point> next;
    if (!arrived_.empty()) {
        next = Clock::time_point{};  // at once, but after the stops that are there
    }
    for (const auto& flow : reading_) {
        next = earliest({next, flow->ticket.deadline()});
    }
    for (const auto& flow : active_) {
        next = earliest({next, flow->grace_end, flow->budget_end});
    }
    return next;
}

void ExecGate::on_deadline(Clock::time_point now) {
    // One at a time, as they would come from the listener: nobody's stop waits for all of them.
    if (!arrived_.empty()) {
        const Arrival next = arrived_.front();
        arrived_.pop_front();
        on_notification(*next.session, next.notification);
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
    }
    drop_done();
    advance();
}

void ExecGate::forget(const Session& session) {
    for (auto* arrivals : {&arrived_, &deferred_forks_}) {
        std::erase_if(*arrivals,
                      [&](const Arrival& arrival) { return arrival.session == &session; });
    }
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
