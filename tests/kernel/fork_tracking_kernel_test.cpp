#include "hook/tasks/fork_tracking.h"

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

#include <array>
#include <atomic>
#include <random>
#include <set>

#include "hook/tasks/supervisors.h"
#include "tests/kernel/fork_supervisor.h"
#include "tests/kernel/other_supervisor.h"

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
enum class How {
    kFork,
    kVfork,
    kClone,
    kClone3,
    kOtherExitSignal,
    kCloneParent,
    kCloneNewPid,
#if defined(__x86_64__)
    kI386Fork,
    kI386Clone,
#endif
};

#if defined(__x86_64__)
// int 0x80 from a 64-bit program enters by the i386 table.
long i386_call(long number, unsigned long a) {
    long result = number;
    asm volatile("int $0x80"
                 : "+a"(result)
                 : "b"(a), "c"(0), "d"(0), "S"(0), "D"(0)
                 : "memory", "r8", "r9", "r10", "r11");
    return result;
}

bool has_i386_entry() {
    return i386_call(20 /* getpid */, 0) > 0;
}
bool is_i386(How how) {
    return how == How::kI386Fork || how == How::kI386Clone;
}
#else
bool has_i386_entry() {
    return false;
}
bool is_i386(How) {
    return false;
}
#endif

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
            // NOLINTNEXTLINE(clang-analyzer-security.insecureAPI.vfork): it is what is tested
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
#if defined(__x86_64__)
        case How::kI386Fork:
            child = i386_call(2, 0);
            break;
        case How::kI386Clone:
            child = i386_call(120, SIGCHLD);
            break;
#endif
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
    void SetUp() override {
        if (is_i386(GetParam()) && !has_i386_entry()) {
            GTEST_SKIP() << "this kernel has no i386 entry (CONFIG_IA32_EMULATION)";
        }
    }
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
    ForkTrackingLimits patient;
    patient.grace = patient.longest_grace;  // a fork on a busy machine is not interrupted
    ForkSupervisor supervisor(container, patient);
    int registered_before_running = 0;
    int others = 0;
    std::set<Tid> released;
    supervisor.ptrace.before_detach = [&](Tid tid) {
        if (!released.insert(tid).second) {
            return;  // a creator, after its own birth
        }
        const TaskEntry* entry = supervisor.table.find(Tgid{tid.value});
        if (entry != nullptr && page.ran == 0 && state_of(tid.value) == 't') {
            ++registered_before_running;
        } else {
            ++others;  // the init, which was there before us
        }
    };
    ASSERT_TRUE(supervisor.serve_until([&] { return page.done == 1 && page.ran == 1; }));
    EXPECT_EQ(page.result, 0);
    // The worker and its child.
    EXPECT_EQ(registered_before_running, 2);
    EXPECT_EQ(others, 1);
    EXPECT_EQ(supervisor.tracking.counts().born, 2U);
    EXPECT_EQ(supervisor.tracking.counts().impossible, 0U);
    ASSERT_TRUE(supervisor.serve_until([&] { return supervisor.tracer.attached() == 0; }));
    EXPECT_EQ(supervisor.ptrace.interrupts, 0);
    container.say(0);
    EXPECT_EQ(container.wait_end(), 0);
    EXPECT_TRUE(supervisor.serve_until([&] { return supervisor.table.size() == 0; }));
}

TEST_P(EachWayToFork, OnlyAVforkLeavesAParentThatIsKnownToSleep) {
    ForkedContainer container(NotifiedCalls::kForks, [this](const Inside& inside) {
        return fork_once_in_a_worker(inside);
    });
    ForkSupervisor supervisor(container);
    VforkParents parents;
    supervisor.tracking.tell_vforks_to(parents);
    int sleepers = 0;
    supervisor.ptrace.before_detach = [&](Tid tid) {
        const Tgid process{tid.value};
        if (const Tid sleeper = parents.take(process, tid); sleeper != Tid{}) {
            ++sleepers;
            EXPECT_EQ(sleeper.value, supervisor.table.find(process)->parent.value);
        }
    };
    ASSERT_TRUE(supervisor.serve_until([&] { return page.done == 1 && page.ran == 1; }));
    EXPECT_EQ(sleepers, GetParam() == How::kVfork ? 1 : 0);
    container.say(0);
    EXPECT_EQ(container.wait_end(), 0);
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

#if defined(__x86_64__)
INSTANTIATE_TEST_SUITE_P(I386, EachWayToFork, ::testing::Values(How::kI386Fork, How::kI386Clone));
#endif

class ManyForks : public ForkTrackingKernel {
  protected:
    // Every child that is let go is in the table.
    void watch(ForkSupervisor& supervisor) {
        supervisor.ptrace.before_detach = [this, &supervisor](Tid tid) {
            const TaskEntry* entry = supervisor.table.find(Tgid{tid.value});
            if (entry != nullptr && entry->origin != TaskOrigin::kListing) {
                ++registered_;
            }
        };
    }
    static void expect_clean(ForkSupervisor& supervisor, ForkedContainer& container) {
        ASSERT_TRUE(supervisor.serve_until([&] { return supervisor.tracer.attached() == 0; }));
        EXPECT_TRUE(supervisor.tracking.idle());
        EXPECT_EQ(supervisor.tracking.counts().impossible, 0U);
        container.say(0);
        EXPECT_EQ(container.wait_end(), 0);
        EXPECT_TRUE(supervisor.serve_until([&] { return supervisor.table.size() == 0; }));
        // No tracee is left, not even a dead one: nothing that waitpid(2) could give.
        EXPECT_EQ(waitpid(-1, nullptr, WNOHANG | __WALL), -1);
        EXPECT_EQ(errno, ECHILD);
    }

    int registered_ = 0;
};

void* fork_many(void* argument) {
    Page& page = *static_cast<Page*>(argument);
    for (int i = 0; i < 50; ++i) {
        const long child = make_child(How::kFork, page);
        page.forks.fetch_add(child > 0 ? 1 : 0);
        while (child > 0 && waitpid(static_cast<pid_t>(child), nullptr, 0) < 0 && errno == EINTR) {
        }
    }
    page.done.fetch_add(1);
    return nullptr;
}

TEST_F(ManyForks, AThreadedParentForksFromAllItsThreads) {
    ForkedContainer container(NotifiedCalls::kForks, [this](const Inside& inside) {
        for (int i = 0; i < 4; ++i) {
            pthread_t thread{};
            pthread_create(&thread, nullptr, fork_many, &page);
        }
        return inside.hear();
    });
    ForkSupervisor supervisor(container);
    watch(supervisor);
    ASSERT_TRUE(supervisor.serve_until([&] { return page.done == 4; }));
    EXPECT_EQ(page.forks, 200);
    EXPECT_EQ(page.ran, 200);
    // The threads came by clone3, which this filter notifies; they are no processes.
    EXPECT_EQ(supervisor.tracking.counts().born, 204U);
    EXPECT_EQ(registered_, 200);
    expect_clean(supervisor, container);
}

// A signal every 300 us: most notifications are cancelled at least once.
TEST_F(ManyForks, AStormOfSignalsLosesNoChildAndNoSignal) {
    static Page* shared = nullptr;
    shared = &page;
    ForkedContainer container(NotifiedCalls::kForks, [this](const Inside& inside) {
        struct sigaction action {};
        action.sa_handler = [](int) { shared->extra.fetch_add(1); };
        action.sa_flags = SA_RESTART;
        sigaction(SIGALRM, &action, nullptr);
        const itimerval storm{{0, 300}, {0, 300}};
        setitimer(ITIMER_REAL, &storm, nullptr);
        fork_many(&page);
        const itimerval calm{};
        setitimer(ITIMER_REAL, &calm, nullptr);
        return inside.hear();
    });
    ForkSupervisor supervisor(container);
    watch(supervisor);
    ASSERT_TRUE(supervisor.serve_until([&] { return page.done == 1; }, 60s));
    EXPECT_EQ(page.forks, 50);
    EXPECT_EQ(page.ran, 50);
    EXPECT_GT(page.extra, 10) << "no storm";
    EXPECT_EQ(supervisor.tracking.counts().born, 50U);
    EXPECT_EQ(registered_, 50);
    expect_clean(supervisor, container);
}

// A shell makes a pipeline: the first child ends while the second's fork waits in the notify queue,
// and nobody has received it yet.
class AChildEndsBeforeTheNextForkIsReceived : public ForkTrackingKernel {
  protected:
    // Serves until the fork is done or has failed; its result is in page.result.
    void run(const std::function<void(ForkedContainer&, ForkSupervisor&)>& prepare) {
        ForkedContainer container(NotifiedCalls::kForks, [this](const Inside& inside) {
            struct sigaction action {};
            action.sa_handler = [](int) {};  // no SA_RESTART, as busybox's ash and dash have it
            sigaction(SIGCHLD, &action, nullptr);
            if (syscall(SYS_fork) == 0) {
                while (page.extra == 0) {
                    sched_yield();
                }
                _exit(0);
            }
            page.forks = 1;
            while (page.forks == 1) {
                sched_yield();
            }
            page.result = make_child(How::kFork, page) < 0 ? errno : 0;
            page.done = 1;
            return inside.hear();
        });
        ForkSupervisor supervisor(container);
        prepare(container, supervisor);
        ASSERT_TRUE(supervisor.serve_until([&] { return page.forks == 1; }));
        page.forks = 2;
        ASSERT_EQ(container.listener().poll(20s).value(), ListenerState::kReadable);
        page.extra = 1;
        // It has left the notify queue: in its program, or attached and in a stop.
        ASSERT_TRUE(test::eventually(
            [&] { return page.done == 1 || state_of(container.init().value) == 't'; }));
        ASSERT_TRUE(supervisor.serve_until([&] { return page.done == 1; }));
        ASSERT_TRUE(supervisor.serve_until([&] { return supervisor.tracer.attached() == 0; }));
        EXPECT_EQ(supervisor.tracking.counts().impossible, 0U);
        container.say(0);
        EXPECT_EQ(container.wait_end(), 0);
    }
};

TEST_F(AChildEndsBeforeTheNextForkIsReceived, ItIsRestarted) {
    run([](ForkedContainer&, ForkSupervisor&) {});
    EXPECT_EQ(page.result, 0);
    EXPECT_EQ(page.ran, 1);
}

// The control.
TEST_F(AChildEndsBeforeTheNextForkIsReceived, AnAgentThatOnlySaysContinueMakesItFail) {
    run([](ForkedContainer& container, ForkSupervisor& supervisor) {
        supervisor.on_notification = [&](const Notification& notification) {
            (void)container.listener().answer(notification.id, Answer::go_on());
            return true;
        };
    });
    EXPECT_EQ(page.result, EINTR);
}

TEST_F(ManyForks, FailedForksSettleWithoutASignalOrADelay) {
    ForkedContainer container(NotifiedCalls::kForks, [this](const Inside& inside) {
        for (int i = 0; i < 50; ++i) {
            // Signal handlers cannot be shared without the memory they lie in.
            const long child = raw_clone(CLONE_SIGHAND | SIGCHLD);
            page.extra.fetch_add(child < 0 && errno == EINVAL ? 1 : 0);
        }
        page.done = 1;
        return inside.hear();
    });
    ForkSupervisor supervisor(container);
    watch(supervisor);
    const auto start = std::chrono::steady_clock::now();
    ASSERT_TRUE(supervisor.serve_until([&] { return page.done == 1; }));
    EXPECT_EQ(page.extra, 50);
    EXPECT_EQ(supervisor.tracking.counts().born, 0U);
    EXPECT_LT(std::chrono::steady_clock::now() - start, 10s);
    expect_clean(supervisor, container);
}

// Eight processes fork as fast as they can, and whatever is found in the namespace is killed.
TEST_F(ManyForks, RandomKillsLeaveAnEmptyTableAndNoTracee) {
    constexpr long kGoal = 100'000;
    ForkedContainer container(NotifiedCalls::kForks, [this](const Inside& inside) {
        std::array<pid_t, 8> forkers{};
        const auto start_forker = [&] {
            const pid_t forker = fork();
            if (forker != 0) {
                return forker;
            }
            while (page.forks < kGoal) {
                const long child = make_child(How::kFork, page);
                page.forks.fetch_add(child > 0 ? 1 : 0);
                if (child > 0) {
                    (void)waitpid(static_cast<pid_t>(child), nullptr, WNOHANG);
                }
            }
            _exit(0);
        };
        for (pid_t& forker : forkers) {
            forker = start_forker();
        }
        std::minstd_rand random(7);
        while (page.forks < kGoal) {
            // A forker now and then, in whatever it is doing; children by their numbers.
            const std::size_t victim = random() % forkers.size();
            if (random() % 8 == 0) {
                kill(forkers.at(victim), SIGKILL);
                (void)waitpid(forkers.at(victim), nullptr, 0);
                forkers.at(victim) = start_forker();
                page.extra.fetch_add(1);
            }
            for (int i = 0; i < 8; ++i) {
                kill(static_cast<pid_t>(2 + random() % 32000), SIGKILL);
            }
            while (waitpid(-1, nullptr, WNOHANG) > 0) {
            }
            usleep(500);
        }
        kill(-1, SIGKILL);
        while (wait(nullptr) > 0) {
        }
        page.done = 1;
        return inside.hear();
    });
    ForkSupervisor supervisor(container);
    ASSERT_TRUE(supervisor.serve_until([&] { return page.done == 1; }, std::chrono::minutes{10}));
    EXPECT_GE(page.forks, kGoal);
    EXPECT_GT(page.extra, 10) << "hardly any forker was killed";
    EXPECT_GT(supervisor.tracking.counts().born, static_cast<std::uint64_t>(kGoal) / 2);
    expect_clean(supervisor, container);
}

// Two containers of one PID namespace without control groups of their own: each supervisor's freeze
// takes the other's callers, too, for a moment.
class ForkOfAHeldCaller : public ::testing::Test {
  protected:
    static int fork_when_told(const Inside& inside) {
        (void)inside.hear();
        const pid_t child = fork();
        if (child == 0) {
            _exit(0);
        }
        const char word = child > 0 ? 'f' : errno == EPERM ? 'r' : '?';
        while (wait(nullptr) > 0) {
        }
        inside.say(word);
        return 0;
    }
    // What became of the fork; nothing yet when its notification has been looked at.
    void call_while_held(bool told) {
        if (told) {
            supervisor.tracer.ask_for_supervisors(
                [this](Tid tid) { return is_supervisor(tid, *supervisor.procfs); });
        }
        container.say('g');
        ASSERT_TRUE(
            supervisor.serve_until([&] { return supervisor.tracking.counts().received == 1; }));
    }
    char word() {
        EXPECT_TRUE(supervisor.serve_until([&] { return container.has_word(); }));
        return container.hear();
    }

    ForkedContainer container{NotifiedCalls::kForks, fork_when_told};
    ForkTrackingLimits limits{.longest_held = 60s};
    ForkSupervisor supervisor{container, limits};
    test::OtherSupervisor other{container.init()};
};

TEST_F(ForkOfAHeldCaller, WaitsUntilTheOtherSupervisorLetsGo) {
    call_while_held(true);
    EXPECT_FALSE(supervisor.serve_until([&] { return container.has_word(); }, 50ms));
    EXPECT_FALSE(supervisor.tracking.idle());
    other.let_go();
    EXPECT_EQ(word(), 'f');
    EXPECT_EQ(supervisor.tracking.counts().refused, 0U);
    EXPECT_EQ(supervisor.tracking.counts().born, 1U);
}

TEST_F(ForkOfAHeldCaller, IsRefusedAtOnceWhereTheHolderIsNoSupervisor) {
    call_while_held(false);
    EXPECT_EQ(word(), 'r');
}

TEST(ForkOfACallerHeldForLong, IsRefusedInTheEnd) {
    ForkedContainer container(NotifiedCalls::kForks, [](const Inside& inside) {
        (void)inside.hear();
        inside.say(fork() < 0 && errno == EPERM ? 'r' : '?');
        return 0;
    });
    ForkSupervisor supervisor(container, {.longest_held = 50ms});
    supervisor.tracer.ask_for_supervisors([](Tid /*other*/) { return true; });
    const test::OtherSupervisor other(container.init());
    container.say('g');
    ASSERT_TRUE(supervisor.serve_until([&] { return container.has_word(); }));
    EXPECT_EQ(container.hear(), 'r');
    EXPECT_TRUE(supervisor.tracking.idle());
}

}  // namespace
}  // namespace execseal
