#include "hook/supervisor/fork_tracking.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/sched.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <random>
#include <thread>

#include "tests/kernel/fork_supervisor.h"

namespace execseal {
namespace {

using namespace std::chrono_literals;
using test::ForkedContainer;
using test::ForkSupervisor;
using test::Inside;
using test::NotifiedCalls;
using test::state_of;

struct Page {
    std::atomic<int> ran{0};  // how many children have run
    std::atomic<int> result{0};
    std::atomic<int> done{0};
    std::atomic<int> extra{0};
    std::atomic<long> forks{0};
};

// Everything is a raw call: no library code runs in a child before it has said that it runs.
enum class How { kFork, kVfork, kClone, kClone3, kOtherExitSignal, kCloneParent, kCloneNewPid };

long raw_clone(unsigned long flags) {
    return syscall(SYS_clone, flags, nullptr, nullptr, nullptr, nullptr);
}

long raw_clone3(unsigned long flags) {
    clone_args args{};
    args.flags = flags;
    args.exit_signal = SIGCHLD;
    return syscall(SYS_clone3, &args, sizeof args);
}

// Makes a child whose first act is to raise `ran`; its number, or -1.
long make_child(How how, Page& page) {
    long child = -1;
    switch (how) {
        case How::kFork:
            child = syscall(SYS_fork);
            break;
        case How::kVfork:
            // The child has the caller's stack: it must end in this very function.
            child = vfork();
            break;
        case How::kClone:
            child = raw_clone(SIGCHLD);
            break;
        case How::kClone3:
            child = raw_clone3(0);
            break;
        case How::kOtherExitSignal:
            child = raw_clone(SIGCHLD + 1);  // SIGCONT: a clone event, not a fork event
            break;
        case How::kCloneParent:
            child = raw_clone(CLONE_PARENT | SIGCHLD);
            break;
        case How::kCloneNewPid:
            child = raw_clone(CLONE_NEWPID | SIGCHLD);
            break;
    }
    if (child == 0) {
        page.ran.fetch_add(1);
        _exit(0);
    }
    return child;
}

class ForkTrackingKernel : public ::testing::Test {
  protected:
    Page& page = test::shared_page<Page>();
};

class EachWayToFork : public ForkTrackingKernel, public ::testing::WithParamInterface<How> {
  protected:
    // The child's first act is to raise `ran`.
    int fork_once() {
        const long child = make_child(GetParam(), page);
        page.result = child < 0 ? errno : 0;
        // A CLONE_PARENT child is not its creator's to wait for; __WALL for any exit signal.
        if (child > 0 && GetParam() != How::kCloneParent) {
            (void)waitpid(static_cast<pid_t>(child), nullptr, __WALL);
        }
        page.done = 1;
        return 0;
    }
    // Not the init of its namespace: that may not use CLONE_PARENT.
    int fork_once_in_a_worker(const Inside& inside) {
        const pid_t worker = fork();
        if (worker == 0) {
            _exit(fork_once());
        }
        while (wait(nullptr) > 0) {
        }
        return inside.hear();
    }
};

// The central test. DETACH is the last moment at which the child cannot have run: there it must be
// in the table, and must not have raised `ran` yet.
TEST_P(EachWayToFork, TheChildIsInTheTableBeforeItsFirstInstruction) {
    ForkedContainer container(NotifiedCalls::kForks, [this](const Inside& inside) {
        return fork_once_in_a_worker(inside);
    });
    ForkSupervisor supervisor(container);
    int registered_before_running = 0;
    int others = 0;
    supervisor.ptrace.before_detach = [&](Tid tid) {
        const TaskEntry* entry = supervisor.table.find(Tgid{tid.value});
        if (entry != nullptr && entry->key.start_time != 0 && page.ran == 0 &&
            state_of(tid.value) == 't') {
            ++registered_before_running;
        } else {
            ++others;  // the init, which was there before us
        }
    };
    ASSERT_TRUE(supervisor.serve_until([&] { return page.done == 1 && page.ran == 1; }));
    EXPECT_EQ(page.result, 0);
    // The worker twice: as a child, and as a creator. Its child once.
    EXPECT_EQ(registered_before_running, 3);
    EXPECT_EQ(others, 1);
    EXPECT_EQ(supervisor.tracking.counts().born, 2U);
    EXPECT_EQ(supervisor.tracking.counts().impossible, 0U);
    ASSERT_TRUE(supervisor.serve_until([&] { return supervisor.tracer.attached() == 0; }));
    EXPECT_EQ(supervisor.ptrace.interrupts, 0);
    container.say(0);
    EXPECT_EQ(container.wait_end(), 0);
    EXPECT_TRUE(supervisor.serve_until([&] { return supervisor.table.size() == 0; }));
}

// The control: without tracking the child runs while no table has it.
TEST_P(EachWayToFork, RunsUnregisteredUnderAnAgentThatOnlySaysContinue) {
    ForkedContainer container(NotifiedCalls::kForks, [this](const Inside& inside) {
        return fork_once_in_a_worker(inside);
    });
    ForkSupervisor supervisor(container);
    supervisor.on_notification = [&](const Notification& notification) {
        (void)container.listener().answer(notification.id, Answer::go_on());
        return true;
    };
    ASSERT_TRUE(supervisor.serve_until([&] { return page.done == 1 && page.ran == 1; }));
    EXPECT_EQ(supervisor.table.size(), 0U);
}

INSTANTIATE_TEST_SUITE_P(Raw, EachWayToFork,
                         ::testing::Values(How::kFork, How::kVfork, How::kClone, How::kClone3,
                                           How::kOtherExitSignal, How::kCloneParent,
                                           How::kCloneNewPid));

}  // namespace
}  // namespace execseal
