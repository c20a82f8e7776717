#include "hook/tasks/tracer.h"

#include <gtest/gtest.h>

#include "hook/tasks/notified_restart.h"
#include "tests/unit/fake_tasks.h"

namespace execseal {
namespace {

constexpr Tgid kProcess{300};
constexpr Tid kLeader{300};
constexpr Tid kThread{301};

TEST(TracerOfFakes, AsksAgainWhoseTracerHasLetGoMeanwhile) {
    FakeTasks machine;
    machine.add(300, 300).passing_tracers = 3;
    Tracer tracer{machine, machine, machine, restart_notified_calls(machine)};
    EXPECT_EQ(tracer.seize(kLeader, {}).value().what, Seized::kNew);
    machine.add(400, 400).passing_tracers = 1000;
    EXPECT_EQ(tracer.seize(Tid{400}, {}).value().what, Seized::kRefused);
}

// The thread may have the leader's number from any moment on, also between a look and a detach.
class LeaderOfAnExec : public testing::Test {
  protected:
    LeaderOfAnExec() {
        machine.add(300, 300);
        machine.add(301, 300);
        EXPECT_EQ(tracer.seize(kLeader, {.births = true}).value().what, Seized::kNew);
        machine.at(300).stops.emplace_back(stop::Trap{});
        EXPECT_TRUE(tracer.waits().poll(kLeader).has_value());
    }

    FakeTasks machine;
    Tracer tracer{machine, machine, machine, restart_notified_calls(machine)};
};

TEST_F(LeaderOfAnExec, IsLetGoWhenTheExecIsOver) {
    tracer.expect_exec(kProcess, kThread);
    EXPECT_EQ(tracer.release(kLeader).value(), Released::kDying);
    tracer.reap_leaving();
    EXPECT_EQ(machine.at(300).tracer, FakeTasks::self());
    EXPECT_TRUE(machine.at(300).stopped);
    tracer.expect_exec(kProcess, Tid{302});
    tracer.exec_over(kProcess, kThread);
    EXPECT_TRUE(machine.at(300).stopped) << "another thread's is on its way";
    tracer.exec_over(kProcess, Tid{302});
    EXPECT_EQ(machine.at(300).tracer, Tid{});
    EXPECT_EQ(tracer.attached(), 0U);
}

TEST_F(LeaderOfAnExec, GoesOnWhenTheExecIsOver) {
    tracer.expect_exec(kProcess, kThread);
    EXPECT_TRUE(tracer.resume(kLeader).has_value());
    EXPECT_TRUE(machine.at(300).stopped);
    tracer.exec_over(kProcess, kThread);
    EXPECT_FALSE(machine.at(300).stopped);
}

TEST_F(LeaderOfAnExec, IsLetGoAtOnceWhereTheExecIsItsOwn) {
    tracer.expect_exec(kProcess, kLeader);
    EXPECT_EQ(tracer.release(kLeader).value(), Released::kDetached);
    tracer.exec_over(kProcess, kLeader);
}

// The fork flow of a leader that its thread has replaced meets the thread's attachment.
TEST_F(LeaderOfAnExec, LeavesItsNumberToTheThread) {
    EXPECT_EQ(tracer.seize(kThread, {.exec = true}).value().what, Seized::kNew);
    tracer.expect_exec(kProcess, kThread);
    machine.tasks.erase(kThread);
    machine.add(300, 300).tracer = FakeTasks::self();
    EXPECT_FALSE(tracer.waits().poll_exec(kThread, kProcess).has_value());
    EXPECT_EQ(tracer.release(kLeader).value(), Released::kDying);
    EXPECT_TRUE(tracer.resume(kLeader).has_value());
    machine.at(300).stops.emplace_back(stop::Event{stop::EventKind::kExec, 301});
    EXPECT_FALSE(tracer.waits().poll(kLeader).has_value()) << "it is for the exec's own flow";
    EXPECT_TRUE(tracer.resume(kLeader).has_value());
    EXPECT_EQ(tracer.release(kLeader).value(), Released::kDying);
    EXPECT_TRUE(machine.at(300).stopped) << "it is for the exec's own flow to let it go";
    ASSERT_TRUE(tracer.waits().poll_exec(kThread, kProcess).has_value());
    EXPECT_EQ(tracer.release_executed(kLeader).value(), Released::kDetached);
    tracer.exec_over(kProcess, kThread);
}

// Its child would stay in the stop of its birth for ever.
TEST_F(LeaderOfAnExec, ItsUntoldChildIsLookedForWhenAThreadTakesItsNumber) {
    EXPECT_TRUE(tracer.resume(kLeader).has_value());  // into its fork
    EXPECT_EQ(tracer.seize(kThread, {.exec = true}).value().what, Seized::kNew);
    tracer.expect_exec(kProcess, kThread);
    EXPECT_FALSE(tracer.waits().sweep_is_due());
    machine.tasks.erase(kThread);
    machine.add(300, 300).tracer = FakeTasks::self();
    EXPECT_FALSE(tracer.waits().poll_exec(kThread, kProcess).has_value());
    EXPECT_TRUE(tracer.waits().sweep_is_due());
    EXPECT_TRUE(tracer.waits().may_have_strays());
    (void)tracer.waits().sweep();
    EXPECT_FALSE(tracer.waits().sweep_is_due());
    tracer.exec_over(kProcess, kThread);
}

TEST_F(LeaderOfAnExec, TheThreadsMessageIsNoChildOfTheLeader) {
    EXPECT_TRUE(tracer.resume(kLeader).has_value());
    EXPECT_EQ(tracer.seize(kThread, {.exec = true}).value().what, Seized::kNew);
    tracer.expect_exec(kProcess, kThread);
    machine.at(300).stops.emplace_back(stop::Event{stop::EventKind::kFork, 301});
    const auto told = tracer.waits().poll(kLeader);
    ASSERT_TRUE(told.has_value());
    EXPECT_EQ(std::get<stop::Event>(*told).message, 0U);
    EXPECT_TRUE(tracer.waits().sweep_is_due());
    tracer.exec_over(kProcess, kThread);
}

}  // namespace
}  // namespace execseal
