#include "hook/os/bounded_call.h"

#include <pthread.h>
#include <ucontext.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

// long execseal_bounded_call(const volatile int* expired, long number, long a, b, c, d)
// From begin to end nothing but the test and the call: a handler that finds the thread there knows
// that the call has not happened (or is about to be started again), and one that comes earlier has
// set the flag that the test reads.
extern "C" long execseal_bounded_call(const volatile std::sig_atomic_t* expired, long number,
                                      long first, long second, long third, long fourth);
extern "C" const char execseal_bounded_begin[];  // NOLINT(cppcoreguidelines-avoid-c-arrays): labels
extern "C" const char execseal_bounded_end[];    // NOLINT(cppcoreguidelines-avoid-c-arrays): labels

// clang-format off
#if defined(__x86_64__)
asm(R"(
    .pushsection .text
    .globl execseal_bounded_call, execseal_bounded_begin, execseal_bounded_end
    .type execseal_bounded_call, @function
execseal_bounded_call:
    .cfi_startproc
    mov %rdi, %r11
    mov %rsi, %rax
    mov %rdx, %rdi
    mov %rcx, %rsi
    mov %r8, %rdx
    mov %r9, %r10
execseal_bounded_begin:
    cmpl $0, (%r11)
    jne 1f
    syscall
execseal_bounded_end:
    ret
1:  mov $-4, %rax
    ret
    .cfi_endproc
    .size execseal_bounded_call, . - execseal_bounded_call
    .popsection
)");
#elif defined(__aarch64__)
asm(R"(
    .pushsection .text
    .globl execseal_bounded_call, execseal_bounded_begin, execseal_bounded_end
    .type execseal_bounded_call, %function
execseal_bounded_call:
    .cfi_startproc
    mov x9, x0
    mov x8, x1
    mov x0, x2
    mov x1, x3
    mov x2, x4
    mov x3, x5
execseal_bounded_begin:
    ldr w10, [x9]
    cbnz w10, 1f
    svc #0
execseal_bounded_end:
    ret
1:  mov x0, #-4
    ret
    .cfi_endproc
    .size execseal_bounded_call, . - execseal_bounded_call
    .popsection
)");
#else
#error "how a thread is moved behind its system call is not known for this architecture"
#endif
// clang-format on

namespace execseal {
namespace {

static_assert(sizeof(std::sig_atomic_t) == 4, "the assembly tests 32 bits");
static_assert(EINTR == 4, "the assembly returns -4");

int timer_signal() {
    return SIGRTMIN + 3;  // hook/os/ptrace.cpp has SIGRTMIN + 2
}

bool in_range(std::uintptr_t instruction) {
    return instruction >= reinterpret_cast<std::uintptr_t>(&execseal_bounded_begin[0]) &&
           instruction < reinterpret_cast<std::uintptr_t>(&execseal_bounded_end[0]);
}

extern "C" void end_bounded_call(int /*signal*/, siginfo_t* info, void* context) {
    *static_cast<volatile std::sig_atomic_t*>(info->si_value.sival_ptr) = 1;
    auto& machine = static_cast<ucontext_t*>(context)->uc_mcontext;
    const auto end = reinterpret_cast<std::uintptr_t>(&execseal_bounded_end[0]);
#if defined(__x86_64__)
    if (in_range(static_cast<std::uintptr_t>(machine.gregs[REG_RIP]))) {
        machine.gregs[REG_RIP] = static_cast<greg_t>(end);
        machine.gregs[REG_RAX] = -EINTR;
    }
#elif defined(__aarch64__)
    if (in_range(machine.pc)) {
        machine.pc = end;
        machine.regs[0] = static_cast<std::uint64_t>(-EINTR);
    }
#endif
}

}  // namespace

BoundedCall::~BoundedCall() {
    if (owner_ == ::gettid()) {  // else a fork's copy, which has no timers
        (void)::timer_delete(timer_);
    }
}

Result<> BoundedCall::make_timer() {
    struct sigaction action {};
    action.sa_sigaction = end_bounded_call;
    action.sa_flags = SA_SIGINFO;
    if (::sigaction(timer_signal(), &action, nullptr) != 0) {
        return Error{errno, "sigaction"};
    }
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, timer_signal());
    if (::pthread_sigmask(SIG_UNBLOCK, &set, nullptr) != 0) {
        return make_error("pthread_sigmask");
    }
    sigevent event{};
    event.sigev_notify = SIGEV_THREAD_ID;
    event.sigev_signo = timer_signal();
    event.sigev_value.sival_ptr = const_cast<std::sig_atomic_t*>(&expired_);
    event._sigev_un._tid = ::gettid();
    if (::timer_create(CLOCK_MONOTONIC, &event, &timer_) != 0) {
        return Error{errno, "timer_create"};
    }
    owner_ = ::gettid();
    return Ok{};
}

Result<std::optional<long>> BoundedCall::call(long number, const std::array<long, 4>& arguments,
                                              std::chrono::microseconds bound) {
    if (owner_ != ::gettid()) {
        if (Result<> made = make_timer(); !made) {
            return made.error();
        }
    }
    expired_ = 0;
    itimerspec alarm{};
    alarm.it_value.tv_sec = bound.count() / 1'000'000;
    alarm.it_value.tv_nsec = bound.count() % 1'000'000 * 1000;
    if (::timer_settime(timer_, 0, &alarm, nullptr) != 0) {
        return Error{errno, "timer_settime"};
    }
    const long result = execseal_bounded_call(&expired_, number, arguments[0], arguments[1],
                                              arguments[2], arguments[3]);
    const itimerspec never{};
    (void)::timer_settime(timer_, 0, &never, nullptr);
    return result == -EINTR ? std::optional<long>() : std::optional(result);
}

}  // namespace execseal
