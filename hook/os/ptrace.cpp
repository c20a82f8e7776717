#include "hook/os/ptrace.h"

#include <elf.h>
#include <linux/audit.h>
#include <sched.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "hook/os/bounded_call.h"

namespace execseal {
namespace {

template <class Address, class Data>
bool request(enum __ptrace_request what, Tid tid, Address address, Data data) {
    return ::ptrace(what, tid.value, address, data) != -1;
}

std::uintptr_t option_bits(const PtraceOptions& options) {
    std::uintptr_t bits = 0;
    if (options.births) {
        bits |= PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE;
    }
    if (options.exec) {
        bits |= PTRACE_O_TRACEEXEC;
    }
    if (options.exit_kill) {
        bits |= PTRACE_O_EXITKILL;
    }
    return bits;
}

// seize() alone waits for a lock that the task can keep, and has a bound. INTERRUPT and tkill take
// siglock. Those of stopped tasks (DETACH, CONT, GETEVENTMSG, GETREGSET, SETREGSET) wait until the
// task has left its CPU after its stop (wait_task_inactive()), and give ESRCH where it has not
// stopped.
class RealPtrace final : public Ptrace {
  public:
    Result<SeizeReach> seize(Tid tid, const PtraceOptions& options) override {
        const std::array<long, 4> arguments{PTRACE_SEIZE, tid.value, 0,
                                            static_cast<long>(option_bits(options))};
        for (int tries = 2; tries > 0; --tries) {
            const auto seized = seize_.call(SYS_ptrace, arguments, kSeizeBound);
            if (!seized) {
                return seized.error();
            }
            if (*seized) {
                return seize_reach(static_cast<int>(-**seized));
            }
        }
        return SeizeReach::kBusy;
    }

    Result<PtraceReach> interrupt(Tid tid) override {
        return reach(request(PTRACE_INTERRUPT, tid, 0, 0), "PTRACE_INTERRUPT");
    }

    Result<PtraceReach> detach(Tid tid, int signal) override {
        return reach(request(PTRACE_DETACH, tid, 0, signal), "PTRACE_DETACH");
    }

    Result<PtraceReach> resume(Tid tid, int signal) override {
        return reach(request(PTRACE_CONT, tid, 0, signal), "PTRACE_CONT");
    }

    Result<std::optional<std::uint64_t>> event_message(Tid tid) override {
        unsigned long message = 0;
        if (request(PTRACE_GETEVENTMSG, tid, 0, &message)) {
            return std::optional<std::uint64_t>(message);
        }
        if (errno == ESRCH) {
            return std::optional<std::uint64_t>();
        }
        return Error{errno, "PTRACE_GETEVENTMSG"};
    }

    Result<std::optional<SyscallState>> current_syscall(Tid tid) override {
        return of_registers(tid, decode_call);
    }

    Result<std::optional<RemoteAddr>> stack_pointer(Tid tid) override {
        return of_registers(tid, native_stack_pointer);
    }

    Result<PtraceReach> set_syscall_result(Tid tid, std::int64_t value) override {
        Registers registers;
        auto read = read_registers(tid, registers);
        if (!read || *read == PtraceReach::kGone) {
            return read;
        }
        if (!encode(value, registers)) {
            return unknown_size();
        }
        iovec area{registers.words.data(), registers.length};
        return reach(request(PTRACE_SETREGSET, tid, NT_PRSTATUS, &area), "PTRACE_SETREGSET");
    }

    Result<PtraceReach> kill(Tid tid) override {
        return reach(::syscall(SYS_tkill, tid.value, SIGKILL) == 0, "tkill SIGKILL");
    }

  private:
    static Result<SeizeReach> seize_reach(int error) {
        switch (error) {
            case 0:
                return SeizeReach::kDone;
            case ESRCH:
                return SeizeReach::kGone;
            case EPERM:
                return SeizeReach::kRefused;
            default:
                return Error{error, "PTRACE_SEIZE"};
        }
    }

    static Result<PtraceReach> reach(bool done, const char* what) {
        if (done) {
            return PtraceReach::kDone;
        }
        if (errno == ESRCH) {
            return PtraceReach::kGone;
        }
        return Error{errno, what};
    }

    // The kernel fills the view of the task's own mode: the length tells a 32-bit task.
    struct Registers {
        std::array<std::uint64_t, 64> words{};
        std::size_t length = 0;
    };
#if defined(__x86_64__)
    static constexpr std::size_t kNativeLength = std::size_t{27} * 8;
    static constexpr std::size_t kNativeOffset = std::size_t{10} * 8;  // rax, user_regs_struct
    static constexpr std::size_t kNativeCall = std::size_t{15} * 8;    // orig_rax
    static constexpr std::size_t kNativeStack = std::size_t{19} * 8;   // rsp
    static constexpr std::uint32_t kNativeArch = AUDIT_ARCH_X86_64;
    static constexpr std::size_t kCompatLength = std::size_t{17} * 4;
    static constexpr std::size_t kCompatOffset = std::size_t{6} * 4;  // eax, user_regs_struct32
    static constexpr std::size_t kCompatCall = std::size_t{11} * 4;   // orig_eax
    static constexpr std::uint32_t kCompatArch = AUDIT_ARCH_I386;
#elif defined(__aarch64__)
    static constexpr std::size_t kNativeLength = std::size_t{34} * 8;
    static constexpr std::size_t kNativeOffset = 0;                   // x0
    static constexpr std::size_t kNativeCall = std::size_t{8} * 8;    // x8
    static constexpr std::size_t kNativeStack = std::size_t{31} * 8;  // sp
    static constexpr std::uint32_t kNativeArch = AUDIT_ARCH_AARCH64;
    static constexpr std::size_t kCompatLength = std::size_t{18} * 4;
    static constexpr std::size_t kCompatOffset = 0;                 // r0
    static constexpr std::size_t kCompatCall = std::size_t{7} * 4;  // r7
    static constexpr std::uint32_t kCompatArch = AUDIT_ARCH_ARM;
#else
#error "the register that holds a system call's result is not known for this architecture"
#endif

    static Error unknown_size() {
        return make_error("PTRACE_GETREGSET: register set of an unknown size");
    }

    static Result<PtraceReach> read_registers(Tid tid, Registers& registers) {
        iovec area{registers.words.data(), sizeof registers.words};
        auto read = reach(request(PTRACE_GETREGSET, tid, NT_PRSTATUS, &area), "PTRACE_GETREGSET");
        registers.length = area.iov_len;
        return read;
    }

    template <class Value>
    static Result<std::optional<Value>> of_registers(
        Tid tid, Result<std::optional<Value>> (*value_of)(const Registers&)) {
        Registers registers;
        const auto read = read_registers(tid, registers);
        if (!read) {
            return read.error();
        }
        return *read == PtraceReach::kGone ? std::optional<Value>() : value_of(registers);
    }

    static Result<std::optional<RemoteAddr>> native_stack_pointer(const Registers& registers) {
        if (registers.length != kNativeLength) {
            return std::optional<RemoteAddr>();
        }
        return std::optional(RemoteAddr{registers.words.at(kNativeStack / 8)});
    }

    // The low half of a register is its first: both architectures are little-endian.
    static Result<std::optional<SyscallState>> decode_call(const Registers& registers) {
        const auto* bytes = reinterpret_cast<const unsigned char*>(registers.words.data());
        SyscallState state;
        if (registers.length == kNativeLength) {
            state.arch = kNativeArch;
            std::memcpy(&state.nr, bytes + kNativeCall, sizeof state.nr);
            std::memcpy(&state.result, bytes + kNativeOffset, sizeof state.result);
            return std::optional(state);
        }
        if (registers.length == kCompatLength) {
            std::int32_t narrow = 0;
            state.arch = kCompatArch;
            std::memcpy(&state.nr, bytes + kCompatCall, sizeof state.nr);
            std::memcpy(&narrow, bytes + kCompatOffset, sizeof narrow);
            state.result = narrow;
            return std::optional(state);
        }
        return unknown_size();
    }

    static bool encode(std::int64_t value, Registers& registers) {
        auto* bytes = reinterpret_cast<unsigned char*>(registers.words.data());
        if (registers.length == kNativeLength) {
            std::memcpy(bytes + kNativeOffset, &value, sizeof value);
            return true;
        }
        if (registers.length == kCompatLength) {
            const auto narrow = static_cast<std::int32_t>(value);
            std::memcpy(bytes + kCompatOffset, &narrow, sizeof narrow);
            return true;
        }
        return false;
    }

    BoundedCall seize_;
};

extern "C" void ignore_tick(int /*signal*/) {}

// With WNOHANG waitpid(2) does not wait; without it, the alarm ends it, again and again, and who
// waits looks at the clock.
class RealTraceeWait final : public TraceeWait {
  public:
    RealTraceeWait() = default;
    RealTraceeWait(const RealTraceeWait&) = delete;
    RealTraceeWait& operator=(const RealTraceeWait&) = delete;
    RealTraceeWait(RealTraceeWait&&) = delete;
    RealTraceeWait& operator=(RealTraceeWait&&) = delete;
    ~RealTraceeWait() override {
        if (have_timer_) {
            (void)::timer_delete(timer_);
        }
    }

    Result<std::optional<Stop>> try_wait(Tid tid) override { return wait_for(tid, WNOHANG); }

    Result<AnyNews> try_wait_any() override {
        int status = 0;
        // __WCLONE without __WALL: tracees of every kind, but of our own children only those that
        // do not signal SIGCHLD at their end: helpers are not reaped behind their owner's back
        // (eligible_child(), kernel/exit.c).
        const pid_t pid = ::waitpid(-1, &status, __WCLONE | WNOHANG);
        if (pid < 0) {
            if (errno == ECHILD) {
                return AnyNews{AnyNews::Kind::kNoTracee, Tid{}, stop::Gone{}};
            }
            return Error{errno, "waitpid for any tracee"};
        }
        if (pid == 0) {
            return AnyNews{AnyNews::Kind::kNothing, Tid{}, stop::Gone{}};
        }
        return AnyNews{AnyNews::Kind::kStop, Tid{pid}, decode_wait_status(status)};
    }

    Result<std::optional<Stop>> wait(Tid tid) override {
        CHECK(slice_.has_value());
        if (!ticks_) {
            // Most tasks stop before they are asked for, or as soon as they get this CPU; starting
            // and stopping the timer costs more than such a wait.
            Result<std::optional<Stop>> news = try_wait(tid);
            if (news && !*news) {
                (void)::sched_yield();
                news = try_wait(tid);
            }
            if (!news || *news) {
                return news;
            }
            start_ticking();
        }
        return wait_for(tid, 0);
    }

    Result<> arm(std::chrono::microseconds slice) override {
        if (!have_timer_) {
            if (Result<> made = make_timer(); !made) {
                return made;
            }
        }
        slice_ = slice;
        return Ok{};
    }

    void disarm() override {
        slice_.reset();
        if (std::exchange(ticks_, false)) {
            const itimerspec never{};
            (void)::timer_settime(timer_, 0, &never, nullptr);
        }
    }

  private:
    void start_ticking() {
        itimerspec tick{};
        tick.it_value.tv_sec = slice_->count() / 1'000'000;
        tick.it_value.tv_nsec = slice_->count() % 1'000'000 * 1000;
        tick.it_interval = tick.it_value;
        CHECK(::timer_settime(timer_, 0, &tick, nullptr) == 0);
        ticks_ = true;
    }

    static Result<std::optional<Stop>> wait_for(Tid tid, int flags) {
        int status = 0;
        const pid_t pid = ::waitpid(tid.value, &status, __WALL | flags);
        if (pid < 0) {
            if (errno == ECHILD) {
                return std::optional<Stop>(stop::Gone{});
            }
            if (errno == EINTR) {
                return std::optional<Stop>();
            }
            return Error{errno, "waitpid"};
        }
        if (pid == 0) {
            return std::optional<Stop>();
        }
        return std::optional<Stop>(decode_wait_status(status));
    }

    // Without SA_RESTART a blocking waitpid returns EINTR at each tick. The signal is directed at
    // this thread; a process-wide one could be taken by another.
    Result<> make_timer() {
        const int signal = SIGRTMIN + 2;
        struct sigaction action {};
        action.sa_handler = ignore_tick;
        if (::sigaction(signal, &action, nullptr) != 0) {
            return Error{errno, "sigaction"};
        }
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, signal);
        if (::pthread_sigmask(SIG_UNBLOCK, &set, nullptr) != 0) {
            return make_error("pthread_sigmask");
        }
        sigevent event{};
        event.sigev_notify = SIGEV_THREAD_ID;
        event.sigev_signo = signal;
        event._sigev_un._tid = ::gettid();
        if (::timer_create(CLOCK_MONOTONIC, &event, &timer_) != 0) {
            return Error{errno, "timer_create"};
        }
        have_timer_ = true;
        return Ok{};
    }

    timer_t timer_{};
    bool have_timer_ = false;
    std::optional<std::chrono::microseconds> slice_;  // while armed
    bool ticks_ = false;
};

stop::EventKind event_kind(int event) {
    switch (event) {
        case PTRACE_EVENT_FORK:
            return stop::EventKind::kFork;
        case PTRACE_EVENT_VFORK:
            return stop::EventKind::kVfork;
        case PTRACE_EVENT_CLONE:
            return stop::EventKind::kClone;
        case PTRACE_EVENT_VFORK_DONE:
            return stop::EventKind::kVforkDone;
        case PTRACE_EVENT_EXEC:
            return stop::EventKind::kExec;
        case PTRACE_EVENT_EXIT:
            return stop::EventKind::kExit;
        default:
            return stop::EventKind::kOther;
    }
}

}  // namespace

bool is_end(const Stop& stop) {
    return std::holds_alternative<stop::Exited>(stop) ||
           std::holds_alternative<stop::Killed>(stop) || std::holds_alternative<stop::Gone>(stop);
}

bool is_exec(const Stop& stop) {
    const auto* event = std::get_if<stop::Event>(&stop);
    return event != nullptr && event->kind == stop::EventKind::kExec;
}

bool is_birth(const Stop& stop) {
    const auto* event = std::get_if<stop::Event>(&stop);
    return event != nullptr &&
           (event->kind == stop::EventKind::kFork || event->kind == stop::EventKind::kVfork ||
            event->kind == stop::EventKind::kClone);
}

Stop decode_wait_status(int status) {
    if (WIFEXITED(status)) {
        return stop::Exited{WEXITSTATUS(status)};
    }
    if (WIFSIGNALED(status)) {
        return stop::Killed{WTERMSIG(status)};
    }
    const int signal = WSTOPSIG(status);
    const int event = status >> 16;
    if (event == 0) {
        return stop::Signal{signal};
    }
    if (event == PTRACE_EVENT_STOP) {
        // The signal of a group-stop is the one that stopped the group, SIGTRAP otherwise
        // (do_jobctl_trap(), kernel/signal.c).
        if (signal == SIGTRAP) {
            return stop::Trap{};
        }
        return stop::Group{signal};
    }
    return stop::Event{event_kind(event), 0};
}

std::unique_ptr<Ptrace> real_ptrace() {
    return std::make_unique<RealPtrace>();
}

std::unique_ptr<TraceeWait> real_tracee_wait() {
    return std::make_unique<RealTraceeWait>();
}

}  // namespace execseal
