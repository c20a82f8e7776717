// Tracer: the only owner of ptrace attachments; who attaches, and how each attachment ends.
//
// Takes thread ids from the fork tracking, the freeze and the exec gate; waits() gives them the
// stops of their tasks. Must never detach a task that is not stopped (the kernel refuses), lose a
// signal that a stop owes, or be used from a second thread (attachments belong to a thread,
// ptrace(2)).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "hook/os/procfs.h"
#include "hook/os/ptrace.h"
#include "hook/tasks/attachments.h"
#include "hook/tasks/waits.h"

namespace execseal {

// What became of an attempt to attach. kZombie: nothing left that could run. kTracedByOther: gdb or
// strace in the container, say. kRefused: EPERM for another reason (a kernel thread, no rights).
// kExecuting: not within the bound of Ptrace::seize(), an exec of its process is on its way.
// kAlready: ours with at least these options, kAlreadyLess: ours with fewer. Either way a pending
// release_when_stopped() is cancelled.
enum class Seized {
    kRefused,
    kTracedByOther,
    kExecuting,
    kZombie,
    kGone,
    kAlreadyLess,
    kAlready,
    kNew
};

struct SeizeOutcome {
    Seized what = Seized::kRefused;
    Tid other_tracer{};  // for kTracedByOther
    // That is a supervisor of another container, which lets go soon: see ask_for_supervisors().
    bool by_supervisor = false;
    // Of kNew, kAlready and kAlreadyLess: see serial(); whether it was to be released when it
    // stops.
    std::uint64_t serial = 0;
    bool was_leaving = false;
    // kAlready: born attached, and its creator has not told of it yet.
    bool untold_birth = false;
};

// kDying: killed while it was stopped; stays owned until it is reaped, or, if it was the leader of
// a process that executes, until the flow of that exec lets it go.
enum class Released { kGone, kDying, kDetached };

enum class Interrupt { kNo, kYes };

class Tracer {
  public:
    // Is told of each task that is about to leave a stop in which it may be in a system call.
    using LeavesStop = std::function<void(Tid)>;
    Tracer(Ptrace& ptrace, TraceeWait& wait, Procfs& procfs, LeavesStop leaves_stop);
    Tracer(const Tracer&) = delete;
    Tracer& operator=(const Tracer&) = delete;
    Tracer(Tracer&&) = delete;
    Tracer& operator=(Tracer&&) = delete;
    // Tells of what is still attached. The kernel detaches it when this thread ends, but drops the
    // signals that stopped tasks owe.
    ~Tracer();

    // How to tell a task that is a supervisor of another container; until it is told nobody is.
    void ask_for_supervisors(std::function<bool(Tid)> is_supervisor) {
        is_supervisor_ = std::move(is_supervisor);
    }

    // Attaches by number; asks again where somebody else has held the task and has let go by the
    // time it is asked who. That the number still means the same task is the caller's proof to make
    // afterwards: a notification id that is still valid, or the start time.
    Result<SeizeOutcome> seize(Tid tid, const PtraceOptions& options);

    // Nothing for a task that is stopped, leaving or gone.
    Result<> interrupt(Tid tid);

    // Between these the exec of a thread of this process is followed: whoever turns up under the
    // leader's number is that thread, and belongs to the poll_exec() of its caller. Nested.
    //
    // ptrace(2) knows tasks by number alone, and the kernel gives the leader's to a thread that
    // executes between any two of our calls. So a leader that is stopped is not let go meanwhile
    // (the thread would be, out of the stop in which its exec waits to be verified), but at the
    // last exec_over(). An exec does not wait for that: it kills the leader in its stop. Nor does
    // anybody but the exec's own flow, by release_executed(), let go what stands at the end of one.
    void expect_exec(Tgid process, Tid caller) { attachments_.expect_exec(process, caller); }
    void exec_over(Tgid process, Tid caller);
    [[nodiscard]] bool expects_exec(Tgid process) const {
        return attachments_.expects_exec(Tid{process.value});
    }
    [[nodiscard]] bool expects_any_exec() const { return attachments_.expects_any_exec(); }

    // Detaches a stopped task with the signal that its stop owes. kDying also where that is put
    // off, see expect_exec().
    Result<Released> release(Tid tid);
    // For the exec's own flow: what poll_exec() has told of, or what has been killed there.
    Result<Released> release_executed(Tid tid);
    // The same as soon as it stops, see reap_leaving(). kYes makes it stop now.
    Result<> release_when_stopped(Tid tid, Interrupt interrupt);
    // Looks at the tasks that are to be released when they stop; call at each SIGCHLD.
    void reap_leaving();

    // Lets a stopped task go on attached, with the signal that its stop owes; detached, later,
    // where its number may be taken, see expect_exec().
    Result<> resume(Tid tid);
    Result<> kill(Tid tid);

    // What the attached tasks have to tell.
    [[nodiscard]] Waits& waits() { return waits_; }

    // Tells the attachments of one number apart; 0: not attached.
    [[nodiscard]] std::uint64_t serial(Tid tid) const;
    [[nodiscard]] bool is_attached(Tid tid) const { return attachments_.contains(tid); }
    [[nodiscard]] bool is_stopped(Tid tid) const { return stop_of(tid) != nullptr; }
    [[nodiscard]] const Stop* stop_of(Tid tid) const;
    [[nodiscard]] std::size_t attached() const { return attachments_.size(); }

    // What the system call that the stopped task is leaving returns.
    std::optional<std::int64_t> syscall_result(Tid tid);
    // See Ptrace; nullopt also when it cannot be had.
    std::optional<RemoteAddr> stack_pointer(Tid tid);

  private:
    void let_go_later(Tid tid, Attachment& attachment);
    Result<Released> detach(Tid tid);
    Result<SeizeOutcome> seize_once(Tid tid, const PtraceOptions& options);

    Ptrace& ptrace_;
    Procfs& procfs_;
    LeavesStop leaves_stop_;
    std::function<bool(Tid)> is_supervisor_;
    Tid self_;  // what TracerPid says of our tracees
    Attachments attachments_;
    Waits waits_;
    std::vector<Tid> leaving_;
};

}  // namespace execseal
