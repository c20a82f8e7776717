// VforkParents against real processes: an entry names a sleeper for one exec of that very child.
#include "hook/tasks/vfork_parents.h"

#include <gtest/gtest.h>

#include <csignal>
#include <future>
#include <thread>

#include "tests/kernel/child_process.h"
#include "tests/kernel/forked_container.h"

namespace execseal {
namespace {

// A thread that neither ends nor executes by itself.
class WaitingThread {
  public:
    WaitingThread() : thread_([this] { run(); }) {}
    WaitingThread(const WaitingThread&) = delete;
    WaitingThread& operator=(const WaitingThread&) = delete;
    WaitingThread(WaitingThread&&) = delete;
    WaitingThread& operator=(WaitingThread&&) = delete;
    ~WaitingThread() { end(); }

    [[nodiscard]] Tid tid() const { return tid_; }
    void end() {
        if (thread_.joinable()) {
            over_.set_value();
            thread_.join();
            // A join is told in mm_release(), a moment before the kernel gives the number up.
            EXPECT_TRUE(
                test::eventually([this] { return ::tgkill(::getpid(), tid_.value, 0) != 0; }));
        }
    }

  private:
    void run() {
        number_.set_value(::gettid());
        over_.get_future().wait();
    }

    std::promise<pid_t> number_;
    std::promise<void> over_;
    std::thread thread_;
    Tid tid_{number_.get_future().get()};
};

class VforkParentsKernel : public ::testing::Test {
  protected:
    VforkParentsKernel() { parents.add(parent.tid(), process); }

    ChildProcess parent{[](int) {}};
    ChildProcess child{[](int) {}};
    Tgid process{child.pid()};
    Tid first_thread{child.pid()};
    VforkParents parents;
};

TEST_F(VforkParentsKernel, TheParentSleepsForOneExec) {
    EXPECT_EQ(parents.take(process, first_thread), parent.tid());
    EXPECT_EQ(parents.take(process, first_thread), Tid{});
}

// Its exec would put it in the first thread's place, and wake the parent.
TEST_F(VforkParentsKernel, AnotherThreadsExecEndsTheEntry) {
    EXPECT_EQ(parents.take(process, Tid{child.pid() + 1}), Tid{});
    EXPECT_EQ(parents.take(process, first_thread), Tid{});
}

TEST_F(VforkParentsKernel, AProcessThatGetsTheNumberOfTheChildIsNotTheChild) {
    child.end();
    EXPECT_EQ(parents.take(process, first_thread), Tid{});
}

TEST_F(VforkParentsKernel, AProcessThatGetsTheNumberOfTheParentIsNotTheParent) {
    parent.end();
    EXPECT_EQ(parents.take(process, first_thread), Tid{});
}

TEST_F(VforkParentsKernel, AThreadThatGetsTheNumberOfTheParentIsNotTheParent) {
    WaitingThread thread;
    parents.add(thread.tid(), process);
    thread.end();
    EXPECT_EQ(parents.take(process, first_thread), Tid{});
}

TEST_F(VforkParentsKernel, AThreadMaySleep) {
    const WaitingThread thread;
    parents.add(thread.tid(), process);
    EXPECT_EQ(parents.take(process, first_thread), thread.tid());
}

// Another thread of the parent's process has its number after the exec.
TEST_F(VforkParentsKernel, AnExecOfTheParentsProcessEndsTheEntry) {
    parents.forget_parent(Tgid{parent.pid()});
    EXPECT_EQ(parents.take(process, first_thread), Tid{});
}

TEST_F(VforkParentsKernel, AChildThatWasNeverSeenIsNotTheOneThatHasItsNumber) {
    parents.forget_child(process);
    EXPECT_EQ(parents.take(process, first_thread), Tid{});
}

TEST_F(VforkParentsKernel, AThreadIsNoChild) {
    const WaitingThread thread;
    const Tgid number{thread.tid().value};
    parents.add(parent.tid(), number);
    EXPECT_EQ(parents.take(number, thread.tid()), Tid{});
}

}  // namespace
}  // namespace execseal
