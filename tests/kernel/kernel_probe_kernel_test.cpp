// The probes of `execseal doctor`: right on a kernel that has everything, and right where something
// is taken away. Each runs in a child, as they must not share a process with gtest's threads.
#include "hook/os/kernel_probe.h"

#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <array>
#include <cerrno>
#include <cstddef>

#include "hook/os/captured_run.h"
#include "tests/kernel/child_process.h"

namespace execseal {
namespace {

using namespace std::chrono_literals;

// Of this process and its children: `number` gives `action`, everything else runs.
int restrict_call(long number, unsigned action, unsigned flags) {
    std::array<sock_filter, 4> program{{
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<unsigned>(number), 0, 1),
        BPF_STMT(BPF_RET | BPF_K, action),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    }};
    const sock_fprog filter{program.size(), program.data()};
    (void)::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    return static_cast<int>(::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &filter));
}

struct Report {
    int code = -1;  // 0: the probe was content
    int sync_wake_up = 0;
};

Report of_notification() {
    const auto probe = probe_user_notification(10s);
    return probe ? Report{0, probe->sync_wake_up ? 1 : 0} : Report{probe.error().code, 0};
}

Report of_ptrace() {
    const auto probe = probe_ptrace();
    return probe ? Report{0, 0} : Report{probe.error().code, 0};
}

Report in_child(const std::function<Report()>& body) {
    ChildProcess child([&body](int report) { ChildProcess::send(report, body()); });
    Report report;
    EXPECT_TRUE(child.receive(report));
    return report;
}

TEST(KernelProbe, FindsUserNotificationAndPtrace) {
    EXPECT_EQ(in_child(of_notification).code, 0);
    EXPECT_EQ(in_child(of_ptrace).code, 0);
}

TEST(KernelProbe, SaysThatThereIsAListenerAlready) {
    const Report report = in_child([] {
        const int listener =
            restrict_call(SYS_acct, SECCOMP_RET_USER_NOTIF, SECCOMP_FILTER_FLAG_NEW_LISTENER);
        return listener < 0 ? Report{} : of_notification();
    });
    EXPECT_EQ(report.code, EBUSY);
}

TEST(KernelProbe, SaysWhyPtraceIsNotToBeHad) {
    const Report report = in_child([] {
        return restrict_call(SYS_ptrace, SECCOMP_RET_ERRNO | ENOSYS, 0) != 0 ? Report{}
                                                                             : of_ptrace();
    });
    EXPECT_EQ(report.code, ENOSYS);
}

TEST(KernelProbe, SaysWhyAListenerIsNotToBeHad) {
    const Report report = in_child([] {
        return restrict_call(SYS_seccomp, SECCOMP_RET_ERRNO | EPERM, 0) != 0 ? Report{}
                                                                             : of_notification();
    });
    EXPECT_EQ(report.code, EPERM);
}

TEST(CapturedRun, GivesOutputAndExitCode) {
    const auto said = run_captured({"sh", "-c", "echo out; echo err >&2; exit 7"}, 10s);
    ASSERT_TRUE(said.has_value()) << said.error().text();
    EXPECT_EQ(said->out, "out\n");
    EXPECT_EQ(said->exit_code, 7);
    EXPECT_EQ(run_captured({"sh", "-c", "kill -9 $$"}, 10s)->exit_code, 128 + 9);
    EXPECT_EQ(run_captured({"cat"}, 10s)->out, "");  // stdin is empty
}

TEST(CapturedRun, IsBounded) {
    EXPECT_EQ(run_captured({"/nonexistent/program"}, 10s).error().code, ENOENT);
    EXPECT_EQ(run_captured({"sh", "-c", "exec sleep 100"}, 50ms).error().code, ETIMEDOUT);
    EXPECT_FALSE(run_captured({"sh", "-c", "exec cat /dev/zero"}, 10s).has_value());
}

}  // namespace
}  // namespace execseal
