#include "hook/exec/notified_call.h"

#include <gtest/gtest.h>
#include <seccomp.h>

namespace execseal {
namespace {

// libseccomp's tables are the second opinion: each name of each ABI must be known here as what it
// is.
TEST(NotifiedCall, AgreesWithLibseccompInEveryAbi) {
    struct Name {
        const char* name;
        NotifiedCall kind;
    };
    const Name names[] = {{"execve", NotifiedCall::kExec},   {"execveat", NotifiedCall::kExec},
                          {"fork", NotifiedCall::kFork},     {"vfork", NotifiedCall::kFork},
                          {"clone", NotifiedCall::kFork},    {"clone3", NotifiedCall::kFork},
                          {"write", NotifiedCall::kUnknown}, {"seccomp", NotifiedCall::kUnknown}};
    struct Abi {
        std::uint32_t token;
        std::uint32_t audit_arch;
    };
    // x32 shares x86_64's AUDIT_ARCH, its numbers carry bit 30.
    const Abi abis[] = {{SCMP_ARCH_X86_64, SCMP_ARCH_X86_64},
                        {SCMP_ARCH_X86, SCMP_ARCH_X86},
                        {SCMP_ARCH_X32, SCMP_ARCH_X86_64},
                        {SCMP_ARCH_AARCH64, SCMP_ARCH_AARCH64},
                        {SCMP_ARCH_ARM, SCMP_ARCH_ARM}};
    int checked = 0;
    for (const auto& abi : abis) {
        for (const auto& name : names) {
            const int nr = seccomp_syscall_resolve_name_arch(abi.token, name.name);
            if (nr < 0) {
                continue;  // this ABI has no such call (arm64: fork, vfork)
            }
            EXPECT_EQ(kind_of_call(abi.audit_arch, nr), name.kind)
                << name.name << " " << std::hex << abi.token << " " << nr;
            ++checked;
        }
    }
    EXPECT_GE(checked, 36);
}

TEST(NotifiedCall, AnUnknownArchitectureIsUnknown) {
    EXPECT_EQ(kind_of_call(SCMP_ARCH_S390X, 11), NotifiedCall::kUnknown);
    EXPECT_EQ(kind_of_call(0, 59), NotifiedCall::kUnknown);
}

}  // namespace
}  // namespace execseal
