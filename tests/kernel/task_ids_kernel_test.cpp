// Both ways of reading who a task is, of tasks of which each number is another.
#include "hook/os/task_ids.h"

#include <gtest/gtest.h>
#include <sys/fsuid.h>

#include <cerrno>
#include <thread>

#include "tests/kernel/child_process.h"

namespace execseal {
namespace {

constexpr uid_t kUid = 1001;
constexpr gid_t kGid = 1002;
constexpr uid_t kFsUid = 1003;
constexpr gid_t kFsGid = 1004;

// A thread of a child: its ids are its own, also those that only a system call on it alone changes.
ChildProcess thread_with_ids() {
    return ChildProcess([](int report) {
        std::thread([report] {
            (void)::syscall(SYS_setresgid, kFsGid, kGid, 0);
            (void)::setfsgid(kFsGid);
            (void)::syscall(SYS_setresuid, kFsUid, kUid, 0);
            (void)::setfsuid(kFsUid);
            ChildProcess::send(report, ::gettid());
            for (;;) {
                (void)::pause();
            }
        }).join();
    });
}

TEST(TaskIds, BothSourcesTellTheSameOfAThread) {
    ChildProcess child = thread_with_ids();
    pid_t thread = 0;
    ASSERT_TRUE(child.receive(thread));
    ASSERT_NE(thread, child.pid());
    const auto by_pidfd = read_task_ids(Tid{thread}, IdsSource::kPidfd);
    const auto by_status = read_task_ids(Tid{thread}, IdsSource::kStatus);
    ASSERT_TRUE(by_status.has_value()) << by_status.error().text();
    EXPECT_EQ(by_status->tid, Tid{thread});
    EXPECT_EQ(by_status->tgid, Tgid{child.pid()});
    EXPECT_EQ(by_status->parent, Tgid{::getpid()});
    EXPECT_EQ(by_status->euid, kUid);
    EXPECT_EQ(by_status->egid, kGid);
    EXPECT_EQ(by_status->fsuid, kFsUid);
    EXPECT_EQ(by_status->fsgid, kFsGid);
    EXPECT_EQ(read_task_ids(Tid{thread}).value(), *by_status);
    if (!by_pidfd && (by_pidfd.error().code == ENOTTY || by_pidfd.error().code == EINVAL)) {
        GTEST_SKIP() << "PIDFD_GET_INFO (Linux 6.13) is missing";
    }
    ASSERT_TRUE(by_pidfd.has_value()) << by_pidfd.error().text();
    EXPECT_EQ(*by_pidfd, *by_status);
}

TEST(TaskIds, ATaskThatIsGoneIsNoTask) {
    Tid gone;
    {
        ChildProcess child([](int) {});
        gone = child.tid();
        EXPECT_TRUE(read_task_ids(gone).has_value());
    }
    EXPECT_EQ(read_task_ids(gone).error().code, ESRCH);
    EXPECT_EQ(read_task_ids(gone, IdsSource::kStatus).error().code, ESRCH);
}

}  // namespace
}  // namespace execseal
