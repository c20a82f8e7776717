#include "hook/exec/notified_call.h"

#include <linux/audit.h>

#include <algorithm>
#include <array>

namespace execseal {
namespace {

struct Call {
    std::uint32_t arch;
    int nr;
    NotifiedCall kind;
};

constexpr int kX32Bit = 0x40000000;

// From the kernel's system call tables; __NR_* of the headers is only this program's own ABI. x32
// shares the numbers of x86_64 except for calls with pointers to pointers
// (arch/x86/entry/syscalls/syscall_64.tbl, 512 and up).
constexpr std::array kCalls{
    Call{AUDIT_ARCH_X86_64, 59, NotifiedCall::kExec},   // execve
    Call{AUDIT_ARCH_X86_64, 322, NotifiedCall::kExec},  // execveat
    Call{AUDIT_ARCH_X86_64, 56, NotifiedCall::kFork},   // clone
    Call{AUDIT_ARCH_X86_64, 57, NotifiedCall::kFork},   // fork
    Call{AUDIT_ARCH_X86_64, 58, NotifiedCall::kFork},   // vfork
    Call{AUDIT_ARCH_X86_64, 435, NotifiedCall::kFork},  // clone3
    Call{AUDIT_ARCH_X86_64, kX32Bit | 520, NotifiedCall::kExec},
    Call{AUDIT_ARCH_X86_64, kX32Bit | 545, NotifiedCall::kExec},
    Call{AUDIT_ARCH_X86_64, kX32Bit | 56, NotifiedCall::kFork},
    Call{AUDIT_ARCH_X86_64, kX32Bit | 57, NotifiedCall::kFork},
    Call{AUDIT_ARCH_X86_64, kX32Bit | 58, NotifiedCall::kFork},
    Call{AUDIT_ARCH_X86_64, kX32Bit | 435, NotifiedCall::kFork},
    Call{AUDIT_ARCH_I386, 11, NotifiedCall::kExec},
    Call{AUDIT_ARCH_I386, 358, NotifiedCall::kExec},
    Call{AUDIT_ARCH_I386, 2, NotifiedCall::kFork},
    Call{AUDIT_ARCH_I386, 120, NotifiedCall::kFork},
    Call{AUDIT_ARCH_I386, 190, NotifiedCall::kFork},
    Call{AUDIT_ARCH_I386, 435, NotifiedCall::kFork},
    Call{AUDIT_ARCH_AARCH64, 221, NotifiedCall::kExec},
    Call{AUDIT_ARCH_AARCH64, 281, NotifiedCall::kExec},
    Call{AUDIT_ARCH_AARCH64, 220, NotifiedCall::kFork},
    Call{AUDIT_ARCH_AARCH64, 435, NotifiedCall::kFork},
    Call{AUDIT_ARCH_ARM, 11, NotifiedCall::kExec},
    Call{AUDIT_ARCH_ARM, 387, NotifiedCall::kExec},
    Call{AUDIT_ARCH_ARM, 2, NotifiedCall::kFork},
    Call{AUDIT_ARCH_ARM, 120, NotifiedCall::kFork},
    Call{AUDIT_ARCH_ARM, 190, NotifiedCall::kFork},
    Call{AUDIT_ARCH_ARM, 435, NotifiedCall::kFork},
};

}  // namespace

NotifiedCall kind_of_call(std::uint32_t arch, int nr) {
    const auto* found = std::find_if(kCalls.begin(), kCalls.end(), [&](const Call& call) {
        return call.arch == arch && call.nr == nr;
    });
    return found == kCalls.end() ? NotifiedCall::kUnknown : found->kind;
}

}  // namespace execseal
