// Freeze: makes a domain stand still, all of its tasks but the caller, and lets it go again.
//
// Takes a lister, the caller and a deadline; gives a report that says what is held and what is not.
// All are seized and interrupted, each is waited for by its id, and the domain is listed again
// until a listing shows nobody new; children of tasks that were faster than us are born stopped.
// Must not lose a signal, disturb a task that waits in the notify queue, or wait for one that the
// kernel holds (a vfork parent, uninterruptible I/O).
//
// A task in the notify queue stands still until it is answered; it is attached so that a signal
// cannot make it run, and it stays attached after the thaw (only a stopped task can be detached):
// whoever answers it then finds it attached (Seized::kAlready) or calls
// Tracer::release_when_stopped() after the answer.
#pragma once

#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "hook/os/procfs.h"
#include "hook/tasks/quiet_caller.h"
#include "hook/tasks/task_lister.h"
#include "hook/tasks/task_table.h"
#include "hook/tasks/tracer.h"

namespace execseal {

enum class FreezeFailure { kListing, kTracedByOther, kExecuting, kRefused, kDeadline, kNone };

// What becomes of tasks that cannot be stopped: those that a debugger in the container holds, and
// those of a process whose exec is on its way (to seize them would wait for it, and it may be
// waiting for one of the frozen). kLeave: they run on, and what they write meanwhile is for the
// verification to find; only where there is one.
enum class Unstoppable { kFail, kLeave };

struct FreezeRequest {
    Tid caller;   // never touched
    Tgid parent;  // of the caller, the likely one to wait for it in vfork(2); 0: not known
    Tid sleeper;  // waits for the caller in vfork(2) for certain, and is not touched; 0: not known
    std::span<const QuietCaller> quiet;
    std::chrono::steady_clock::time_point deadline;
    // How long an uninterruptible task is waited for.
    std::chrono::microseconds patience{5000};
    Unstoppable unstoppable = Unstoppable::kFail;
};

struct FreezeReport {
    FreezeFailure failure = FreezeFailure::kNone;
    std::string reason;  // for people; names task and tracer
    Tid culprit;
    Tid other_tracer;
    std::size_t held = 0;        // stopped
    std::size_t quiet = 0;       // in the notify queue
    std::vector<Tid> in_kernel;  // not stopped: vfork parents, uninterruptible sleep
    // Unstoppable::kLeave; of a process whose exec is on its way the first thread alone.
    std::vector<Tid> left;
    std::size_t born = 0;  // children that were born meanwhile; among `held`
    int passes = 0;
    std::chrono::microseconds took{0};
};

class Freeze {
  public:
    Freeze(Tracer& tracer, Procfs& procfs, TaskTable& table);
    Freeze(const Freeze&) = delete;
    Freeze& operator=(const Freeze&) = delete;
    Freeze(Freeze&&) = delete;
    Freeze& operator=(Freeze&&) = delete;
    // Without a thaw before: says so in the log, and thaws.
    ~Freeze();

    // On failure everything is thawed again before this returns.
    FreezeReport freeze(TaskLister& lister, const FreezeRequest& request);
    // Afterwards ForkTracking::on_sigchld() has to look at what its flows missed.
    void thaw();
    [[nodiscard]] bool active() const { return active_; }

    // While the exec of a threaded process kills its other threads: they must be reaped, or it
    // waits for ever (de_thread(), fs/exec.c). Call at each SIGCHLD.
    void reap_siblings(Tgid process);

  private:
    enum class State { kEnded, kPending, kStopped, kQuiet, kInKernel };
    // What came of one listing, or of one process or task of it. kFailed: the report says why.
    // kNews: there was a task that was not known, so another listing is needed.
    enum class Pass { kFailed, kNews, kSettled };
    struct Held {
        Tid tid;
        Tgid process;
        pid_t number = 0;  // where the lister has found it
        std::uint64_t serial = 0;
        State state = State::kPending;
        bool ours = false;  // to be released at the thaw; else another flow's
    };

    struct Process {
        std::size_t known = 0;  // of its tasks; those that the kernel still counts
        bool complete = false;  // all are known, and none could be making another
        int busy_pass = 0;      // the last in which one was Seized::kExecuting; it was then again:
        bool left = false;      // all that are not held yet are left
    };

    // One listing and what follows from it.
    Pass run_pass(TaskLister& lister, const FreezeRequest& request, FreezeReport& report);
    Pass take_process(TaskLister& lister, const ListedTask& leader, const FreezeRequest& request,
                      FreezeReport& report);
    Pass take_threads(TaskLister& lister, const ListedTask& leader, const FreezeRequest& request,
                      FreezeReport& report);
    // False: the report has a failure.
    bool take(const ListedTask& task, const FreezeRequest& request, FreezeReport& report);
    bool hold(const ListedTask& task, const QuietCaller* quiet, const SeizeOutcome& seized,
              const FreezeRequest& request, FreezeReport& report);
    bool meet_exec(const ListedTask& task, const FreezeRequest& request, FreezeReport& report);
    // One that cannot be stopped; false as above.
    bool leave(const ListedTask& task, FreezeFailure why, std::string reason,
               const FreezeRequest& request, FreezeReport& report);
    // Whether an exec of its process, answered by us, is on its way.
    bool is_executing(const ListedTask& task);
    void pass_over(const ListedTask& task);
    bool interrupt_all(FreezeReport& report);
    bool wait_for_all(const FreezeRequest& request, FreezeReport& report);
    // Waits for one until it is not pending any more; false as above.
    bool wait_for(std::size_t index, const FreezeRequest& request, FreezeReport& report);
    bool is_kernel_held(Tid tid, const FreezeRequest& request, bool patience_over);
    // Whether the caller or a task of the domain has this process as its parent.
    bool is_a_parent(Tgid process, const FreezeRequest& request);
    void adopt_birth(std::size_t creator, FreezeReport& report);
    void add(const Held& held);
    void forget(const Held& ended);
    static void fail(FreezeReport& report, FreezeFailure failure, Tid culprit, std::string reason);
    void release(const Held& held);

    Tracer& tracer_;
    Procfs& procfs_;
    TaskTable& table_;
    Tid self_;  // in a container that shares our PID namespace
    bool active_ = false;
    std::vector<Held> held_;
    std::size_t first_pending_ = 0;
    std::size_t first_sibling_ = 0;
    std::unordered_map<Tid, std::size_t> known_;  // index into held_
    std::unordered_map<Tgid, Process> processes_;
    std::optional<std::unordered_set<Tgid>> parents_;  // once somebody has asked
    // Whom we hold, by where the lister finds them: nobody else gets the number of one that is not
    // reaped.
    std::unordered_map<pid_t, ListedTask> leaders_;
    std::vector<pid_t> numbers_;
    std::vector<ListedTask> threads_;
};

}  // namespace execseal
