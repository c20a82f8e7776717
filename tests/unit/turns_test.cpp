#include "hook/gate/turns.h"

#include <gtest/gtest.h>
#include <linux/audit.h>

#include <cerrno>
#include <set>
#include <string>

#include "hook/gate/exec.h"
#include "hook/os/kernel_constants.h"
#include "hook/tasks/fork_tracking.h"
#include "hook/tasks/notified_restart.h"
#include "tests/unit/fake_notify.h"
#include "tests/unit/fake_tasks.h"
#include "tests/unit/policy_facts.h"

namespace execseal {
namespace {

constexpr int kGetpid = 39;
constexpr int kFork = 57;
constexpr int kExecve = 59;

class NoExits final : public ExitWatch {
  public:
    Result<WatchReach> watch(Tgid /*process*/) override { return WatchReach::kDone; }
    void forget(Tgid /*process*/) override {}
    void drain(std::vector<Tgid>& /*ended*/) override {}
};

class NoBinder final : public ExecBinder {
  public:
    std::unique_ptr<ExecBinding> binding_for(Tid /*caller*/) override { return nullptr; }
    [[nodiscard]] bool is_executing(Tgid /*process*/) const override { return false; }
};

// Writes down what it is asked for.
class FakeExecs final : public ExecServer {
  public:
    explicit FakeExecs(Turns& turns) : turns_(turns) {}

    void begin(Session& /*session*/, NotifyId id, const ExecCall& call) override {
        said.push_back("begin " + std::to_string(id.value) + " of " +
                       std::to_string(call.tid.value));
    }
    [[nodiscard]] bool has_room() const override { return room; }
    [[nodiscard]] bool may_go(const Exec& exec) const override {
        return !held_back.contains(exec.caller.tid());
    }
    void take_turn(Exec& exec) override {
        said.push_back("turn of " + std::to_string(exec.caller.tid().value));
        if (freezes) {
            turns_.froze(exec);
        }
    }
    void look_at_executing() override { said.emplace_back("look"); }
    void look_at_news() override {}
    void leave_earlier(Tid caller, const NotifiedCall& next) override {
        said.push_back(std::to_string(caller.value) + " calls " +
                       (std::holds_alternative<ExecCall>(next) ? "exec" : "fork"));
    }
    void end_session(const Session& /*session*/) override { said.emplace_back("end"); }

    std::vector<std::string> take() { return std::exchange(said, {}); }

    std::vector<std::string> said;
    std::set<Tid> held_back;
    bool freezes = true;
    bool room = true;

  private:
    Turns& turns_;
};

using Said = std::vector<std::string>;

class TurnsTest : public ::testing::Test {
  protected:
    TurnsTest() {
        turns.set_execs(execs);
        for (const pid_t process : {100, 200, 300, 400}) {
            machine.add(process, process);
        }
    }

    Notification notification(std::uint64_t id, pid_t caller, int nr) {
        return {.id = NotifyId{id}, .tid = Tid{caller}, .arch = AUDIT_ARCH_X86_64, .nr = nr};
    }
    void call(std::uint64_t id, pid_t caller, int nr) {
        turns.on_notification(session, notification(id, caller, nr));
    }
    Exec exec_of(pid_t caller) {
        ExecCall call;
        call.tid = Tid{caller};
        return {session, binder, NotifyId{}, call, terms};
    }
    [[nodiscard]] bool is_answered(std::uint64_t id) const { return notify.errors.contains(id); }

    SharedTerms terms =
        make_terms(test::policy_of("[]").value(), std::nullopt, Mode::kEnforce, "", true);
    FakeTasks machine;
    NoExits exits;
    NoBinder binder;
    Tracer tracer{machine, machine, machine, restart_notified_calls(machine)};
    TaskTable table{machine, exits};
    ForkTracking forks{tracer, table, machine};
    Session session = session_of(std::make_unique<FakeNotify>());
    FakeNotify& notify = static_cast<FakeNotify&>(*session.notify);
    Turns turns{forks};
    FakeExecs execs{turns};
};

TEST_F(TurnsTest, ExecsAndForksAreHandedOnAtOnceWhileNobodyIsFrozen) {
    call(1, 100, kExecve);
    EXPECT_EQ(execs.take(), (Said{"100 calls exec", "begin 1 of 100"}));
    EXPECT_FALSE(is_answered(1));  // that is for whom it was handed to
    call(2, 200, kFork);
    EXPECT_EQ(execs.take(), Said{"200 calls fork"});
    EXPECT_EQ(forks.counts().received, 1U);
    EXPECT_EQ(notify.errors.at(2), 0);  // it goes on
}

TEST_F(TurnsTest, ACallOfNoRuleOfOursReachesNobody) {
    call(1, 100, kGetpid);
    EXPECT_EQ(notify.errors.at(1), ENOSYS);
    EXPECT_EQ(execs.take(), Said{});
    EXPECT_EQ(forks.counts().received, 0U);
}

TEST_F(TurnsTest, NobodyIsAnsweredWhileSomebodyHasFrozen) {
    Exec first = exec_of(100);
    Exec second = exec_of(200);
    turns.wait(first);
    turns.wait(second);
    turns.serve();
    EXPECT_EQ(turns.freezer(), &first);
    call(3, 300, kFork);
    turns.serve();
    EXPECT_EQ(execs.take(), (Said{"turn of 100", "300 calls fork"}));
    EXPECT_FALSE(is_answered(3));
    EXPECT_EQ(forks.counts().received, 0U);

    // The stops of the freeze are looked at before anybody else goes on; the exec that waits comes
    // before the fork.
    turns.thawed();
    EXPECT_EQ(turns.freezer(), nullptr);
    turns.serve();
    EXPECT_EQ(execs.take(), (Said{"look", "turn of 200"}));
    EXPECT_EQ(turns.freezer(), &second);
    EXPECT_FALSE(is_answered(3));

    turns.thawed();
    turns.serve();
    EXPECT_EQ(execs.take(), Said{"look"});
    EXPECT_EQ(notify.errors.at(3), 0);
    EXPECT_EQ(forks.counts().received, 1U);
}

TEST_F(TurnsTest, AFreezeKnowsTheForksThatWaitForItsEnd) {
    Exec first = exec_of(100);
    turns.wait(first);
    turns.serve();
    call(3, 300, kFork);
    std::vector<QuietCaller> quiet;
    turns.append_quiet(quiet);
    ASSERT_EQ(quiet.size(), 1U);
    EXPECT_EQ(quiet[0].tid, Tid{300});
    EXPECT_TRUE(tracer.is_attached(Tid{300}));  // a signal must not end its call
    turns.thawed();
    turns.serve();
    EXPECT_EQ(notify.errors.at(3), 0);
}

TEST_F(TurnsTest, WhoMayNotGoIsPassedOverAndHoldsNoForkUp) {
    execs.freezes = false;
    Exec first = exec_of(100);
    Exec second = exec_of(200);
    execs.held_back = {Tid{100}};
    turns.wait(first);
    turns.wait(second);
    turns.serve();
    EXPECT_EQ(execs.take(), Said{"turn of 200"});
    call(3, 300, kFork);
    EXPECT_EQ(notify.errors.at(3), 0);
    execs.take();
    execs.held_back = {};
    turns.serve();
    EXPECT_EQ(execs.take(), Said{"turn of 100"});
    turns.serve();
    EXPECT_EQ(execs.take(), Said{});  // once
}

TEST_F(TurnsTest, WhoHasStoppedWaitingGetsNoTurn) {
    Exec first = exec_of(100);
    turns.wait(first);
    turns.stop_waiting(first);
    turns.serve();
    EXPECT_EQ(execs.take(), Said{});
}

TEST_F(TurnsTest, WhoCallsAgainHasLeftItsEarlierCall) {
    Exec first = exec_of(100);
    turns.wait(first);
    turns.serve();
    call(3, 300, kFork);
    call(4, 300, kExecve);
    EXPECT_EQ(execs.take(),
              (Said{"turn of 100", "300 calls fork", "300 calls exec", "begin 4 of 300"}));
    turns.thawed();
    turns.serve();
    EXPECT_FALSE(is_answered(3));  // the fork is not there any more
    EXPECT_EQ(forks.counts().received, 0U);
}

TEST_F(TurnsTest, CallersThatWeCannotSeeAreNotTakenForOneAnother) {
    call(1, 0, kExecve);
    call(2, 0, kExecve);
    EXPECT_EQ(execs.take(), (Said{"begin 1 of 0", "begin 2 of 0"}));
}

TEST_F(TurnsTest, AnExecOfOneThatIsHeldForItsForksComesAgain) {
    call(1, 100, kFork);
    ASSERT_TRUE(forks.is_followed(Tid{100}));
    execs.take();
    call(2, 100, kExecve);
    EXPECT_EQ(execs.take(), Said{"100 calls exec"});
    EXPECT_EQ(notify.errors.at(2), kErestartnointr);
}

TEST_F(TurnsTest, WhatWasReceivedForAFreezeIsServedOneByOne) {
    notify.queue.emplace_back(notification(1, 100, kExecve));
    notify.queue.emplace_back(notification(2, 200, kExecve));
    turns.receive(session);
    EXPECT_EQ(turns.unseen(), 2U);
    ASSERT_TRUE(turns.next_deadline().has_value());
    turns.on_deadline();
    EXPECT_EQ(execs.take(), (Said{"100 calls exec", "begin 1 of 100"}));
    turns.on_deadline();
    EXPECT_EQ(execs.take(), (Said{"200 calls exec", "begin 2 of 200"}));
    EXPECT_FALSE(turns.next_deadline().has_value());
}

TEST_F(TurnsTest, AnEndedSessionLeavesNothingBehind) {
    Exec first = exec_of(100);
    turns.wait(first);
    turns.serve();
    call(3, 300, kFork);
    notify.queue.emplace_back(notification(4, 400, kExecve));
    turns.receive(session);
    execs.take();
    turns.thawed();
    turns.forget(session);
    EXPECT_EQ(execs.take(), (Said{"end", "look"}));
    EXPECT_EQ(turns.unseen(), 0U);
    EXPECT_TRUE(notify.errors.empty());
}

}  // namespace
}  // namespace execseal
