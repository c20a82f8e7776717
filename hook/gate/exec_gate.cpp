#include "hook/gate/exec_gate.h"

#include <malloc.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "config/built_in_rules.h"
#include "hook/gate/protection.h"
#include "hook/os/deadline.h"
#include "hook/os/kernel_constants.h"
#include "hook/os/log.h"
#include "hook/tasks/fork_tracking.h"
#include "hook/tasks/freeze.h"
#include "hook/tasks/process_lister.h"
#include "hook/tasks/task_table.h"

namespace execseal {
namespace {

using Clock = ExecGate::Clock;

// The first read is nearly always there by then; what takes longer waits beside the others.
constexpr std::chrono::milliseconds kReadPatience{2};

// What a container may have of the supervisor's memory at a time; who is beyond it waits. Execs and
// their arguments in flight, each held some three times over (the study, its views); reader
// processes that a page or a mount keeps. An exec with more arguments than kUsualArguments is read
// once no other such one is there and few readers are: each may have 4 MiB, and a reader that is
// started while a large exec is there would keep its copy of it.
constexpr std::size_t kMostExecs = 128;
constexpr std::size_t kMostBytes = std::size_t{2} << 20U;
constexpr std::size_t kMostReaders = 8;
constexpr std::size_t kMostReadersBesideLarge = 2;
constexpr std::size_t kUsualArguments = std::size_t{128} << 10U;
constexpr std::size_t kStringCost = 120;  // besides its bytes

std::size_t cost_of(const ExecStudy& study) {
    const ExecSnapshot& snapshot = study.snapshot;
    return snapshot.argv.bytes.size() + snapshot.env.bytes.size() +
           (snapshot.argv.count + snapshot.env.count) * kStringCost;
}

// An exec that sleeps in the kernel at two looks in a row is taken to wait for somebody who is
// frozen (the FUSE server of its file, a tracer that is to reap one of its threads).
constexpr std::chrono::milliseconds kStallLook{10};
constexpr int kStallLooks = 2;

// How often a caller that another container's supervisor holds is tried again, and for how long. It
// is held for a freeze, which the usual budget ends long before; under a larger budget the exec may
// be refused.
constexpr std::chrono::milliseconds kHeldRetry{5};
constexpr std::chrono::seconds kLongestHeld{5};

ExecInput input_of(Ruling ruling) {
    switch (ruling) {
        case Ruling::kRefuse:
            return ExecInput::kRefused;
        case Ruling::kKill:
            return ExecInput::kKillVerdict;
        case Ruling::kAllow:
            return ExecInput::kAllowed;
        case Ruling::kGone:
            return ExecInput::kGone;
    }
    return ExecInput::kRefused;
}

// Its caller has the answer "continue", and no stop has told what came of it.
bool is_executing(const Exec& exec) {
    return exec.state == ExecState::kExecuting || exec.state == ExecState::kInterrupted;
}

// A container that was only to be watched has them in its filter where the node allows a change.
bool filter_tells_of_forks(const GateContext& context) {
    return tracks_forks(context.plan.mode, context.policy, context.floor) ||
           (context.plan.mode != Mode::kEnforce && context.plan.track_forks);
}

}  // namespace

ExecGate::ExecGate(const GateContext& context)
    : context_(context),
      forks_are_notified_(filter_tells_of_forks(context)),
      reader_(context.settings.deadlines.remote_read),
      writers_(context.tasks, forks_are_notified_) {
    context_.turns.set_execs(*this);
    std::optional<Policy> floor;
    if (context.floor != nullptr) {
        floor = *context.floor;
    }
    set_terms(make_terms(context.policy, std::move(floor), context.plan.mode,
                         context.plan.policy.sha256, forks_are_notified_));
}

void ExecGate::set_terms(SharedTerms terms) {
    terms_ = std::move(terms);
    if (terms_->mode == Mode::kEnforce || terms_->floor) {
        reader_.watch(context_.forks.fs_sharers());
    }
    if (terms_->protection.freeze <= FreezeScope::kWriters) {  // else no parent would be held
        context_.forks.tell_vforks_to(vfork_parents_);
    }
    context_.forks.set_traced_may_fork(terms_->protection.freeze == FreezeScope::kOff);
}

ExecGate::~ExecGate() = default;

void ExecGate::learn_root(Tid first) {
    ExecCall none;
    none.tid = first;
    judge_.learn_root(reader_.study(none, StudyScope::kRoot, std::nullopt));
}

void ExecGate::resume(Result<ContainerStart> start) {
    ExecStudy study;
    keep_start_ = nullptr;
    if (start) {
        reader_.set_mounts(std::move(start->mounts));
        set_id_maps(std::move(start->maps));
        study.program.root = std::move(start->root);
        study.program.outcome = ProgramOutcome::kFound;
    } else {
        study.program.reason = start.error().text();
    }
    judge_.learn_root(std::move(study));
}

bool ExecGate::keep_start() {
    if (!keep_start_ || !judge_.root() || !judge_.id_maps() || reader_.mounts() == nullptr) {
        return true;
    }
    const auto kept =
        std::exchange(keep_start_, nullptr)({*judge_.root(), *reader_.mounts(), *judge_.id_maps()});
    if (!kept) {
        resume(kept.error());
    }
    return kept.has_value();
}

void ExecGate::set_id_maps(IdMaps maps) {
    reader_.set_container_root(maps.uid.outside(0).value_or(0));
    judge_.set_id_maps(std::move(maps));
}

void ExecGate::begin(Session& session, NotifyId id, const ExecCall& call) {
    Exec& exec =
        *execs_.emplace_back(std::make_unique<Exec>(session, context_.binder, id, call, terms_));
    if (call.tid == Tid{}) {
        exec.decide(refusal(EPERM, built_in_rule::kInvisible,
                            "the caller is not visible in the supervisor's PID namespace"));
        drive(exec, ExecInput::kStudied);
        return;
    }
    exec.reading = ReadInFlight{
        reader_.begin(call, StudyScope::kMemoryAndProgram, judge_.root(), kUsualArguments), {}};
    if (const auto studied = collect(exec, Clock::now() + kReadPatience)) {
        drive(exec, *studied);
        return;
    }
    // The page or the mount does not answer: others are served meanwhile.
    if (exec.reading && !exec.reading->watch.active()) {
        watch_reading(exec);
    }
}

void ExecGate::watch_reading(Exec& exec) {
    if (exec.reading->ticket.fd() < 0) {
        return;  // no process: its deadline collects the failure
    }
    exec.reading->watch = LoopWatch(context_.loop, exec.reading->ticket.fd(), POLLIN,
                                    [this, &exec](short) { on_read(exec); });
}

bool ExecGate::has_room() const {
    std::size_t bytes = 0;
    std::size_t readers = 0;
    bool large = false;
    for (const auto& exec : execs_) {
        const bool is_usual = exec->size == Exec::Size::kUsual;
        bytes += is_usual ? cost_of(exec->study) : 0;
        readers += is_usual && exec->reading ? 1 : 0;
        large = large || !is_usual;
    }
    const bool may_read =
        large ? readers < kMostReadersBesideLarge && reader_.has_idle() : readers < kMostReaders;
    return execs_.size() < kMostExecs && may_read && bytes < kMostBytes;
}

void ExecGate::begin_next_large() {
    Exec* next = nullptr;
    std::size_t readers = 0;
    for (const auto& exec : execs_) {
        readers += exec->size == Exec::Size::kUsual && exec->reading ? 1 : 0;
        if (exec->size == Exec::Size::kLarge && exec->state != ExecState::kDone) {
            return;
        }
        if (next == nullptr && exec->size == Exec::Size::kWantsToBeRead &&
            exec->state == ExecState::kReading) {
            next = exec.get();
        }
    }
    if (next != nullptr && readers <= kMostReadersBesideLarge) {
        next->size = Exec::Size::kLarge;
        reader_.set_holds_much(true);
        next->reading = ReadInFlight{
            reader_.begin(next->call, StudyScope::kMemoryAndProgram, judge_.root()), {}};
        watch_reading(*next);
    }
}

void ExecGate::on_read(Exec& exec) {
    if (const auto studied = collect(exec, Clock::now())) {
        drive(exec, *studied);
        context_.turns.serve();
    }
}

std::optional<ExecInput> ExecGate::collect(Exec& exec, Clock::time_point until) {
    if (!exec.reading) {
        return std::nullopt;
    }
    auto study = reader_.collect(exec.reading->ticket, until);
    if (!study) {
        return std::nullopt;
    }
    exec.reading.reset();
    if (study->snapshot.outcome == SnapshotOutcome::kLarge) {
        exec.size = Exec::Size::kWantsToBeRead;
        begin_next_large();
        return std::nullopt;
    }
    take_study(exec, std::move(*study));
    return ExecInput::kStudied;
}

void ExecGate::take_study(Exec& exec, ExecStudy study) {
    exec.study = std::move(study);
    exec.ids = exec.study.caller;
    const Tgid process = exec.ids.tgid;
    if (process.value != 0) {
        exec.caller.set_process(process);
        exec.container_pid =
            lister_ != nullptr ? lister_->number_of(Tid{process.value}).value_or(0) : 0;
        if (!exec.session->leader) {
            exec.session->leader = process;
            // The runtime's own: nobody of the container has made it.
            (void)context_.tasks.add(process, TaskOrigin::kSession, Clock::now());
            context_.tasks.has_own_memory(process);
            if (!exec.session->started) {  // else it may be anybody of the container
                context_.tasks.set_lineage(process, Lineage::start());
            }
            if (context_.strays != nullptr) {
                context_.strays->join(exec.caller.tid(), exec.session->started);
            }
        }
    }
    const Via via = via_of(*exec.session, process);
    exec.lineage = lineage_of(exec, via);
    exec.decide(judge_.judge(exec.study, via, exec.lineage, *exec.terms));
    if (!keep_start()) {
        exec.decide(judge_.judge(exec.study, via, exec.lineage, *exec.terms));
    }
}

Lineage ExecGate::lineage_of(const Exec& exec, Via via) const {
    if (via != Via::kChild) {
        return Lineage::start();
    }
    // Without them a process that nobody has told of may have the number of one that has ended.
    const Tgid process = exec.caller.process();
    Lineage lineage =
        forks_are_notified_ && process != Tgid{} ? context_.tasks.lineage_of(process) : Lineage{};
    const ExecTraits& asked = exec.terms->traits;
    const bool binds = asked.freeze || asked.verify;
    return lineage.certain || !binds ? lineage : Lineage{};
}

void ExecGate::mark_executed(const Exec& exec) {
    const Tgid process = exec.caller.process();
    const ExecTraits& traits = exec.traits;
    const bool seen = traits.freeze || traits.verify || traits.arm;
    if (!seen && (exec.call.flags & kAtExecveCheck) != 0) {
        return;
    }
    if (exec.session->leader == process) {
        exec.session->started = true;
    }
    context_.tasks.set_lineage(process,
                               exec.decision.facts
                                   ? executed_.after(exec.lineage, exec.decision.facts->views, seen)
                                   : Lineage{});
}

bool ExecGate::may_go(const Exec& exec) const {
    return exec.decision.ruling != Ruling::kAllow ||
           (!exec.not_before && !context_.binder.is_executing(exec.caller.process()));
}

void ExecGate::take_turn(Exec& exec) {
    if (exec.terms->traits.freeze && exec.decision.ruling == Ruling::kAllow) {
        choose_whom_to_freeze(exec);
    }
    if (exec.traits.freeze) {
        look_at_executing();
    }
    const bool binds = exec.terms->traits.freeze || exec.terms->traits.verify ||
                       exec.traits.arm;  // then bind() has it recorded
    if (!binds && exec.decision.ruling == Ruling::kAllow) {
        (void)record_first(exec);
    }
    drive(exec, input_of(exec.decision.ruling));
    drop_done();
}

void ExecGate::choose_whom_to_freeze(Exec& exec) {
    exec.traits = exec.terms->traits;  // an earlier turn may have ended with nothing done
    exec.traits.arm = context_.binder.must_arm();
    if (exec.sleeper == Tid{}) {
        exec.sleeper = take_sleeper(exec);
    }
    const Tgid process = exec.caller.process();
    switch (exec.terms->protection.freeze) {
        case FreezeScope::kPidns:
        case FreezeScope::kOff:
            exec.writers = {Reach::kEverybody, {}};
            break;
        case FreezeScope::kSiblings:
            exec.writers = {Reach::kSome, {process}};
            break;
        case FreezeScope::kWriters:
            exec.writers =
                writers_.find({process, exec.sleeper, exec.study.snapshot.in_shared_pages});
            break;
    }
    if (exec.writers.reach == Reach::kNobody) {
        exec.traits.freeze = false;
        exec.gate.freeze = freeze_scope_name(exec.terms->protection.freeze);
    }
}

void ExecGate::leave_earlier(Tid caller, const NotifiedCall& next) {
    const auto* next_exec = std::get_if<ExecCall>(&next);
    for (const auto& exec : execs_) {
        if (exec->caller.tid() != caller) {
            continue;
        }
        // Its answer may have met a caller that was leaving already: no stop may come of that
        // (TIF_NOTIFY_SIGNAL, which io_uring uses, makes it leave without one).
        while (const auto input = look_at(*exec)) {
            drive(*exec, *input);
        }
        if (exec->state != ExecState::kDone) {
            // The same call again was started again, by a signal or its caller.
            const bool again = next_exec != nullptr && *next_exec == exec->call;
            drive(*exec, again ? ExecInput::kBackedOut : ExecInput::kCalledOther);
        }
    }
    drop_done();
}

void ExecGate::end_session(const Session& session) {
    for (const auto& exec : execs_) {
        if (exec->session == &session) {
            drive(*exec, ExecInput::kEnd);
        }
    }
    drop_done();
}

void ExecGate::drive(Exec& exec, ExecInput input) {
    auto next = step(exec, input);
    while (next) {
        next = step(exec, *next);
    }
}

std::optional<ExecInput> ExecGate::step(Exec& exec, ExecInput input) {
    const ExecStep step = exec_step(exec.state, input, exec.traits);
    if (step.impossible) {
        const std::string what =
            std::string(exec_state_name(exec.state)) + " + " + exec_input_name(input);
        log_error("exec flow: impossible: " + what);
        if (exec.state == ExecState::kDone) {
            return std::nullopt;  // it has its event
        }
        exec.decide(refusal(EPERM, "impossible", what));
    }
    exec.state = step.next;
    std::optional<ExecInput> next;  // at most one action of a step gives one
    for (const ExecAction action : step.actions) {
        if (const auto produced = perform(exec, action)) {
            next = produced;
        }
    }
    if (exec.state == ExecState::kDone) {
        finish(exec, step.outcome);
    }
    return next;
}

std::optional<ExecInput> ExecGate::perform(Exec& exec, ExecAction action) {
    switch (action) {
        case ExecAction::kNothing:
            break;
        case ExecAction::kCollect:
            return collect(exec, Clock::now());
        case ExecAction::kQueue:
            context_.turns.wait(exec);
            break;
        case ExecAction::kFreeze:
            return freeze(exec);
        case ExecAction::kReread:
            return reread(exec);
        case ExecAction::kBind:
            return bind(exec);
        case ExecAction::kAnswerContinue:
            return answer(exec, Answer::go_on());
        case ExecAction::kAnswerErrno:
            return answer(exec, Answer::fail(exec.decision.error));
        case ExecAction::kStartGrace:
            exec.grace_end = Clock::now() + context_.settings.deadlines.exec_grace;
            break;
        case ExecAction::kHurry:
            exec.grace_end.reset();
            exec.binding->hurry();
            if (exec.terms->traits.verify) {
                exec.stall_look = Clock::now() + kStallLook;
            }
            break;
        case ExecAction::kMarkExecuted:
            mark_executed(exec);
            break;
        case ExecAction::kVerify:
            return verify(exec);
        case ExecAction::kKillCaller:
            exec.answered = exec.answered.value_or(Clock::now());
            if (!exec.binding->kill()) {
                exec.caller.kill();
                exec.binding->release();
            }
            break;
        case ExecAction::kEndUnverified:
            end_unverified(exec);
            break;
        case ExecAction::kReleaseCaller:
            exec.binding->release();
            break;
        case ExecAction::kThaw:
            thaw(exec);
            break;
        case ExecAction::kGiveUpFreeze:
            exec.gate.freeze =
                exec.looks_asleep == kStallLooks
                    ? "given up: the exec slept in the kernel, perhaps for one of the frozen"
                    : "given up: the exec took longer than the freeze budget";
            thaw(exec);
            break;
    }
    return std::nullopt;
}

void ExecGate::finish(Exec& exec, std::optional<Outcome> outcome) {
    exec.binding.reset();
    vfork_parents_.forget_parent(exec.caller.process());
    context_.turns.stop_waiting(exec);
    if (!outcome && exec.event_id.empty()) {
        return;
    }
    if (!outcome) {  // what its record says is pending has not come about
        context_.audit.exec(event_of(std::move(exec), Outcome::kGone));
        return;
    }
    const Judgement& judgement = exec.decision.judgement;
    if (judgement.rule == built_in_rule::kKernel) {
        ++counters_.kernel_refusals;
    } else {
        ++counters_.verdicts.at(static_cast<std::size_t>(judgement.verdict));
    }
    context_.audit.exec(event_of(std::move(exec), *outcome));
}

void ExecGate::drop_done() {
    bool large = false;
    execs_.remove_if([&](const auto& exec) {
        const bool done = exec->state == ExecState::kDone;
        large = large || (done && exec->size == Exec::Size::kLarge);
        return done;
    });
    if (large) {
        (void)::malloc_trim(0);
        reader_.set_holds_much(false);
    }
    begin_next_large();
}

std::optional<ExecInput> ExecGate::freeze(Exec& exec) {
    exec.frozen_at = Clock::now();
    exec.gate.freeze =
        freeze_scope_name(exec.writers.reach == Reach::kEverybody ? FreezeScope::kPidns
                                                                  : exec.terms->protection.freeze);
    ++counters_.freezes;
    const std::optional<std::string> failure = try_freeze(exec);
    if (!failure) {
        return ExecInput::kFrozen;
    }
    ++counters_.freeze_failures;
    exec.gate.freeze = "failed: " + *failure;
    if (exec.terms->protection.on_freeze_failure == OnFreezeFailure::kDeny ||
        !exec.terms->protection.verify) {
        // With a verification only what is new or late all the time makes a freeze fail.
        exec.decide(refusal(EPERM, built_in_rule::kFreeze,
                            "the freeze failed: " + *failure +
                                (exec.terms->protection.verify
                                     ? ""
                                     : "; nothing is verified here that it could change")));
    }
    return ExecInput::kFreezeFailed;
}

std::optional<std::string> ExecGate::try_freeze(Exec& exec) {
    std::unique_ptr<ProcessLister> some;
    TaskLister* domain = lister_;
    if (exec.writers.reach == Reach::kSome) {
        auto opened = ProcessLister::open(exec.writers.processes);
        if (!opened) {
            return opened.error().text();
        }
        some = std::move(*opened);
        domain = some.get();
    }
    if (domain == nullptr) {
        return "the tasks of the container cannot be listed";
    }
    context_.turns.receive(*exec.session);
    const std::vector<QuietCaller> quiet = quiet_callers();
    FreezeRequest request;
    request.caller = exec.caller.tid();
    request.parent = exec.ids.parent;
    request.sleeper = exec.sleeper;
    request.quiet = quiet;
    request.deadline = exec.frozen_at + exec.terms->protection.freeze_budget;
    request.unstoppable = exec.terms->traits.verify ? Unstoppable::kLeave : Unstoppable::kFail;
    FreezeReport report = context_.freeze.freeze(*domain, request);
    if (report.failure != FreezeFailure::kNone) {
        context_.turns.thawed();
        return std::move(report.reason);
    }
    context_.turns.froze(exec);
    exec.budget_end = request.deadline;
    exec.gate.frozen_tasks = report.held;
    exec.gate.unfrozen_tasks = report.left.size();
    for (const Tid left : report.left) {
        if (context_.binder.is_executing(Tgid{left.value})) {
            left_executing_.emplace_back(left.value);
        }
    }
    return std::nullopt;
}

Tid ExecGate::take_sleeper(const Exec& exec) {
    const Tid parent = vfork_parents_.take(exec.caller.process(), exec.caller.tid());
    // An exec of another thread of its process, on its way, takes its number without notice.
    return context_.binder.is_executing(Tgid{parent.value}) ? Tid{} : parent;
}

std::vector<QuietCaller> ExecGate::quiet_callers() const {
    std::vector<QuietCaller> quiet;
    for (const auto& exec : execs_) {
        if (exec->state == ExecState::kReading || exec->state == ExecState::kWaiting) {
            quiet.push_back(exec->caller.quiet());
        }
    }
    context_.turns.append_quiet(quiet);
    return quiet;
}

ExecInput ExecGate::reread(Exec& exec) {
    if (!exec.caller.waits()) {
        return ExecInput::kGone;
    }
    // Bounded by the freeze budget: a page that does not come must not keep the bystanders.
    auto ticket = reader_.begin(exec.call, StudyScope::kMemory, judge_.root());
    auto study = reader_.collect(ticket, *exec.budget_end);
    if (!study) {
        exec.decide(refusal(EACCES, built_in_rule::kBlocked,
                            "the arguments could not be read again within the freeze budget"));
        return ExecInput::kRefused;
    }
    if (exec.terms->protection.freeze == FreezeScope::kWriters && study->snapshot.in_shared_pages &&
        exec.writers.reach != Reach::kEverybody) {
        exec.writers = {Reach::kEverybody, {}};
        return ExecInput::kMustWiden;
    }
    if (study->snapshot.outcome == SnapshotOutcome::kComplete &&
        same_request(study->snapshot, exec.study.snapshot)) {
        return ExecInput::kAllowed;
    }
    exec.gate.raced = true;
    ++counters_.raced;
    ticket = reader_.begin(exec.call, StudyScope::kMemoryAndProgram, judge_.root());
    study = reader_.collect(ticket, *exec.budget_end);
    if (!study) {
        exec.decide(refusal(EACCES, built_in_rule::kBlocked,
                            "the changed arguments could not be read within the freeze budget"));
        return ExecInput::kRefused;
    }
    exec.study = std::move(*study);
    exec.decide(judge_.judge(exec.study, via_of(*exec.session, exec.caller.process()), exec.lineage,
                             *exec.terms));
    return input_of(exec.decision.ruling);
}

ExecInput ExecGate::bind(Exec& exec) {
    ArmReport armed = exec.binding->arm(
        {exec.caller.process(), exec.study, exec.traits.freeze, exec.terms->traits.verify});
    switch (armed.outcome) {
        case ArmReport::Outcome::kRefused:
            exec.decide(refusal(EPERM, armed.rule, std::move(armed.reason)));
            return ExecInput::kBindFailed;
        case ArmReport::Outcome::kHeld: {
            const auto now = Clock::now();
            exec.held_since = exec.held_since.value_or(now);
            if (now - *exec.held_since > kLongestHeld) {
                exec.decide(refusal(EPERM, armed.rule, std::move(armed.reason)));
                return ExecInput::kBindFailed;
            }
            exec.not_before = now + kHeldRetry;
            return ExecInput::kHeld;
        }
        case ArmReport::Outcome::kAgain:
            return ExecInput::kAnswerStale;
        case ArmReport::Outcome::kGone:
            return ExecInput::kGone;
        case ArmReport::Outcome::kBound:
            return record_first(exec) ? ExecInput::kBound : ExecInput::kBindFailed;
    }
    return ExecInput::kGone;
}

bool ExecGate::record_first(Exec& exec) {
    if (!context_.audit.records_first()) {
        return true;
    }
    ExecEvent event = event_of(std::move(exec), Outcome::kExecuted);
    const auto recorded = context_.audit.exec_first(event);
    exec.event_id = std::move(event.id);
    exec.decision.facts = std::move(event.facts);
    exec.decision.requested = std::move(event.requested);
    exec.decision.judgement = std::move(event.judgement);
    exec.gate = std::move(event.gate);
    if (!recorded) {
        exec.decide(refusal(EPERM, built_in_rule::kUnrecorded,
                            "the event could not be recorded: " + recorded.error().text()));
    }
    return recorded.has_value();
}

ExecInput ExecGate::answer(Exec& exec, const Answer& answer) {
    exec.answered = Clock::now();
    return exec.caller.answer(answer) ? ExecInput::kAnswered : ExecInput::kAnswerStale;
}

ExecInput ExecGate::verify(Exec& exec) {
    Verification found = exec.binding->verify(expected_exec(std::move(exec.study)));
    switch (found.outcome) {
        case VerifyOutcome::kSame:
            context_.tasks.has_own_memory(exec.caller.process());
            return ExecInput::kSame;
        case VerifyOutcome::kGone:
            return ExecInput::kGone;
        case VerifyOutcome::kUnreadable:
            found.field = "unreadable: " + found.reason;
            break;
        case VerifyOutcome::kDiffers:
            break;
    }
    ++counters_.races_detected;
    exec.gate.race_detected = true;
    exec.gate.race_field = std::move(found.field);
    exec.gate.race_judged = std::move(found.judged);
    exec.gate.race_taken = std::move(found.taken);
    return ExecInput::kDifferent;
}

void ExecGate::thaw(Exec& exec) {
    if (context_.turns.freezer() != &exec) {
        return;
    }
    context_.freeze.thaw();
    exec.gate.frozen_for = Clock::now() - exec.frozen_at;
    exec.budget_end.reset();
    exec.stall_look.reset();
    look_again_ = look_again_ || !left_executing_.empty();
    left_executing_.clear();
    context_.turns.thawed();
}

void ExecGate::look_for_stall(Exec& exec, Clock::time_point now) {
    if (context_.turns.freezer() != &exec) {
        exec.stall_look.reset();
        return;
    }
    exec.looks_asleep = exec.binding->sleeps() ? exec.looks_asleep + 1 : 0;
    exec.stall_look = now + kStallLook;
    if (exec.looks_asleep == kStallLooks) {
        drive(exec, ExecInput::kBudgetOver);
    }
}

// It stays in the stop at the end of its exec until the freeze is over: it may write then.
bool ExecGate::is_left_executing(Tgid process) const {
    return std::find(left_executing_.begin(), left_executing_.end(), process) !=
           left_executing_.end();
}

std::optional<ExecInput> ExecGate::look_at(Exec& exec) {
    if (!is_executing(exec) || is_left_executing(exec.caller.process())) {
        return std::nullopt;
    }
    const auto news = exec.binding->outcome();
    if (!news) {
        return std::nullopt;
    }
    switch (news->what) {
        case BoundOutcome::What::kEnded:
            return ExecInput::kGone;
        case BoundOutcome::What::kExecuted:
            return ExecInput::kExecuted;
        case BoundOutcome::What::kBackedOut:
            return ExecInput::kBackedOut;
        case BoundOutcome::What::kReturned:
            exec.kernel_error = std::max(news->error, 0);
            return news->error == 0 ? ExecInput::kChecked : ExecInput::kReturned;
    }
    return ExecInput::kGone;
}

void ExecGate::end_unverified(const Exec& exec) {
    const bool other_exec = std::any_of(execs_.begin(), execs_.end(), [&](const auto& other) {
        return other.get() != &exec && other->caller.process() == exec.caller.process() &&
               other->state != ExecState::kReading && other->state != ExecState::kWaiting;
    });
    if (exec.terms->traits.verify && !other_exec) {
        exec.binding->kill_survivor();
    }
}

void ExecGate::look_at_executing() {
    for (const auto& exec : execs_) {
        while (const auto input = look_at(*exec)) {
            drive(*exec, *input);
        }
    }
    drop_done();
}

void ExecGate::look_at_news() {
    if (context_.binder.has_news()) {
        look_at_executing();
    }
}

void ExecGate::on_sigchld() {
    if (const Exec* freezer = context_.turns.freezer()) {
        // The siblings of a successful exec are killed by the kernel, which waits in de_thread()
        // until their tracer has reaped them.
        context_.freeze.reap_siblings(freezer->caller.process());
    }
    look_at_executing();
    context_.turns.serve();
}

void ExecGate::on_news() {
    look_at_executing();
    context_.turns.serve();
}

std::optional<ExecGate::Clock::time_point> ExecGate::next_deadline() const {
    std::optional<Clock::time_point> next;
    if (look_again_) {
        next = Clock::now();
    }
    next = earliest({next, context_.binder.next_look()});
    for (const auto& exec : execs_) {
        next = earliest(
            {next, exec->grace_end, exec->budget_end, exec->stall_look, exec->not_before,
             exec->reading ? std::optional(exec->reading->ticket.deadline()) : std::nullopt});
    }
    return next;
}

void ExecGate::on_deadline(Clock::time_point now) {
    const auto look = context_.binder.next_look();
    if (std::exchange(look_again_, false) || (look && *look <= now)) {
        look_at_executing();
    }
    for (const auto& exec : execs_) {
        const bool read_is_late = exec->reading && exec->reading->ticket.deadline() <= now;
        if (read_is_late || (exec->grace_end && *exec->grace_end <= now)) {
            drive(*exec, ExecInput::kDeadline);
        }
        if (exec->budget_end && *exec->budget_end <= now) {
            drive(*exec, ExecInput::kBudgetOver);
        }
        if (exec->not_before && *exec->not_before <= now) {
            exec->not_before.reset();
        }
        if (exec->stall_look && *exec->stall_look <= now) {
            look_for_stall(*exec, now);
        }
    }
    drop_done();
    context_.turns.serve();
}

}  // namespace execseal
