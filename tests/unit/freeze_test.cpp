#include "hook/tasks/freeze.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>

#include "hook/tasks/notified_restart.h"
#include "tests/unit/fake_tasks.h"

namespace execseal {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr Tid kCaller{100};
constexpr Tid kDebugger{77};

// The tasks of the machine but its first, as a container's procfs shows them.
class FakeLister final : public TaskLister {
  public:
    explicit FakeLister(FakeTasks& machine) : machine_(machine) {}

    // Runs before a listing, whose number it gets, counted from 1.
    std::function<void(int)> before_listing;
    std::function<void()> before_thread_count;
    std::function<void(pid_t)> before_find;
    std::optional<Error> fails;
    int listings = 0;
    mutable std::vector<pid_t> found;  // asked for, in their order

    Result<> list_numbers(std::vector<pid_t>& numbers) override {
        ++listings;
        if (before_listing) {
            before_listing(listings);
        }
        if (fails) {
            return *fails;
        }
        for (const auto& [tid, task] : machine_.tasks) {
            if (tid.value == task.process.value) {
                numbers.push_back(tid.value);
            }
        }
        return Ok{};
    }
    [[nodiscard]] std::optional<ListedTask> find(pid_t number) const override {
        found.push_back(number);
        if (before_find) {
            before_find(number);
        }
        const auto task = machine_.tasks.find(Tid{number});
        return task != machine_.tasks.end()
                   ? std::optional(ListedTask{task->first, task->second.process, number})
                   : std::nullopt;
    }
    Result<std::size_t> count_threads(const ListedTask& leader) override {
        if (before_thread_count) {
            std::exchange(before_thread_count, nullptr)();
        }
        return static_cast<std::size_t>(std::count_if(
            machine_.tasks.begin(), machine_.tasks.end(),
            [&](const auto& entry) { return entry.second.process == leader.process; }));
    }
    Result<> list_threads(const ListedTask& leader, std::vector<ListedTask>& tasks) override {
        for (const auto& [tid, task] : machine_.tasks) {
            if (task.process == leader.process) {
                tasks.push_back({tid, task.process, tid.value});
            }
        }
        return Ok{};
    }
    [[nodiscard]] std::string name() const override { return "the fake domain"; }

  private:
    FakeTasks& machine_;
};

class NoExits final : public ExitWatch {
  public:
    Result<WatchReach> watch(Tgid /*process*/) override { return WatchReach::kDone; }
    void forget(Tgid /*process*/) override {}
    void drain(std::vector<Tgid>& /*ended*/) override {}
};

class FreezeOfFakes : public ::testing::Test {
  protected:
    FreezeOfFakes() { machine.add(kCaller.value, kCaller.value); }

    void TearDown() override { freeze.thaw(); }

    FreezeReport freeze_all(std::span<const QuietCaller> quiet = {},
                            std::chrono::milliseconds budget = 20s,
                            Unstoppable unstoppable = Unstoppable::kFail) {
        FreezeRequest request;
        request.caller = kCaller;
        request.quiet = quiet;
        request.deadline = Clock::now() + budget;
        request.patience = 0us;
        request.unstoppable = unstoppable;
        return freeze.freeze(lister, request);
    }
    FakeTask& add_process(pid_t pid, pid_t parent = 1) { return machine.add(pid, pid, parent); }
    // What a failed freeze must leave behind: nobody is held, and who could not be let go at once
    // goes when it stops.
    void expect_all_let_go() {
        EXPECT_FALSE(freeze.active());
        tracer.reap_leaving();
        EXPECT_EQ(machine.traced(), 0U);
        EXPECT_EQ(tracer.attached(), 0U);
    }

    FakeTasks machine;
    FakeLister lister{machine};
    NoExits exits;
    Tracer tracer{machine, machine, machine, restart_notified_calls(machine)};
    TaskTable table{machine, exits};
    Freeze freeze{tracer, machine, table};
};

TEST_F(FreezeOfFakes, HoldsThreadsAndProcessesButNotTheCaller) {
    add_process(200);
    machine.add(201, 200);
    machine.add(202, 200);
    add_process(300);
    machine.add(101, kCaller.value);  // a sibling
    const FreezeReport report = freeze_all();
    ASSERT_EQ(report.failure, FreezeFailure::kNone) << report.reason;
    EXPECT_EQ(report.held, 5U);
    EXPECT_EQ(machine.at(kCaller.value).tracer, Tid{});
    EXPECT_EQ(machine.at(kCaller.value).interrupts, 0);
    for (const pid_t tid : {101, 200, 201, 202, 300}) {
        EXPECT_TRUE(machine.at(tid).stopped) << tid;
    }
    freeze.thaw();
    EXPECT_EQ(machine.detached.size(), 5U);
    expect_all_let_go();
}

TEST_F(FreezeOfFakes, WhoIsHeldIsNotLookedUpAgain) {
    add_process(200);
    add_process(300);
    const FreezeReport report = freeze_all();
    EXPECT_EQ(report.passes, 2);
    EXPECT_EQ(lister.found, (std::vector<pid_t>{100, 200, 300, 100}));
}

// It may have made another, behind the place where the listing was.
TEST_F(FreezeOfFakes, AProcessThatIsGoneWhenItIsLookedUpIsAReasonToListAgain) {
    add_process(200);
    lister.before_listing = [this](int number) {
        if (number == 2) {
            add_process(300);
        }
    };
    lister.before_find = [this](pid_t number) {
        if (number == 300) {
            machine.tasks.erase(Tid{300});
            add_process(250);
        }
    };
    ASSERT_EQ(freeze_all().failure, FreezeFailure::kNone);
    EXPECT_TRUE(machine.at(250).stopped);
}

TEST_F(FreezeOfFakes, ListsAgainUntilAListingShowsNobodyNew) {
    add_process(200);
    // Made by those that were not held yet: one before the second listing, one before the third.
    lister.before_listing = [this](int number) {
        if (number == 2 || number == 3) {
            add_process(200 + number);
        }
    };
    const FreezeReport report = freeze_all();
    ASSERT_EQ(report.failure, FreezeFailure::kNone) << report.reason;
    EXPECT_EQ(report.passes, 4);
    EXPECT_EQ(lister.listings, 4);
    EXPECT_EQ(report.held, 3U);
    EXPECT_TRUE(machine.at(202).stopped);
    EXPECT_TRUE(machine.at(203).stopped);
}

TEST_F(FreezeOfFakes, AThreadThatAppearsWhileItsProcessIsListedIsHeld) {
    add_process(200);
    machine.add(201, 200);
    lister.before_thread_count = [this] { machine.add(101, kCaller.value); };
    const FreezeReport report = freeze_all();
    ASSERT_EQ(report.failure, FreezeFailure::kNone) << report.reason;
    EXPECT_TRUE(machine.at(101).stopped);
    EXPECT_EQ(report.held, 3U);
}

// Of a clone(2) that began before the seize, which tells of it to nobody.
TEST_F(FreezeOfFakes, AThreadThatAppearsAfterItsProcessWasSeizedIsHeld) {
    add_process(200).when_interrupted = [this](FakeTask& creator) {
        machine.add(201, 200);
        creator.stops.emplace_back(stop::Trap{});
    };
    const FreezeReport report = freeze_all();
    ASSERT_EQ(report.failure, FreezeFailure::kNone) << report.reason;
    EXPECT_TRUE(machine.at(201).stopped);
    EXPECT_EQ(report.held, 2U);
}

TEST_F(FreezeOfFakes, AChildThatIsBornAsItsCreatorIsInterruptedIsHeldAndLetGo) {
    add_process(200).when_interrupted = [this](FakeTask& creator) {
        machine.give_birth(creator, 250, 250, stop::EventKind::kFork);
    };
    const FreezeReport report = freeze_all();
    ASSERT_EQ(report.failure, FreezeFailure::kNone) << report.reason;
    EXPECT_EQ(report.born, 1U);
    EXPECT_EQ(report.held, 2U);
    EXPECT_TRUE(machine.at(250).stopped);
    EXPECT_NE(table.find(Tgid{250}), nullptr);
    freeze.thaw();
    EXPECT_EQ(machine.at(250).detached_with, std::vector<int>{0});
    expect_all_let_go();
}

TEST_F(FreezeOfFakes, ATaskThatDiesAsItIsInterruptedIsNoFailureButItsWorkIsLookedFor) {
    add_process(200).when_interrupted = [this](FakeTask& dying) {
        add_process(201);  // its last deed
        dying.stops.emplace_back(stop::Exited{0});
    };
    const FreezeReport report = freeze_all();
    ASSERT_EQ(report.failure, FreezeFailure::kNone) << report.reason;
    EXPECT_FALSE(machine.tasks.contains(Tid{200}));
    EXPECT_TRUE(machine.at(201).stopped);
    EXPECT_EQ(report.held, 1U);
    freeze.thaw();
    expect_all_let_go();
}

TEST_F(FreezeOfFakes, TheNumberOfATaskThatDiedIsSomebodyElseWhenItComesAgain) {
    add_process(200).when_interrupted = [](FakeTask& dying) {
        dying.stops.emplace_back(stop::Killed{SIGKILL});
    };
    lister.before_listing = [this](int number) {
        if (number == 2) {
            add_process(200);
        }
    };
    const FreezeReport report = freeze_all();
    ASSERT_EQ(report.failure, FreezeFailure::kNone) << report.reason;
    EXPECT_TRUE(machine.at(200).stopped);
    EXPECT_EQ(report.held, 1U);
}

TEST_F(FreezeOfFakes, ATaskThatIsGoneBeforeItIsSeizedIsNoFailure) {
    add_process(200);
    lister.before_thread_count = [this] { machine.tasks.erase(Tid{200}); };
    const FreezeReport report = freeze_all();
    ASSERT_EQ(report.failure, FreezeFailure::kNone) << report.reason;
    EXPECT_EQ(report.held, 0U);
}

TEST_F(FreezeOfFakes, AZombieIsPassedOver) {
    add_process(200).state = 'Z';
    add_process(300);
    const FreezeReport report = freeze_all();
    ASSERT_EQ(report.failure, FreezeFailure::kNone) << report.reason;
    EXPECT_EQ(report.held, 1U);
}

TEST_F(FreezeOfFakes, ATaskThatDoesNotStopWithinTheBudgetFailsTheFreeze) {
    add_process(200);
    add_process(300).when_interrupted = [](FakeTask&) {};
    machine.at(300).state = 'R';
    const FreezeReport report = freeze_all({}, 5ms);
    EXPECT_EQ(report.failure, FreezeFailure::kDeadline);
    EXPECT_EQ(report.culprit, Tid{300});
    EXPECT_NE(report.reason.find("300"), std::string::npos);
    EXPECT_EQ(machine.at(200).detached_with, std::vector<int>{0});
    EXPECT_EQ(machine.at(300).tracer, FakeTasks::self());  // only a stopped task can be detached
    machine.at(300).stops.emplace_back(stop::Trap{});
    expect_all_let_go();
}

TEST_F(FreezeOfFakes, TasksThatKeepAppearingForTheWholeBudgetFailTheFreeze) {
    lister.before_listing = [this](int number) { add_process(1000 + number); };
    const FreezeReport report = freeze_all({}, 5ms);
    EXPECT_EQ(report.failure, FreezeFailure::kDeadline);
    EXPECT_EQ(report.culprit, Tid{});
    expect_all_let_go();
}

TEST_F(FreezeOfFakes, ATaskOfAnotherTracerFailsTheFreezeAndIsNamed) {
    add_process(200);
    add_process(300).tracer = kDebugger;
    const FreezeReport report = freeze_all();
    EXPECT_EQ(report.failure, FreezeFailure::kTracedByOther);
    EXPECT_EQ(report.culprit, Tid{300});
    EXPECT_EQ(report.other_tracer, kDebugger);
    EXPECT_EQ(report.reason, "task 300 is traced by task 77");
    EXPECT_EQ(machine.at(300).tracer, kDebugger);
    machine.at(200).stops.emplace_back(stop::Trap{});  // seized, but not interrupted yet
    expect_all_let_go();
}

TEST_F(FreezeOfFakes, ATaskOfAnotherTracerIsLeftToTheVerificationWhereThereIsOne) {
    add_process(200);
    add_process(300).tracer = kDebugger;
    const FreezeReport report = freeze_all({}, 20s, Unstoppable::kLeave);
    EXPECT_EQ(report.failure, FreezeFailure::kNone) << report.reason;
    EXPECT_EQ(report.left, std::vector{Tid{300}});
    EXPECT_EQ(report.held, 1U);
    EXPECT_EQ(machine.at(300).tracer, kDebugger);
    freeze.thaw();
    expect_all_let_go();
}

TEST_F(FreezeOfFakes, AnExecThatNobodyHasAnsweredFailsTheFreezeOrIsLeft) {
    add_process(200);
    add_process(300).busy_seizes = -1;
    machine.add(301, 300).busy_seizes = -1;
    machine.at(200).stops.emplace_back(stop::Trap{});
    FreezeReport report = freeze_all();
    EXPECT_EQ(report.failure, FreezeFailure::kExecuting);
    EXPECT_EQ(report.culprit, Tid{300});
    expect_all_let_go();
    machine.seizes = 0;
    report = freeze_all({}, 20s, Unstoppable::kLeave);
    EXPECT_EQ(report.failure, FreezeFailure::kNone) << report.reason;
    EXPECT_EQ(report.left, std::vector{Tid{300}});
    EXPECT_EQ(machine.seizes, 3);  // of 200, and two of 300: each costs the bound
    freeze.thaw();
    expect_all_let_go();
}

TEST_F(FreezeOfFakes, AnExecThatIsOverWhenItIsAskedAgainIsHeld) {
    add_process(300).busy_seizes = 1;
    for (const Unstoppable unstoppable : {Unstoppable::kFail, Unstoppable::kLeave}) {
        machine.at(300).busy_seizes = 1;
        const FreezeReport report = freeze_all({}, 20s, unstoppable);
        EXPECT_EQ(report.failure, FreezeFailure::kNone) << report.reason;
        EXPECT_EQ(report.held, 1U);
        EXPECT_TRUE(report.left.empty());
        freeze.thaw();
        expect_all_let_go();
    }
}

TEST_F(FreezeOfFakes, AProcessWhoseExecWeAwaitIsNotTouched) {
    add_process(200);
    add_process(300);
    machine.add(301, 300);
    tracer.expect_exec(Tgid{300}, Tid{301});
    FreezeReport report = freeze_all({}, 20s, Unstoppable::kLeave);
    EXPECT_EQ(report.failure, FreezeFailure::kNone) << report.reason;
    EXPECT_EQ(report.left, std::vector{Tid{300}});
    EXPECT_EQ(report.held, 1U);
    EXPECT_EQ(machine.seizes, 1);
    freeze.thaw();
    tracer.exec_over(Tgid{300}, Tid{301});
    report = freeze_all({}, 20s, Unstoppable::kLeave);  // the control
    EXPECT_EQ(report.held, 3U);
    freeze.thaw();
    expect_all_let_go();
}

TEST_F(FreezeOfFakes, ATaskThatMayNotBeTracedFailsTheFreeze) {
    add_process(300).may_be_traced = false;
    const FreezeReport report = freeze_all();
    EXPECT_EQ(report.failure, FreezeFailure::kRefused);
    EXPECT_EQ(report.culprit, Tid{300});
    expect_all_let_go();
}

TEST_F(FreezeOfFakes, AListingThatFailsLetsGoWhomEarlierOnesHaveHeld) {
    add_process(200);
    lister.before_listing = [this](int number) {
        if (number == 2) {
            lister.fails = Error{EMFILE, "the container's /proc"};
        }
    };
    const FreezeReport report = freeze_all();
    EXPECT_EQ(report.failure, FreezeFailure::kListing);
    EXPECT_EQ(machine.at(200).detached_with, std::vector<int>{0});
    expect_all_let_go();
}

TEST_F(FreezeOfFakes, AVforkParentIsNotWaitedForAndGoesWhenTheKernelLetsItGo) {
    FakeTask& parent = add_process(200);
    parent.state = 'D';
    parent.when_interrupted = [](FakeTask&) {};
    add_process(201, 200);
    const FreezeReport report = freeze_all({}, 1s);
    ASSERT_EQ(report.failure, FreezeFailure::kNone) << report.reason;
    EXPECT_EQ(report.in_kernel, std::vector<Tid>{Tid{200}});
    EXPECT_EQ(report.held, 1U);
    freeze.thaw();
    EXPECT_TRUE(parent.detached_with.empty());
    parent.stops.emplace_back(stop::Trap{});
    expect_all_let_go();
    EXPECT_EQ(parent.detached_with, std::vector<int>{0});
}

// On a busy CPU it comes to its wait later than its child to the exec.
TEST_F(FreezeOfFakes, TheCallersVforkParentIsNotWaitedForWhenItSleepsLate) {
    FakeTask& parent = add_process(200);
    parent.state = 'R';
    parent.when_interrupted = [](FakeTask&) {};
    machine.before_tick = [&parent] { parent.state = 'D'; };
    FreezeRequest request;
    request.caller = kCaller;
    request.parent = Tgid{200};
    request.deadline = Clock::now() + 20s;
    request.patience = 1h;
    const FreezeReport report = freeze.freeze(lister, request);
    ASSERT_EQ(report.failure, FreezeFailure::kNone) << report.reason;
    EXPECT_EQ(report.in_kernel, std::vector<Tid>{Tid{200}});
    EXPECT_EQ(machine.ticks, 1);
    freeze.thaw();
    parent.stops.emplace_back(stop::Trap{});
    expect_all_let_go();
}

TEST_F(FreezeOfFakes, WhoSleepsUntilTheCallersExecIsNotTouched) {
    FakeTask& sleeper = add_process(200);
    add_process(201);
    FreezeRequest request;
    request.caller = kCaller;
    request.parent = Tgid{200};
    request.sleeper = Tid{200};
    request.deadline = Clock::now() + 20s;
    const FreezeReport report = freeze.freeze(lister, request);
    ASSERT_EQ(report.failure, FreezeFailure::kNone) << report.reason;
    EXPECT_EQ(report.in_kernel, std::vector<Tid>{Tid{200}});
    EXPECT_EQ(report.held, 1U);
    EXPECT_EQ(sleeper.tracer, Tid{});
    freeze.thaw();
    EXPECT_EQ(machine.detached, std::vector<Tid>{Tid{201}});
    expect_all_let_go();
}

TEST_F(FreezeOfFakes, TheThawOwesEveryoneTheSignalOfItsStop) {
    add_process(200).when_interrupted = [](FakeTask& task) {
        task.stops.emplace_back(stop::Signal{SIGUSR1});
    };
    add_process(201);
    add_process(202).when_interrupted = [](FakeTask& task) {
        task.stops.emplace_back(stop::Group{SIGTSTP});
    };
    ASSERT_EQ(freeze_all().failure, FreezeFailure::kNone);
    freeze.thaw();
    EXPECT_EQ(machine.at(200).detached_with, std::vector<int>{SIGUSR1});
    EXPECT_EQ(machine.at(201).detached_with, std::vector<int>{0});
    EXPECT_EQ(machine.at(202).detached_with, std::vector<int>{0});
    EXPECT_EQ(machine.detached.front(), Tid{202});  // it should be found stopped after the thaw
    expect_all_let_go();
}

TEST_F(FreezeOfFakes, ATaskThatIsKilledWhileItIsHeldIsReapedAtTheThaw) {
    add_process(200);
    ASSERT_EQ(freeze_all().failure, FreezeFailure::kNone);
    // SIGKILL ends a tracing stop: the detach finds nobody (ptrace(2), "Death under ptrace").
    machine.at(200).stopped = false;
    machine.at(200).stops.emplace_back(stop::Killed{SIGKILL});
    const Result<bool> reaped = tracer.waits().try_reap(Tid{200});
    EXPECT_TRUE(reaped.value());
    freeze.thaw();
    EXPECT_FALSE(machine.tasks.contains(Tid{200}));
    expect_all_let_go();
}

TEST_F(FreezeOfFakes, WhoWaitsForItsAnswerIsNotInterrupted) {
    add_process(200);
    const QuietCaller quiet{.tid = Tid{200}, .call = QuietCall::kExec};
    const FreezeReport report = freeze_all({&quiet, 1});
    ASSERT_EQ(report.failure, FreezeFailure::kNone) << report.reason;
    EXPECT_EQ(report.quiet, 1U);
    EXPECT_EQ(report.held, 0U);
    EXPECT_EQ(machine.at(200).interrupts, 0);
    EXPECT_EQ(machine.at(200).options, kExecOptions);
    freeze.thaw();
    EXPECT_TRUE(tracer.is_attached(Tid{200}));
    machine.at(200).stops.emplace_back(stop::Trap{});
    expect_all_let_go();
}

TEST_F(FreezeOfFakes, WhoBelongsToAnotherFlowIsHeldButNotLetGo) {
    add_process(200);
    ASSERT_EQ(tracer.seize(Tid{200}, {.births = true}).value().what, Seized::kNew);
    const FreezeReport report = freeze_all();
    ASSERT_EQ(report.failure, FreezeFailure::kNone) << report.reason;
    EXPECT_EQ(report.held, 1U);
    EXPECT_FALSE(
        tracer.waits().poll(Tid{200}).has_value());  // its owner hears nothing while it is held
    freeze.thaw();
    EXPECT_TRUE(machine.at(200).detached_with.empty());
    EXPECT_TRUE(tracer.waits().poll(Tid{200}).has_value());
    EXPECT_EQ(tracer.release(Tid{200}).value(), Released::kDetached);
}

TEST_F(FreezeOfFakes, SiblingsThatAnExecHasKilledAreReaped) {
    for (pid_t tid = 101; tid <= 104; ++tid) {
        machine.add(tid, kCaller.value);
    }
    add_process(200);
    ASSERT_EQ(freeze_all().failure, FreezeFailure::kNone);
    for (pid_t tid = 101; tid <= 104; ++tid) {
        machine.at(tid).stopped = false;
        machine.at(tid).stops = {stop::Killed{SIGKILL}};
    }
    freeze.reap_siblings(Tgid{kCaller.value});
    EXPECT_EQ(machine.tasks.size(), 2U);
    EXPECT_TRUE(machine.at(200).stopped);
    freeze.thaw();
    expect_all_let_go();
}

TEST_F(FreezeOfFakes, CanBeUsedAgainAfterAFailure) {
    FakeTask& task = add_process(200);
    task.tracer = kDebugger;
    ASSERT_EQ(freeze_all().failure, FreezeFailure::kTracedByOther);
    task.tracer = Tid{};
    EXPECT_EQ(freeze_all().failure, FreezeFailure::kNone);
    EXPECT_TRUE(task.stopped);
    freeze.thaw();
    expect_all_let_go();
}

}  // namespace
}  // namespace execseal
