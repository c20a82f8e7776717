// Tracer: the only owner of ptrace attachments and the only one that waits for tracees.
//
// Takes thread ids from the fork tracking, the freeze and the exec gate; gives them the stops of
// their tasks. Must never detach a task that is not stopped (the kernel refuses), lose a signal
// that a stop owes, leave a dead tracee unreaped (its real parent would wait for ever), or be used
// from a second thread (attachments belong to a thread, ptrace(2)).
//
// A stop is kept here until its owner asks (`poll`). A child of a tracee with `births` is born
// attached; if its creator dies before telling of it, `sweep` finds it and it becomes a stray.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <thread>
#include <unordered_map>
#include <vector>

#include "hook/os/procfs.h"
#include "hook/os/ptrace.h"

namespace execseal {

// What became of an attempt to attach. kZombie: nothing left that could run. kTracedByOther: gdb or
// strace in the container, say. kRefused: EPERM for another reason (a kernel thread, no rights).
// kExecuting: not within the bound of Ptrace::seize(), an exec of its process is on its way.
// kAlready: ours with at least these options, kAlreadyLess: ours with fewer; both are not to be
// released by an earlier wish any more.
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

enum class Awaited { kTick, kStopped, kEnded };

enum class Interrupt { kNo, kYes };

class Tracer {
  public:
    Tracer(Ptrace& ptrace, TraceeWait& wait, Procfs& procfs);
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

    // The stop or end of this task that nobody has been given yet; nullopt: nothing new, held, or
    // the end of an exec that is expected, which is for poll_exec(). A task that is not attached is
    // Gone. Births have their child in `message`, attached already.
    std::optional<Stop> poll(Tid tid);

    // For the caller of an execve: as poll(), but after an exec from a thread that is not the
    // leader the task goes on under the leader's number (ptrace(2), "execve(2) under ptrace").
    std::optional<Stop> poll_exec(Tid caller, Tgid process);

    // Between these the exec of a thread of this process is followed: whoever turns up under the
    // leader's number is that thread, and belongs to the poll_exec() of its caller. Nested.
    //
    // ptrace(2) knows tasks by number alone, and the kernel gives the leader's to a thread that
    // executes between any two of our calls. So a leader that is stopped is not let go meanwhile
    // (the thread would be, out of the stop in which its exec waits to be verified), but at the
    // last exec_over(). An exec does not wait for that: it kills the leader in its stop. Nor does
    // anybody but the exec's own flow, by release_executed(), let go what stands at the end of one.
    void expect_exec(Tgid process, Tid caller);
    void exec_over(Tgid process, Tid caller);
    [[nodiscard]] bool expects_exec(Tgid process) const {
        return execs_.contains(Tid{process.value});
    }
    [[nodiscard]] bool expects_any_exec() const { return !execs_.empty(); }

    // True if a task that was stopped has ended since (SIGKILL, or an exec of its process); it is
    // reaped then.
    bool try_reap(Tid tid);

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

    // Looks for news of any tracee, unknown ones too, and keeps them for their owners; returns the
    // known tasks that have some. Called at each SIGCHLD while some creator has died without
    // telling of its child, and by those who wait for many at once.
    const std::vector<Tid>& sweep();
    [[nodiscard]] bool may_have_strays() const { return orphans_possible_; }
    // One has died since the last sweep: its child may have stopped before, so that no SIGCHLD
    // tells of it any more.
    [[nodiscard]] bool sweep_is_due() const { return sweep_is_due_; }
    // Children that are attached and that nobody waits for: to be registered and released.
    std::vector<Tid> take_strays();

    // Blocks for one task between arm() and disarm(); its stop stays for its owner.
    Result<> arm(std::chrono::microseconds slice) { return wait_.arm(slice); }
    void disarm() { wait_.disarm(); }
    Awaited await(Tid tid);
    // The same without blocking; kTick: not stopped yet.
    Awaited look(Tid tid);

    // A held task gives no news to its owner: it must stay as it is until the thaw.
    void hold(Tid tid);
    void unhold(Tid tid);

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
    struct Attachment {
        std::uint64_t serial = 0;
        PtraceOptions options;
        std::optional<Stop> stop;
        bool seen = false;     // `stop` was given to its owner
        bool held = false;     // see hold()
        bool leaving = false;  // to be released when it stops
        bool newborn = false;  // has not run yet
        bool told = false;     // its present system call cannot have an untold child
    };

    void check_thread() const;
    // Whether the number may be another task's than that of which we know a stop.
    [[nodiscard]] bool may_be_taken(Tid tid) const;
    void let_go_later(Tid tid, Attachment& attachment);
    // It stands at the end of an exec that is expected.
    [[nodiscard]] bool has_executed(Tid tid) const;
    std::optional<Stop> poll_any(Tid tid);
    Result<Released> detach(Tid tid);
    Result<SeizeOutcome> seize_once(Tid tid, const PtraceOptions& options);
    // A notified call that a signal has made leave its wait in the notify queue is started again
    // after the signal's handler, whatever the handler's SA_RESTART says: without us it would not
    // have waited there, and fork(2) has no EINTR. For a task that is stopped.
    void restart_notified_call(Tid tid);
    Attachment& attach(Tid tid, const PtraceOptions& options);
    // A creator ends whose child, if it has made one, nobody knows. The leader's end is not told
    // where a thread takes its number.
    void suspect_orphan();
    void suspect_orphan_of(Tid ended);
    // Takes what a wait gave; returns the stop with its message.
    Stop take_news(Tid tid, Stop stop);
    // The same for the owner that asks now: it is not told again.
    Stop give_news(Tid tid, Stop stop);
    void end(Tid tid);
    void adopt_child(const PtraceOptions& options, Tid child);
    void rename(Tid former, Tid leader);
    std::optional<Stop> try_wait(Tid tid);
    [[nodiscard]] Attachment* find(Tid tid);

    Ptrace& ptrace_;
    TraceeWait& wait_;
    Procfs& procfs_;
    std::function<bool(Tid)> is_supervisor_;
    std::thread::id thread_;
    Tid self_;  // what TracerPid says of our tracees
    std::uint64_t next_serial_ = 1;
    std::unordered_map<Tid, Attachment> attachments_;
    struct Expected {
        int execs = 0;
        int of_others = 0;  // than the leader, whose number they will take
    };
    std::unordered_map<Tid, Expected> execs_;  // by leader, see expect_exec()
    std::vector<Tid> leaving_;
    std::vector<Tid> strays_;
    std::vector<Tid> swept_;
    bool orphans_possible_ = false;
    bool sweep_is_due_ = false;
};

}  // namespace execseal
