#include "hook/tasks/freeze.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include "hook/os/log.h"

namespace execseal {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::microseconds kTick{300};
constexpr std::size_t kNobody = static_cast<std::size_t>(-1);
// reap_siblings() gives up after so many that have not ended: they die about in their order, and
// each death calls again.
constexpr int kSiblingMisses = 16;

// So many of the youngest tasks are asked for their parent.
constexpr std::size_t kParentsAsked = 256;

// Still in the notify queue, now that it is seized: a signal can only make it stop.
bool still_waits(const QuietCaller& caller) {
    if (caller.listener == nullptr) {
        return true;
    }
    const Result<NotifyReach> reach = caller.listener->id_valid(caller.id);
    return reach && *reach == NotifyReach::kDone;
}

std::string name_of(Tid tid) {
    return "task " + std::to_string(tid.value);
}

}  // namespace

Freeze::Freeze(Tracer& tracer, Procfs& procfs, TaskTable& table)
    : tracer_(tracer), procfs_(procfs), table_(table), self_{::getpid()} {}

Freeze::~Freeze() {
    if (active_) {
        log_error("freeze: ends without a thaw");
        thaw();
    }
}

void Freeze::fail(FreezeReport& report, FreezeFailure failure, Tid culprit, std::string reason) {
    report.failure = failure;
    report.culprit = culprit;
    report.reason = std::move(reason);
}

FreezeReport Freeze::freeze(TaskLister& lister, const FreezeRequest& request) {
    CHECK(!active_);
    active_ = true;
    first_pending_ = 0;
    first_sibling_ = 0;
    const Clock::time_point start = Clock::now();
    FreezeReport report;
    if (const Result<> armed = tracer_.waits().arm(kTick); !armed) {
        fail(report, FreezeFailure::kRefused, Tid{}, armed.error().text());
    }
    Pass pass = report.failure == FreezeFailure::kNone ? Pass::kNews : Pass::kFailed;
    while (pass == Pass::kNews) {
        pass = run_pass(lister, request, report);
        if (pass == Pass::kNews && Clock::now() > request.deadline) {
            fail(report, FreezeFailure::kDeadline, Tid{},
                 "there were still new tasks when the budget was over");
            pass = Pass::kFailed;
        }
    }
    tracer_.waits().disarm();
    for (const Held& held : held_) {
        report.held += held.state == State::kStopped ? 1 : 0;
        report.quiet += held.state == State::kQuiet ? 1 : 0;
    }
    if (report.failure != FreezeFailure::kNone) {
        thaw();
    }
    report.took = std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - start);
    return report;
}

Freeze::Pass Freeze::run_pass(TaskLister& lister, const FreezeRequest& request,
                              FreezeReport& report) {
    ++report.passes;
    numbers_.clear();
    if (const Result<> listed = lister.list_numbers(numbers_); !listed) {
        fail(report, FreezeFailure::kListing, Tid{}, listed.error().text());
        return Pass::kFailed;
    }
    Pass pass = Pass::kSettled;
    for (const pid_t number : numbers_) {
        const auto held = leaders_.find(number);
        const std::optional<ListedTask> task =
            held != leaders_.end() ? held->second : lister.find(number);
        // One that has exited already may have forked.
        const Pass one = task ? take_process(lister, *task, request, report) : Pass::kNews;
        if (one == Pass::kFailed) {
            return one;
        }
        pass = one == Pass::kNews ? one : pass;
    }
    return interrupt_all(report) && wait_for_all(request, report) ? pass : Pass::kFailed;
}

Freeze::Pass Freeze::take_process(TaskLister& lister, const ListedTask& leader,
                                  const FreezeRequest& request, FreezeReport& report) {
    Process& process = processes_[leader.process];
    if (process.complete) {
        return Pass::kSettled;
    }
    const bool known = known_.contains(leader.tid);
    if (!known) {
        if (request.unstoppable == Unstoppable::kLeave && is_executing(leader)) {
            process.left = leader.process != Tgid{};
            process.complete = process.left;
            return leave(leader, FreezeFailure::kExecuting, "", request, report) ? Pass::kSettled
                                                                                 : Pass::kFailed;
        }
        if (!take(leader, request, report)) {
            return Pass::kFailed;
        }
        if (const auto held = known_.find(leader.tid);
            held != known_.end() && held->second != kNobody) {
            // Its threads are counted when it stands still: a clone(2) that began before the seize
            // makes one that is not traced (kernel_clone(), kernel/fork.c) and not counted yet.
            leaders_.emplace(leader.number, leader);
            return Pass::kNews;
        }
    }
    const Pass pass = take_threads(lister, leader, request, report);
    return pass == Pass::kSettled && !known ? Pass::kNews : pass;
}

Freeze::Pass Freeze::take_threads(TaskLister& lister, const ListedTask& leader,
                                  const FreezeRequest& request, FreezeReport& report) {
    Process& process = processes_[leader.process];
    Result<std::size_t> threads = lister.count_threads(leader);
    bool taken = false;
    if (threads && *threads > 1 && *threads != process.known) {
        threads_.clear();
        if (const Result<> listed = lister.list_threads(leader, threads_); !listed) {
            threads = listed.error();
        }
        for (const ListedTask& thread : threads_) {
            if (!known_.contains(thread.tid)) {
                taken = true;
                if (!take(thread, request, report)) {
                    return Pass::kFailed;
                }
            }
        }
        if (threads && !taken) {
            threads = lister.count_threads(leader);
        }
    }
    if (!threads) {
        fail(report, FreezeFailure::kListing, leader.tid, threads.error().text());
        return Pass::kFailed;
    }
    process.complete = !taken && *threads != 0 && *threads == process.known;
    return taken || (*threads != 0 && !process.complete) ? Pass::kNews : Pass::kSettled;
}

void Freeze::add(const Held& held) {
    known_[held.tid] = held_.size();
    ++processes_[held.process].known;
    held_.push_back(held);
}

// Its number may come again, also that of its whole process.
void Freeze::forget(const Held& ended) {
    known_.erase(ended.tid);
    Process& process = processes_[ended.process];
    --process.known;
    process.complete = false;
    leaders_.erase(ended.number);
}

bool Freeze::take(const ListedTask& task, const FreezeRequest& request, FreezeReport& report) {
    if (task.process != Tgid{} && table_.find(task.process) == nullptr) {
        (void)table_.add(task.process, TaskOrigin::kListing, Clock::now());
    }
    if (task.tid == request.sleeper) {
        report.in_kernel.push_back(task.tid);
    }
    const Process& process = processes_[task.process];
    if (task.tid == request.caller || task.tid == request.sleeper || task.tid == self_ ||
        process.left) {
        pass_over(task);
        return true;
    }
    if (task.process != Tgid{} && process.busy_pass == report.passes) {
        return true;
    }
    const auto quiet =
        std::find_if(request.quiet.begin(), request.quiet.end(),
                     [&](const QuietCaller& caller) { return caller.tid == task.tid; });
    const bool waits = quiet != request.quiet.end();
    // A seized task keeps the options it was seized with.
    const bool executes = waits && quiet->call == QuietCall::kExec;
    const Result<SeizeOutcome> seized =
        tracer_.seize(task.tid, executes ? kExecOptions : PtraceOptions{.births = true});
    if (!seized) {
        fail(report, FreezeFailure::kRefused, task.tid,
             name_of(task.tid) + ": " + seized.error().text());
        return false;
    }
    return hold(task, waits ? &*quiet : nullptr, *seized, request, report);
}

bool Freeze::hold(const ListedTask& task, const QuietCaller* quiet, const SeizeOutcome& seized,
                  const FreezeRequest& request, FreezeReport& report) {
    bool ours = false;
    switch (seized.what) {
        case Seized::kNew:
            ours = true;
            break;
        case Seized::kAlready:
        case Seized::kAlreadyLess:
            // A birth without a creator that tells of it is ours to release.
            ours = seized.was_leaving || seized.untold_birth;
            break;
        case Seized::kGone:
            return true;
        case Seized::kZombie:
            // A leader that its threads outlive is one of its process, and a process that nobody
            // has reaped yet; any other thread is just leaving.
            if (task.process == Tgid{} || task.tid.value == task.process.value) {
                pass_over(task);
            }
            return true;
        case Seized::kTracedByOther:
            report.other_tracer = seized.other_tracer;
            return leave(task, FreezeFailure::kTracedByOther,
                         " is traced by " + name_of(seized.other_tracer), request, report);
        case Seized::kExecuting:
            return meet_exec(task, request, report);
        case Seized::kRefused:
            fail(report, FreezeFailure::kRefused, task.tid,
                 name_of(task.tid) + " cannot be traced: " + Error{EPERM, "PTRACE_SEIZE"}.text());
            return false;
    }
    Held held{task.tid, task.process, task.number, seized.serial, State::kPending, ours};
    if (quiet != nullptr && still_waits(*quiet)) {
        held.state = State::kQuiet;
    }
    tracer_.waits().hold(task.tid);
    add(held);
    return true;
}

// Nothing that we have answered, or Unstoppable::kFail. It is asked again in the next pass: the
// exec may have been about to end, or this thread had no CPU for the bound's whole length.
bool Freeze::meet_exec(const ListedTask& task, const FreezeRequest& request, FreezeReport& report) {
    Process& process = processes_[task.process];
    const int before = std::exchange(process.busy_pass, report.passes);
    if (before == 0) {
        return true;
    }
    process.left = task.process != Tgid{};
    return leave(task, FreezeFailure::kExecuting,
                 " cannot be seized: an exec of its process is on its way", request, report);
}

bool Freeze::leave(const ListedTask& task, FreezeFailure why, std::string reason,
                   const FreezeRequest& request, FreezeReport& report) {
    if (request.unstoppable == Unstoppable::kFail) {
        fail(report, why, task.tid, name_of(task.tid) + reason);
        return false;
    }
    report.left.push_back(task.tid);
    pass_over(task);
    return true;
}

bool Freeze::is_executing(const ListedTask& task) {
    if (!tracer_.expects_any_exec()) {
        return false;
    }
    Tgid process = task.process;
    if (process == Tgid{}) {
        const Result<std::optional<TaskStatus>> status = procfs_.status(task.tid);
        process = status && *status ? (*status)->tgid : Tgid{};
    }
    return tracer_.expects_exec(process);
}

void Freeze::pass_over(const ListedTask& task) {
    known_[task.tid] = kNobody;
    ++processes_[task.process].known;
}

bool Freeze::interrupt_all(FreezeReport& report) {
    for (std::size_t i = first_pending_; i < held_.size(); ++i) {
        if (held_[i].state != State::kPending) {
            continue;
        }
        if (const Result<> sent = tracer_.interrupt(held_[i].tid); !sent) {
            fail(report, FreezeFailure::kRefused, held_[i].tid,
                 name_of(held_[i].tid) + ": " + sent.error().text());
            return false;
        }
    }
    return true;
}

bool Freeze::wait_for_all(const FreezeRequest& request, FreezeReport& report) {
    // The usual vfork parent is the caller's: it is asked for at once, not after a tick, but given
    // the time to come to its stop.
    const auto parent = known_.find(Tid{request.parent.value});
    if (parent != known_.end() && parent->second != kNobody) {
        Held& held = held_[parent->second];
        if (held.state == State::kPending && tracer_.waits().look(held.tid) == Awaited::kTick &&
            is_kernel_held(held.tid, request, true)) {
            held.state = State::kInKernel;
            report.in_kernel.push_back(held.tid);
        }
    }
    // Births append to held_ while this runs.
    for (; first_pending_ < held_.size(); ++first_pending_) {
        if (!wait_for(first_pending_, request, report)) {
            return false;
        }
    }
    return true;
}

bool Freeze::wait_for(std::size_t index, const FreezeRequest& request, FreezeReport& report) {
    const Tid tid = held_[index].tid;
    std::optional<Clock::time_point> since;
    while (held_[index].state == State::kPending) {
        switch (tracer_.waits().await(tid)) {
            case Awaited::kStopped:
                held_[index].state = State::kStopped;
                adopt_birth(index, report);
                break;
            case Awaited::kEnded:
                held_[index].state = State::kEnded;
                forget(held_[index]);
                break;
            case Awaited::kTick: {
                const Clock::time_point now = Clock::now();
                since = since.value_or(now);
                if (is_kernel_held(tid, request, now - *since >= request.patience)) {
                    held_[index].state = State::kInKernel;
                    report.in_kernel.push_back(tid);
                } else if (now > request.deadline) {
                    fail(report, FreezeFailure::kDeadline, tid,
                         name_of(tid) + " did not stop within the budget");
                    return false;
                }
                break;
            }
        }
    }
    return true;
}

// Will not stop before the kernel lets it go, and cannot run its program before it stops: the
// interrupt is pending. A parent is most likely the vfork parent of somebody who stands still and
// is not waited for; /proc/TID/syscall would tell, but may block (see Procfs).
bool Freeze::is_kernel_held(Tid tid, const FreezeRequest& request, bool patience_over) {
    const Result<std::optional<TaskStatus>> status = procfs_.status(tid);
    if (!status || !*status || (*status)->state != 'D') {
        return false;
    }
    return patience_over || is_a_parent((*status)->tgid, request);
}

bool Freeze::is_a_parent(Tgid process, const FreezeRequest& request) {
    if (process == request.parent) {
        return true;
    }
    if (!parents_) {
        parents_.emplace();
        std::size_t left = kParentsAsked;
        for (auto held = held_.rbegin(); held != held_.rend() && left > 0; ++held) {
            // Threads have their process's parent.
            if (held->process == Tgid{} || held->process.value == held->tid.value) {
                const Result<std::optional<TaskStatus>> status = procfs_.status(held->tid);
                if (status && *status) {
                    parents_->insert((*status)->parent);
                }
                --left;
            }
        }
    }
    return parents_->contains(process);
}

void Freeze::adopt_birth(std::size_t creator, FreezeReport& report) {
    const Stop* stop = tracer_.stop_of(held_[creator].tid);
    if (stop == nullptr || !is_birth(*stop)) {
        return;
    }
    const Tid child{static_cast<pid_t>(std::get<stop::Event>(*stop).message)};
    if (child == Tid{}) {
        return;
    }
    if (const auto known = known_.find(child); known != known_.end()) {
        if (known->second != kNobody) {
            held_[known->second].ours = held_[creator].ours;
        }
        return;
    }
    Held held{child,           held_[creator].process, 0, tracer_.serial(child),
              State::kPending, held_[creator].ours};
    const Result<std::optional<TaskStatus>> status = procfs_.status(child);
    if (status && *status) {
        held.process = (*status)->tgid;
        if (held.ours && held.process.value == child.value) {
            (void)table_.add(held.process, TaskOrigin::kForkEvent, Clock::now());
        }
    }
    tracer_.waits().hold(child);
    ++report.born;
    add(held);
}

void Freeze::reap_siblings(Tgid process) {
    int misses = 0;
    bool all_before_ended = true;
    for (std::size_t i = first_sibling_; i < held_.size() && misses < kSiblingMisses; ++i) {
        Held& held = held_[i];
        const bool alive = held.process == process && held.state != State::kEnded &&
                           held.serial != 0 && tracer_.serial(held.tid) == held.serial;
        if (alive && !tracer_.waits().try_reap(held.tid)) {
            ++misses;
            all_before_ended = false;
        } else if (all_before_ended) {
            first_sibling_ = i + 1;
        }
    }
}

void Freeze::release(const Held& held) {
    // Another serial: an exec gave the number to its caller, or it ended and the number came again.
    if (held.state == State::kEnded || tracer_.serial(held.tid) != held.serial) {
        return;
    }
    tracer_.waits().unhold(held.tid);
    if (!held.ours) {
        return;
    }
    const Result<> released = tracer_.release_when_stopped(held.tid, Interrupt::kNo);
    if (!released) {
        log_warning("freeze: release of " + name_of(held.tid) + ": " + released.error().text());
    }
}

void Freeze::thaw() {
    if (!active_) {
        return;
    }
    active_ = false;
    // Who is in a job-control stop first: the kernel wakes it to stop again, and whoever looks at
    // it after the thaw should find it stopped.
    const auto in_group_stop = [this](const Held& held) {
        const Stop* stop = tracer_.stop_of(held.tid);
        return stop != nullptr && std::holds_alternative<stop::Group>(*stop);
    };
    std::stable_partition(held_.begin(), held_.end(), in_group_stop);
    for (const Held& held : held_) {
        release(held);
    }
    held_.clear();
    known_.clear();
    processes_.clear();
    leaders_.clear();
    parents_.reset();
}

}  // namespace execseal
