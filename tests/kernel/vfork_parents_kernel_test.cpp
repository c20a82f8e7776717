// VforkParents against real processes: an entry names a sleeper for one exec of that very child.
#include "hook/supervisor/vfork_parents.h"

#include <gtest/gtest.h>

#include <future>
#include <thread>

#include "tests/kernel/child_process.h"

namespace execseal {
namespace {

constexpr Tid kParent{4711};

class VforkParentsKernel : public ::testing::Test {
  protected:
    VforkParentsKernel() { parents.add(kParent, process); }

    ChildProcess child{[](int) {}};
    Tgid process{child.pid()};
    Tid first_thread{child.pid()};
    VforkParents parents;
};

TEST_F(VforkParentsKernel, TheParentSleepsForOneExec) {
    EXPECT_EQ(parents.take(process, first_thread), kParent);
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

TEST_F(VforkParentsKernel, AThreadIsNoChild) {
    std::promise<pid_t> number;
    std::promise<void> over;
    std::thread thread([&] {
        number.set_value(::gettid());
        over.get_future().wait();
    });
    const pid_t tid = number.get_future().get();
    parents.add(kParent, Tgid{tid});
    EXPECT_EQ(parents.take(Tgid{tid}, Tid{tid}), Tid{});
    over.set_value();
    thread.join();
}

}  // namespace
}  // namespace execseal
