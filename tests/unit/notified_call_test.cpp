#include "hook/exec/notified_call.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/audit.h>
#include <seccomp.h>

#include <tuple>

namespace execseal {
namespace {

Notification notification_of(std::uint32_t arch, int nr) {
    Notification notification{.id = NotifyId{}, .tid = Tid{7}, .arch = arch, .nr = nr};
    for (std::uint64_t i = 0; i < 6; ++i) {
        notification.args.at(i) = 0xabcd00000000U + 0x1000 * (i + 1);
    }
    return notification;
}

std::optional<ExecCall> exec_of(std::uint32_t arch, int nr) {
    const NotifiedCall call = decode_call(notification_of(arch, nr));
    const auto* exec = std::get_if<ExecCall>(&call);
    return exec != nullptr ? std::optional(*exec) : std::nullopt;
}

// libseccomp's tables are the second opinion: each name of each ABI must be known here as what it
// is.
TEST(NotifiedCall, AgreesWithLibseccompInEveryAbi) {
    const std::size_t unknown = NotifiedCall(std::monostate{}).index();
    const std::size_t exec = NotifiedCall(ExecCall{}).index();
    const std::size_t fork = NotifiedCall(ForkCall{}).index();
    struct Name {
        const char* name;
        std::size_t kind;
    };
    const Name names[] = {{"execve", exec},   {"execveat", exec},  {"fork", fork},
                          {"vfork", fork},    {"clone", fork},     {"clone3", fork},
                          {"write", unknown}, {"seccomp", unknown}};
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
            EXPECT_EQ(decode_call(notification_of(abi.audit_arch, nr)).index(), name.kind)
                << name.name << " " << std::hex << abi.token << " " << nr;
            EXPECT_EQ(is_notified_call(abi.audit_arch, nr), name.kind != unknown);
            ++checked;
        }
    }
    EXPECT_GE(checked, 36);
}

TEST(NotifiedCall, AnUnknownArchitectureIsUnknown) {
    EXPECT_FALSE(is_notified_call(SCMP_ARCH_S390X, 11));
    EXPECT_FALSE(is_notified_call(0, 59));
    EXPECT_FALSE(exec_of(0, 59));
}

TEST(NotifiedCall, AnExecIsDecodedAtEveryEntryPoint) {
    const auto native = exec_of(AUDIT_ARCH_X86_64, 59);
    ASSERT_TRUE(native.has_value());
    EXPECT_EQ(native->path.value, 0xabcd00001000U);
    EXPECT_EQ(native->argv.value, 0xabcd00002000U);
    EXPECT_EQ(native->dirfd, AT_FDCWD);
    EXPECT_EQ(native->width, PointerWidth::k64);
    EXPECT_EQ(native->tid, Tid{7});

    const auto at = exec_of(AUDIT_ARCH_X86_64, 322);
    ASSERT_TRUE(at.has_value());
    EXPECT_EQ(at->dirfd, 0x1000);
    EXPECT_EQ(at->path.value, 0xabcd00002000U);
    EXPECT_EQ(at->envp.value, 0xabcd00004000U);
    EXPECT_EQ(at->flags, 0x5000U);

    for (const auto& [arch, nr] : std::vector<std::pair<std::uint32_t, int>>{
             {AUDIT_ARCH_I386, 11}, {AUDIT_ARCH_X86_64, 0x40000000 | 520}, {AUDIT_ARCH_ARM, 11}}) {
        const auto compat = exec_of(arch, nr);
        ASSERT_TRUE(compat.has_value());
        EXPECT_EQ(compat->width, PointerWidth::k32);
        EXPECT_EQ(compat->path.value, 0x1000U);
    }
    EXPECT_TRUE(exec_of(AUDIT_ARCH_X86_64, 0x40000000 | 545));
    EXPECT_TRUE(exec_of(AUDIT_ARCH_I386, 358));
    EXPECT_TRUE(exec_of(AUDIT_ARCH_AARCH64, 221));
}

TEST(NotifiedCall, TheNumbersOfAnotherAbiAreNoExec) {
    EXPECT_FALSE(exec_of(AUDIT_ARCH_X86_64, 11));
    EXPECT_FALSE(exec_of(AUDIT_ARCH_X86_64, 0x40000000 | 59));
    EXPECT_FALSE(exec_of(AUDIT_ARCH_I386, 59));
}

TEST(NotifiedCall, AForkHasTheFlagsOfItsCallAlone) {
    constexpr int kX32 = 0x40000000;
    const auto flags_of = [](std::uint32_t arch, int nr) {
        return std::get<ForkCall>(decode_call(notification_of(arch, nr))).flags;
    };
    for (const auto& [arch, clone, clone3] : std::vector<std::tuple<std::uint32_t, int, int>>{
             {AUDIT_ARCH_X86_64, 56, 435},
             {AUDIT_ARCH_X86_64, kX32 | 56, kX32 | 435},
             {AUDIT_ARCH_I386, 120, 435},
             {AUDIT_ARCH_AARCH64, 220, 435},
             {AUDIT_ARCH_ARM, 120, 435}}) {
        EXPECT_EQ(flags_of(arch, clone), 0xabcd00001000U);
        EXPECT_EQ(flags_of(arch, clone3), std::nullopt);  // in memory, where the argument points
    }
    EXPECT_EQ(flags_of(AUDIT_ARCH_X86_64, 57), 0U);       // whatever the register holds
    EXPECT_EQ(flags_of(AUDIT_ARCH_X86_64, 58), 0x4100U);  // CLONE_VM, CLONE_VFORK
}

}  // namespace
}  // namespace execseal
