#include "hook/os/procfs.h"

#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <array>

namespace execseal {
namespace {

constexpr const char* kAfterName =
    " S 7 5 5 34816 9 4194304 1 0 0 0 1 2 0 0 20 0 1 0 998877 4096 1 18446744073709551615";

TEST(ParseTaskStat, ReadsStateParentAndStartTime) {
    const auto stat = parse_task_stat(std::string("12 (sh)") + kAfterName);
    ASSERT_TRUE(stat.has_value());
    EXPECT_EQ(stat->state, 'S');
    EXPECT_EQ(stat->parent, Tgid{7});
    EXPECT_EQ(stat->birth, 998877U);
}

TEST(ParseTaskStat, IsNotFooledByTheNameOfAProgram) {
    for (const char* name : {"a b", ") R 1 (", "x)\n1 (y) Z 9 9", "))))", ""}) {
        const auto stat = parse_task_stat(std::string("12 (") + name + ")" + kAfterName);
        ASSERT_TRUE(stat.has_value()) << name;
        EXPECT_EQ(stat->state, 'S') << name;
        EXPECT_EQ(stat->birth, 998877U) << name;
    }
}

TEST(ParseTaskStat, RefusesWhatIsCutShort) {
    const std::string whole = std::string("12 (sh)") + kAfterName;
    EXPECT_FALSE(parse_task_stat("").has_value());
    EXPECT_FALSE(parse_task_stat("12 (sh").has_value());
    EXPECT_FALSE(parse_task_stat(whole.substr(0, whole.find("998877"))).has_value());
}

TEST(ParseTaskStatus, ReadsIdsAndTheNumbersOfEachNamespace) {
    const auto status = parse_task_status(
        "Name:\tTgid:\\n\t\nUmask:\t0022\nState:\tt (tracing stop)\nTgid:\t40\nPid:\t41\n"
        "PPid:\t12\nTracerPid:\t9\nUid:\t0\t1000\t0\t3\nGid:\t0\t1001\t0\t4\nGroups:\t1 2 \n"
        "NStgid:\t40\t2\t1\nNSpid:\t41\t3\t2\nSigCgt:\t0000000000010002\nSeccomp:\t2\n");
    ASSERT_TRUE(status.has_value());
    EXPECT_EQ(status->state, 't');
    EXPECT_EQ(status->tgid, Tgid{40});
    EXPECT_EQ(status->parent, Tgid{12});
    EXPECT_EQ(status->tracer, Tid{9});
    EXPECT_EQ(status->effective_uid, 1000U);
    EXPECT_EQ(status->effective_gid, 1001U);
    EXPECT_EQ(status->filesystem_uid, 3U);
    EXPECT_EQ(status->filesystem_gid, 4U);
    EXPECT_EQ(status->namespace_ids, (std::vector<pid_t>{41, 3, 2}));
    EXPECT_EQ(status->namespace_tgids, (std::vector<pid_t>{40, 2, 1}));
    EXPECT_TRUE(status->catches_sigchld);
}

TEST(ParseTaskStatus, OtherCaughtSignalsAreNotSigchld) {
    const auto status = parse_task_status("Tgid:\t40\nSigCgt:\tfffffffefffeffff\n");
    ASSERT_TRUE(status.has_value());
    EXPECT_FALSE(status->catches_sigchld);
}

TEST(ParseTaskStatus, IdsThatAreNotToldAreNobodys) {
    const auto status = parse_task_status("Tgid:\t40\nUid:\t0\t0\n");
    ASSERT_TRUE(status.has_value());
    EXPECT_EQ(status->effective_uid, 0U);
    EXPECT_EQ(status->filesystem_uid, uid_t(-1));
    EXPECT_EQ(status->effective_gid, gid_t(-1));
}

TEST(ParseTaskStatus, RefusesWhatNamesNoProcess) {
    EXPECT_FALSE(parse_task_status("").has_value());
    EXPECT_FALSE(parse_task_status("State:\tS (sleeping)\n").has_value());
}

TEST(Procfs, ReadsThisProcessWhateverItIsCalled) {
    std::array<char, 16> old_name{};
    ASSERT_EQ(::prctl(PR_GET_NAME, old_name.data()), 0);
    ASSERT_EQ(::prctl(PR_SET_NAME, "a) Z 1 (\n"), 0);
    const auto procfs = open_procfs().value();
    const auto stat = procfs->stat(Tid{::gettid()}).value();
    const auto status = procfs->status(Tid{::gettid()}).value();
    ASSERT_EQ(::prctl(PR_SET_NAME, old_name.data()), 0);
    ASSERT_TRUE(stat.has_value());
    EXPECT_EQ(stat->state, 'R');
    EXPECT_EQ(stat->parent, Tgid{::getppid()});
    EXPECT_GT(stat->birth, 0U);
    ASSERT_TRUE(status.has_value());
    EXPECT_EQ(status->tgid, Tgid{::getpid()});
    EXPECT_EQ(status->effective_uid, ::geteuid());
    const auto exe = procfs->exe(Tid{::getpid()}).value();
    ASSERT_TRUE(exe.has_value());
    EXPECT_TRUE(exe->ends_with("/procfs_test")) << *exe;
    EXPECT_TRUE(procfs->pid_namespace(Tid{::getpid()}).value() ==
                procfs->pid_namespace(Tid{::gettid()}).value());
}

TEST(Procfs, ATaskThatIsNotThereIsAValue) {
    const auto procfs = open_procfs().value();
    const Tid nobody{0x3FFFFFFF};  // above PID_MAX_LIMIT
    EXPECT_FALSE(procfs->stat(nobody).value().has_value());
    EXPECT_FALSE(procfs->status(nobody).value().has_value());
    EXPECT_FALSE(procfs->pid_namespace(nobody).value().has_value());
    EXPECT_FALSE(procfs->exe(nobody).value().has_value());
}

}  // namespace
}  // namespace execseal
