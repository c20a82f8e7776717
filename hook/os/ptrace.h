// The ptrace seam: attach without stopping (PTRACE_SEIZE), command, wait, and say what a stop is.
//
// Two small interfaces of one kernel call a method; Tracer is their only user, tests put a fake
// kernel behind them. A tracee can be killed at any moment, in a stop too, so that every request
// may find it gone (ESRCH): a value, never an Error (ptrace(2), "Death under ptrace").
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <variant>

#include "hook/os/ids.h"
#include "hook/os/result.h"

namespace execseal {

namespace stop {
// The end of the tracee, reaped by this very wait: its real parent is told only now.
struct Exited {
    int code = 0;
};
struct Killed {
    int signal = 0;
};
// Not our tracee any more without having ended in front of us: an exec in its process took its
// number away (de_thread()), or somebody reaped it.
struct Gone {};
// Signal-delivery-stop: detach with this signal, or it is lost.
struct Signal {
    int signal = 0;
};
// Group-stop (job control); stays stopped after a detach until SIGCONT.
struct Group {
    int signal = 0;
};
// PTRACE_EVENT_STOP: our PTRACE_INTERRUPT, or the birth of an automatically attached child. Also
// what the SIGCONT of a listening tracee gives.
struct Trap {};
enum class EventKind { kFork, kVfork, kClone, kVforkDone, kExec, kExit, kOther };
struct Event {
    EventKind kind = EventKind::kOther;
    // PTRACE_GETEVENTMSG where the tracer has asked: the child's number, or the former tid of an
    // exec.
    std::uint64_t message = 0;
};
}  // namespace stop

using Stop = std::variant<stop::Exited, stop::Killed, stop::Gone, stop::Signal, stop::Group,
                          stop::Trap, stop::Event>;

// Exited, Killed or Gone: nothing is attached any more.
[[nodiscard]] bool is_end(const Stop& stop);
// A child was born at this stop (fork, vfork or clone event).
[[nodiscard]] bool is_birth(const Stop& stop);
[[nodiscard]] bool is_exec(const Stop& stop);
// For SEIZEd tracees only: without PTRACE_SEIZE a group-stop cannot be told from a signal.
[[nodiscard]] Stop decode_wait_status(int status);

enum class PtraceReach { kGone, kDone };
// kRefused: EPERM. kBusy: somebody holds the process's cred_guard_mutex, most likely an execve(2)
// of one of its threads, which has it from the opening of its file until its other threads are
// gone.
enum class SeizeReach { kRefused, kBusy, kGone, kDone };

// How long PTRACE_SEIZE may wait for that mutex (ptrace_attach(), kernel/ptrace.c); twice, since
// the first may have passed while this thread had no CPU. Nobody else is served meanwhile.
inline constexpr std::chrono::milliseconds kSeizeBound{1};

struct PtraceOptions {
    bool births = false;     // TRACEFORK|TRACEVFORK|TRACECLONE: children are born attached
    bool exec = false;       // TRACEEXEC
    bool exit_kill = false;  // EXITKILL: the task dies if we do
    friend bool operator==(const PtraceOptions&, const PtraceOptions&) = default;
};

// `arch` and `nr` as in seccomp_data: AUDIT_ARCH_*, x32 with bit 30 of `nr` set, -1 outside of a
// call. `result` as the kernel has it (-ERESTARTNOINTR and its kin too) of a call that is being
// left.
struct SyscallState {
    std::uint32_t arch = 0;
    int nr = -1;
    std::int64_t result = 0;
};

class Ptrace {
  public:
    virtual ~Ptrace() = default;
    // Waits no longer than two kSeizeBound; the other requests do not wait for their task.
    virtual Result<SeizeReach> seize(Tid tid, const PtraceOptions& options) = 0;
    // Never on a task that waits in the notify queue: it would leave its wait and the notification
    // would be stale (seccomp_do_user_notification(), kernel/seccomp.c).
    virtual Result<PtraceReach> interrupt(Tid tid) = 0;
    // On stopped tracees only: ESRCH otherwise, which reads as gone.
    virtual Result<PtraceReach> detach(Tid tid, int signal) = 0;
    virtual Result<PtraceReach> resume(Tid tid, int signal) = 0;
    virtual Result<std::optional<std::uint64_t>> event_message(Tid tid) = 0;
    // The system call that the stopped task is in or leaving.
    virtual Result<std::optional<SyscallState>> current_syscall(Tid tid) = 0;
    // Of a stopped task of this program's own width; nullopt for another width.
    virtual Result<std::optional<RemoteAddr>> stack_pointer(Tid tid) = 0;
    virtual Result<PtraceReach> set_syscall_result(Tid tid, std::int64_t value) = 0;
    // SIGKILL. Only for a tracee of ours: its number is not free before we have reaped it.
    virtual Result<PtraceReach> kill(Tid tid) = 0;
};

struct AnyNews {
    enum class Kind { kNoTracee, kNothing, kStop };
    Kind kind = Kind::kNothing;
    Tid tid;
    Stop what = stop::Gone{};
};

class TraceeWait {
  public:
    using Clock = std::chrono::steady_clock;
    virtual ~TraceeWait() = default;
    // waitpid(tid, __WALL | WNOHANG): O(1), unlike a wait for anybody.
    virtual Result<std::optional<Stop>> try_wait(Tid tid) = 0;
    // Any tracee, in O(tracees); never an ordinary child of this process.
    virtual Result<AnyNews> try_wait_any() = 0;
    // Blocks until the task stops or ends, or until the alarm ticks (nullopt). Only while armed.
    virtual Result<std::optional<Stop>> wait(Tid tid) = 0;
    // From the first wait() that blocks on, the alarm ticks every `slice` for the calling thread
    // until disarmed, so that a tick that falls between two waits is followed by another one.
    virtual Result<> arm(std::chrono::microseconds slice) = 0;
    virtual void disarm() = 0;
};

std::unique_ptr<Ptrace> real_ptrace();
std::unique_ptr<TraceeWait> real_tracee_wait();

}  // namespace execseal
