#include "config/spec/notify_set.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <algorithm>
#include <csignal>

namespace execseal {
namespace {

struct Row {
    std::string_view call;
    std::uint64_t flags;
    Treatment tracked;
    Treatment untracked;
};

constexpr Row kTable[] = {
    {"execve", 0, Treatment::kNotify, Treatment::kNotify},
    {"execveat", 0, Treatment::kNotify, Treatment::kNotify},
    {"fork", 0, Treatment::kNotify, Treatment::kKeep},
    {"vfork", 0, Treatment::kNotify, Treatment::kKeep},
    {"clone", SIGCHLD, Treatment::kNotify, Treatment::kKeep},
    {"clone", CLONE_VM | CLONE_VFORK | SIGCHLD, Treatment::kNotify, Treatment::kKeep},
    {"clone", CLONE_NEWUSER, Treatment::kNotify, Treatment::kKeep},
    {"clone", CLONE_VM | CLONE_SIGHAND | CLONE_THREAD, Treatment::kKeep, Treatment::kKeep},
    {"clone", CLONE_FS | SIGCHLD, Treatment::kNotify, Treatment::kNotify},
    {"clone", CLONE_VM | CLONE_FS | CLONE_SIGHAND | CLONE_THREAD, Treatment::kKeep,
     Treatment::kKeep},
    {"clone", CLONE_FS | CLONE_UNTRACED, Treatment::kRefusePerm, Treatment::kRefusePerm},
    {"clone", CLONE_UNTRACED | SIGCHLD, Treatment::kRefusePerm, Treatment::kRefusePerm},
    {"clone", CLONE_VM | CLONE_SIGHAND | CLONE_THREAD | CLONE_UNTRACED, Treatment::kRefusePerm,
     Treatment::kRefusePerm},
    {"clone3", 0, Treatment::kRefuseNosys, Treatment::kRefuseNosys},
    {"seccomp", 0, Treatment::kKeep, Treatment::kKeep},
    {"seccomp", 1U << 3, Treatment::kRefusePerm, Treatment::kRefusePerm},
    {"seccomp", (1U << 3) | (1U << 5), Treatment::kRefusePerm, Treatment::kRefusePerm},
    {"write", 0, Treatment::kKeep, Treatment::kKeep},
    {"read", 0, Treatment::kKeep, Treatment::kKeep},
    {"sendmsg", 0, Treatment::kKeep, Treatment::kKeep},
    {"exit_group", 0, Treatment::kKeep, Treatment::kKeep},
};

TEST(NotifySet, TreatsEachCallAsTheTableSays) {
    for (const Row& row : kTable) {
        EXPECT_EQ(treatment_of(row.call, row.flags, ForkCalls::kNotified), row.tracked)
            << row.call << " " << row.flags;
        EXPECT_EQ(treatment_of(row.call, row.flags, ForkCalls::kUntouched), row.untracked)
            << row.call << " " << row.flags;
    }
}

TEST(NotifySet, ConstantsAreTheKernels) {
    EXPECT_EQ(kCloneThread, static_cast<std::uint64_t>(CLONE_THREAD));
    EXPECT_EQ(kCloneUntraced, static_cast<std::uint64_t>(CLONE_UNTRACED));
    EXPECT_EQ(kCloneFs, static_cast<std::uint64_t>(CLONE_FS));
}

// The deciding flags of kTargetCalls are all that the predicate looks at: seccomp_edit enumerates
// their subsets only.
TEST(NotifySet, OnlyTheDecidingFlagsDecide) {
    for (const ForkCalls forks : {ForkCalls::kNotified, ForkCalls::kUntouched}) {
        for (const TargetCall& call : kTargetCalls) {
            for (unsigned bit = 0; bit < 64; ++bit) {
                const std::uint64_t flag = std::uint64_t{1} << bit;
                if ((flag & call.deciding_flags) == 0) {
                    EXPECT_EQ(treatment_of(call.name, flag, forks),
                              treatment_of(call.name, 0, forks))
                        << call.name << " bit " << bit;
                }
            }
        }
    }
}

TEST(NotifySet, EveryCallThatIsNotKeptIsATarget) {
    for (const Row& row : kTable) {
        if (row.tracked != Treatment::kKeep) {
            EXPECT_NE(std::ranges::find(kTargetCalls, row.call, &TargetCall::name),
                      kTargetCalls.end())
                << row.call;
        }
    }
}

}  // namespace
}  // namespace execseal
