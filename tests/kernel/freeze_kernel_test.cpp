#include "hook/tasks/freeze.h"

#include <gtest/gtest.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <map>
#include <set>

#include "hook/tasks/domain.h"
#include "hook/tasks/notified_restart.h"
#include "hook/tasks/pidns_lister.h"
#include "tests/kernel/fork_supervisor.h"

namespace execseal {
namespace {

using namespace std::chrono_literals;
using test::eventually;
using test::ForkedContainer;
using test::ForkSupervisor;
using test::Inside;
using test::NotifiedCalls;
using test::state_of;
using test::tracer_of;

using Clock = std::chrono::steady_clock;

struct Page {
    std::array<std::atomic<long>, 64> work{};
    std::atomic<long> made{0};
    std::atomic<int> signals{0};
    std::atomic<int> done{0};
    std::atomic<unsigned> pause{200};  // microseconds between two steps of a worker
};

class FreezeKernel : public ::testing::Test {
  protected:
    FreezeReport freeze_all(TaskLister& lister, Tid caller, std::span<const QuietCaller> quiet = {},
                            std::chrono::milliseconds budget = 20s) {
        FreezeRequest request;
        request.caller = caller;
        request.quiet = quiet;
        request.deadline = Clock::now() + budget;
        return freeze.freeze(lister, request);
    }
    long total() const {
        long sum = 0;
        for (const auto& work : page.work) {
            sum += work;
        }
        return sum;
    }
    // Everything released, also what had to stop first.
    bool drained() {
        return eventually([this] {
            tracer.reap_leaving();
            return tracer.attached() == 0;
        });
    }
    static std::vector<ListedTask> all_of(TaskLister& lister) {
        std::vector<ListedTask> leaders;
        std::vector<ListedTask> tasks;
        const Result<> listed = lister.list(leaders);
        EXPECT_TRUE(listed.has_value()) << (listed ? "" : listed.error().text());
        for (const ListedTask& leader : leaders) {
            const std::size_t threads = lister.count_threads(leader).value();
            if (threads == 0) {
                tasks.push_back(leader);
            } else {
                EXPECT_TRUE(lister.list_threads(leader, tasks).has_value());
            }
        }
        return tasks;
    }

    std::unique_ptr<Ptrace> ptrace = real_ptrace();
    std::unique_ptr<TraceeWait> wait = real_tracee_wait();
    std::unique_ptr<Procfs> procfs = open_procfs().value();
    std::unique_ptr<ExitWatch> exits = open_exit_watch(4096).value();
    Tracer tracer{*ptrace, *wait, *procfs, restart_notified_calls(*ptrace)};
    TaskTable table{*procfs, *exits};
    Freeze freeze{tracer, *procfs, table};
    Page& page = test::shared_page<Page>();
};

struct WorkerArgument {
    Page* page;
    int index;
};

void* work(void* argument) {
    const auto* worker = static_cast<WorkerArgument*>(argument);
    while (true) {
        worker->page->work.at(static_cast<std::size_t>(worker->index) % 64).fetch_add(1);
        usleep(worker->page->pause);
    }
}

void* end_at_once(void*) {
    return nullptr;
}

void* wait_for_end(void* argument) {
    auto* page = static_cast<Page*>(argument);
    const long round = page->made;
    while (page->made == round) {
        page->work[0].fetch_add(1);
    }
    return nullptr;
}

// Makes and joins threads for ever: the thing that a single listing misses.
void* churn(void* argument) {
    auto* page = static_cast<Page*>(argument);
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 65536);
    while (true) {
        pthread_t thread{};
        if (pthread_create(&thread, &small, end_at_once, nullptr) == 0) {
            page->made.fetch_add(1);
            pthread_join(thread, nullptr);
        }
    }
}

void start(void* (*body)(void*), void* argument) {
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 65536);
    pthread_t thread{};
    if (pthread_create(&thread, &small, body, argument) != 0) {
        _exit(90);
    }
}

// Workers in threads and in processes, the caller in none of them.
int run_workers(Page& page, const Inside& inside, int threads, int churners, int processes) {
    static std::array<WorkerArgument, 4096> arguments;
    for (int i = 0; i < processes; ++i) {
        if (fork() == 0) {
            WorkerArgument argument{&page, i};
            work(&argument);
        }
    }
    const pid_t threaded = fork();
    if (threaded == 0) {
        for (int i = 0; i < threads; ++i) {
            arguments.at(static_cast<std::size_t>(i)) = {&page, i};
            start(work, &arguments.at(static_cast<std::size_t>(i)));
        }
        for (int i = 0; i < churners; ++i) {
            start(churn, &page);
        }
        inside.say('t');
        pause();
    }
    return inside.hear();
}

TEST_F(FreezeKernel, NothingRunsUntilTheThaw) {
    ForkedContainer container(NotifiedCalls::kNone, [this](const Inside& inside) {
        return run_workers(page, inside, 50, 0, 20);
    });
    ASSERT_EQ(container.hear(), 't');
    const auto lister = PidnsLister::open(container.init()).value();
    const FreezeReport report = freeze_all(*lister, container.init());
    ASSERT_EQ(report.failure, FreezeFailure::kNone) << report.reason;
    EXPECT_EQ(report.held, 71U);  // 50 threads and their leader, 20 processes; not the caller
    EXPECT_TRUE(report.in_kernel.empty());
    const long before = total();
    usleep(20'000);
    EXPECT_EQ(total(), before);
    EXPECT_FALSE(tracer.is_attached(container.init()));
    EXPECT_EQ(table.size(), 22U);
    freeze.thaw();
    EXPECT_TRUE(drained());
    EXPECT_TRUE(eventually([&] { return total() > before; }));
    container.say(0);
    EXPECT_EQ(container.wait_end(), 0);
}

TEST_F(FreezeKernel, ReachesTheEndOfAThousandThreadsOfWhichSomeMakeMore) {
    page.pause = 50'000;
    ForkedContainer container(NotifiedCalls::kNone, [this](const Inside& inside) {
        return run_workers(page, inside, 1000, 4, 0);
    });
    ASSERT_EQ(container.hear(), 't');
    const auto lister = PidnsLister::open(container.init()).value();
    int more_than_two_passes = 0;
    std::size_t born = 0;
    for (int round = 0; round < 10; ++round) {
        const long made = page.made;
        ASSERT_TRUE(eventually([&] { return page.made > made; }));  // the churn goes on
        const FreezeReport report = freeze_all(*lister, container.init());
        ASSERT_EQ(report.failure, FreezeFailure::kNone) << report.reason;
        EXPECT_GE(report.held, 1005U);
        more_than_two_passes += report.passes > 2 ? 1 : 0;
        born += report.born;
        const long frozen_at = total();
        const long made_at = page.made;
        // An independent look: every thread of the container but the caller is in a tracing stop.
        for (const ListedTask& task : all_of(*lister)) {
            if (task.tid != container.init()) {
                EXPECT_EQ(state_of(task.tid.value), 't') << task.tid.value;
            }
        }
        usleep(2000);
        EXPECT_EQ(total(), frozen_at);
        EXPECT_EQ(page.made, made_at);
        freeze.thaw();
        EXPECT_TRUE(drained());
    }
    EXPECT_GT(more_than_two_passes + static_cast<int>(born), 0) << "the race was never hit";
}

// It is not traced, as its clone(2) began before the seize, and was not counted when that was done.
TEST_F(FreezeKernel, AThreadOfAProcessThatWasSeizedInItsCloneIsHeld) {
    ForkedContainer container(NotifiedCalls::kNone, [this](const Inside& inside) {
        if (fork() == 0) {
            inside.say('t');
            while (true) {
                pthread_t thread{};
                const long made = page.made;
                const long started = page.work[0];
                (void)pthread_create(&thread, nullptr, wait_for_end, &page);
                while (page.work[0] == started) {
                }
                page.made = made + 1;
                pthread_join(thread, nullptr);
            }
        }
        return inside.hear();
    });
    ASSERT_EQ(container.hear(), 't');
    const auto lister = PidnsLister::open(container.init()).value();
    int ran = 0;
    for (int round = 0; round < 3000; ++round) {
        usleep(static_cast<unsigned>(round % 100));
        const FreezeReport report = freeze_all(*lister, container.init());
        ASSERT_EQ(report.failure, FreezeFailure::kNone) << report.reason;
        const long before = page.work[0];
        usleep(100);
        ran += page.work[0] != before ? 1 : 0;
        freeze.thaw();
        ASSERT_TRUE(drained());
    }
    EXPECT_EQ(ran, 0);
}

TEST_F(FreezeKernel, ATaskInTheNotifyQueueIsAttachedButNotDisturbed) {
    ForkedContainer container(NotifiedCalls::kForks, [this](const Inside& inside) {
        inside.say('r');
        const long child = syscall(SYS_fork);
        if (child == 0) {
            _exit(0);
        }
        page.done = child > 0 ? 1 : -errno;
        return inside.hear();
    });
    ASSERT_EQ(container.hear(), 'r');
    ASSERT_EQ(container.listener().poll(10s).value(), ListenerState::kReadable);
    const Notification notification = container.listener().receive().value().value();
    const auto lister = PidnsLister::open(container.init()).value();
    const QuietCaller quiet{.tid = notification.tid, .call = QuietCall::kFork};
    const FreezeReport report = freeze_all(*lister, Tid{1}, {&quiet, 1});
    ASSERT_EQ(report.failure, FreezeFailure::kNone) << report.reason;
    EXPECT_EQ(report.quiet, 1U);
    EXPECT_EQ(report.held, 0U);
    EXPECT_EQ(container.listener().id_valid(notification.id).value(), NotifyReach::kDone);
    freeze.thaw();
    EXPECT_TRUE(tracer.is_attached(notification.tid));
    // Whoever answers it finds it attached.
    const SeizeOutcome again = tracer.seize(notification.tid, {.births = true}).value();
    EXPECT_EQ(again.what, Seized::kAlready);
    EXPECT_TRUE(again.was_leaving);
    EXPECT_EQ(container.listener().answer(notification.id, Answer::fail(EAGAIN)).value(),
              NotifyReach::kDone);
    EXPECT_TRUE(tracer.release_when_stopped(notification.tid, Interrupt::kYes).has_value());
    EXPECT_TRUE(drained());
    EXPECT_TRUE(eventually([&] { return page.done == -EAGAIN; }));
    container.say(0);
    EXPECT_EQ(container.wait_end(), 0);
}

TEST_F(FreezeKernel, AQuietTaskThatASignalWakesIsLetGoAfterTheThaw) {
    static Page* shared = nullptr;
    shared = &page;
    ForkedContainer container(NotifiedCalls::kForks, [this](const Inside& inside) {
        struct sigaction action {};
        action.sa_handler = [](int) { shared->signals.fetch_add(1); };
        action.sa_flags = SA_RESTART;
        sigaction(SIGUSR1, &action, nullptr);
        inside.say('r');
        page.done = syscall(SYS_fork) < 0 ? errno : 1;
        return 0;
    });
    ASSERT_EQ(container.hear(), 'r');
    ASSERT_EQ(container.listener().poll(10s).value(), ListenerState::kReadable);
    const Notification first = container.listener().receive().value().value();
    const auto lister = PidnsLister::open(container.init()).value();
    const QuietCaller quiet{.tid = first.tid, .call = QuietCall::kFork};
    ASSERT_EQ(freeze_all(*lister, Tid{1}, {&quiet, 1}).failure, FreezeFailure::kNone);
    kill(first.tid.value, SIGUSR1);
    ASSERT_TRUE(eventually([&] { return state_of(first.tid.value) == 't'; }));
    usleep(2000);
    EXPECT_EQ(page.signals, 0);  // a signal cannot make a quiet task run
    freeze.thaw();
    EXPECT_TRUE(drained());
    EXPECT_TRUE(eventually([&] { return page.signals == 1; }));
    ASSERT_EQ(container.listener().poll(10s).value(), ListenerState::kReadable);
    const Notification second = container.listener().receive().value().value();
    EXPECT_NE(second.id, first.id);
    EXPECT_EQ(container.listener().answer(second.id, Answer::fail(EAGAIN)).value(),
              NotifyReach::kDone);
    EXPECT_EQ(container.wait_end(), 0);
    EXPECT_EQ(page.done, EAGAIN);
}

// Its signal handler runs: to take it for quiet would leave a writer running.
TEST_F(FreezeKernel, ACallerWhoseNotificationASignalHasEndedIsStoppedAsAnyOther) {
    static Page* shared = nullptr;
    shared = &page;
    ForkedContainer container(NotifiedCalls::kForks, [this](const Inside& inside) {
        struct sigaction action {};
        action.sa_handler = [](int) {
            while (true) {
                shared->signals.fetch_add(1);
            }
        };
        sigaction(SIGUSR1, &action, nullptr);
        inside.say('r');
        (void)syscall(SYS_fork);
        return 0;
    });
    ASSERT_EQ(container.hear(), 'r');
    ASSERT_EQ(container.listener().poll(10s).value(), ListenerState::kReadable);
    const Notification notification = container.listener().receive().value().value();
    kill(notification.tid.value, SIGUSR1);
    ASSERT_TRUE(eventually([&] { return page.signals > 0; }));
    const auto lister = PidnsLister::open(container.init()).value();
    const QuietCaller stale{notification.tid, QuietCall::kFork, &container.listener(),
                            notification.id};
    const FreezeReport report = freeze_all(*lister, Tid{1}, {&stale, 1});
    ASSERT_EQ(report.failure, FreezeFailure::kNone) << report.reason;
    EXPECT_EQ(report.quiet, 0U);
    EXPECT_EQ(report.held, 1U);
    const int signals = page.signals;
    usleep(5000);
    EXPECT_EQ(page.signals, signals);
    freeze.thaw();
    EXPECT_TRUE(drained());
    EXPECT_TRUE(eventually([&] { return page.signals > signals; }));
}

TEST_F(FreezeKernel, AVforkParentIsNotWaitedFor) {
    ForkedContainer container(NotifiedCalls::kNone, [this](const Inside& inside) {
        const pid_t worker = fork();
        if (worker == 0) {
            // NOLINTNEXTLINE(clang-analyzer-security.insecureAPI.vfork): it is what is tested
            const pid_t child = vfork();
            if (child == 0) {
                inside.say('v');  // NOLINT(clang-analyzer-unix.Vfork): one raw call each
                (void)inside.hear();
                _exit(0);
            }
            page.done = 1;
            _exit(0);
        }
        while (::wait(nullptr) > 0) {
        }
        return 0;
    });
    ASSERT_EQ(container.hear(), 'v');
    const auto lister = PidnsLister::open(container.init()).value();
    // The caller of the exec is the vfork child, its parent sleeps in the kernel.
    Tid caller;
    Tid parent;
    for (const ListedTask& task : all_of(*lister)) {
        if (state_of(task.tid.value) == 'D') {
            parent = task.tid;
        } else if (task.tid != container.init()) {
            caller = task.tid;
        }
    }
    ASSERT_NE(parent, Tid{});
    const FreezeReport report = freeze_all(*lister, caller);
    ASSERT_EQ(report.failure, FreezeFailure::kNone) << report.reason;
    EXPECT_EQ(report.in_kernel, std::vector<Tid>{parent});
    EXPECT_LT(report.took, 100ms);
    container.say('g');  // the child ends; its parent must stop before it runs
    ASSERT_TRUE(eventually([&] { return state_of(parent.value) == 't'; }));
    EXPECT_EQ(page.done, 0);
    freeze.thaw();
    EXPECT_TRUE(drained());
    EXPECT_EQ(container.wait_end(), 0);
    EXPECT_EQ(page.done, 1);
}

TEST_F(FreezeKernel, ATaskThatADebuggerHoldsIsAFailureThatNamesBoth) {
    ForkedContainer container(NotifiedCalls::kNone, [this](const Inside& inside) {
        const pid_t debugged = fork();
        if (debugged == 0) {
            WorkerArgument argument{&page, 0};
            work(&argument);
        }
        const pid_t debugger = fork();
        if (debugger == 0) {
            if (::ptrace(PTRACE_SEIZE, debugged, 0, 0) == 0) {
                inside.say('d');
            }
            pause();
        }
        return inside.hear();
    });
    ASSERT_EQ(container.hear(), 'd');
    const auto lister = PidnsLister::open(container.init()).value();
    const FreezeReport report = freeze_all(*lister, container.init());
    EXPECT_EQ(report.failure, FreezeFailure::kTracedByOther);
    EXPECT_EQ(tracer_of(report.culprit.value), report.other_tracer.value);
    EXPECT_NE(report.reason.find(std::to_string(report.culprit.value)), std::string::npos);
    EXPECT_FALSE(freeze.active());
    EXPECT_TRUE(drained());  // nobody stays behind
    const long before = total();
    EXPECT_TRUE(eventually([&] { return total() > before; }));
    container.say(0);
    EXPECT_EQ(container.wait_end(), 0);
}

TEST_F(FreezeKernel, ADeadlineThatHasPassedFailsAndReleasesAll) {
    ForkedContainer container(NotifiedCalls::kNone, [this](const Inside& inside) {
        return run_workers(page, inside, 300, 0, 0);
    });
    ASSERT_EQ(container.hear(), 't');
    const auto lister = PidnsLister::open(container.init()).value();
    const FreezeReport report = freeze_all(*lister, container.init(), {}, -1ms);
    EXPECT_EQ(report.failure, FreezeFailure::kDeadline);
    EXPECT_TRUE(drained());
    const long before = total();
    EXPECT_TRUE(eventually([&] { return total() > before; }));
}

TEST_F(FreezeKernel, AFrozenPeerThatIsKilledIsReapedSoThatItsParentsWaitReturns) {
    ForkedContainer container(NotifiedCalls::kNone, [this](const Inside& inside) {
        const pid_t peer = fork();
        if (peer == 0) {
            WorkerArgument argument{&page, 0};
            inside.say('r');
            work(&argument);
        }
        int status = 0;
        waitpid(peer, &status, 0);
        return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    });
    ASSERT_EQ(container.hear(), 'r');
    const auto lister = PidnsLister::open(container.init()).value();
    ASSERT_EQ(freeze_all(*lister, Tid{1}).failure, FreezeFailure::kNone);
    for (const ListedTask& task : all_of(*lister)) {
        if (task.tid != container.init()) {
            kill(task.tid.value, SIGKILL);
            ASSERT_TRUE(eventually([&] { return state_of(task.tid.value) == 'Z'; }));
        }
    }
    freeze.thaw();
    EXPECT_TRUE(drained());
    EXPECT_EQ(container.wait_end(), SIGKILL);
}

TEST_F(FreezeKernel, SignalsAndStopsOfTheFrozenAreKept) {
    static Page* shared = nullptr;
    shared = &page;
    ForkedContainer container(NotifiedCalls::kNone, [this](const Inside& inside) {
        (void)signal(SIGUSR1, [](int) { shared->signals.fetch_add(1); });
        return run_workers(page, inside, 0, 0, 8);
    });
    ASSERT_EQ(container.hear(), 't');
    const auto lister = PidnsLister::open(container.init()).value();
    std::vector<Tid> workers;
    for (const ListedTask& task : all_of(*lister)) {
        if (task.tid != container.init()) {
            workers.push_back(task.tid);
        }
    }
    ASSERT_EQ(workers.size(), 9U);
    kill(workers[0].value, SIGSTOP);
    ASSERT_TRUE(eventually([&] { return state_of(workers[0].value) == 'T'; }));
    // Some get their signal just as they are seized, some while they are frozen.
    for (std::size_t i = 1; i < 5; ++i) {
        kill(workers[i].value, SIGUSR1);
    }
    ASSERT_EQ(freeze_all(*lister, container.init()).failure, FreezeFailure::kNone);
    for (std::size_t i = 5; i < 9; ++i) {
        kill(workers[i].value, SIGUSR1);
    }
    freeze.thaw();
    EXPECT_TRUE(drained());
    EXPECT_TRUE(eventually([&] { return page.signals == 8; })) << page.signals;
    EXPECT_TRUE(eventually([&] { return state_of(workers[0].value) == 'T'; }));
    kill(workers[0].value, SIGCONT);
    EXPECT_TRUE(eventually([&] { return state_of(workers[0].value) != 'T'; }));
}

TEST_F(FreezeKernel, AnExecOfAThreadedProcessGetsItsSiblingsReaped) {
    page.pause = 20'000;
    ForkedContainer container(NotifiedCalls::kNone, [this](const Inside& inside) {
        static std::array<WorkerArgument, 300> arguments;
        for (int i = 0; i < 300; ++i) {
            arguments.at(static_cast<std::size_t>(i)) = {&page, i};
            start(work, &arguments.at(static_cast<std::size_t>(i)));
        }
        inside.say('t');
        (void)inside.hear();
        execl("/bin/true", "true", nullptr);
        return 1;
    });
    ASSERT_EQ(container.hear(), 't');
    const auto lister = PidnsLister::open(container.init()).value();
    ASSERT_EQ(tracer.seize(container.init(), {.exec = true, .exit_kill = true}).value().what,
              Seized::kNew);
    const FreezeReport report = freeze_all(*lister, container.init());
    ASSERT_EQ(report.failure, FreezeFailure::kNone) << report.reason;
    EXPECT_EQ(report.held, 300U);
    container.say('x');
    std::optional<Stop> stop;
    ASSERT_TRUE(eventually([&] {
        freeze.reap_siblings(Tgid{container.init().value});
        return (stop = tracer.waits().poll(container.init())).has_value();
    }));
    ASSERT_TRUE(std::holds_alternative<stop::Event>(*stop));
    EXPECT_EQ(std::get<stop::Event>(*stop).kind, stop::EventKind::kExec);
    freeze.thaw();
    EXPECT_EQ(tracer.release(container.init()).value(), Released::kDetached);
    EXPECT_TRUE(drained());
    EXPECT_EQ(container.wait_end(), 0);
}

TEST_F(FreezeKernel, AForkInFlightIsHeldAndFinishedAfterTheThaw) {
    ForkedContainer container(NotifiedCalls::kForks, [this](const Inside& inside) {
        inside.say('r');
        const long child = syscall(SYS_fork);
        if (child == 0) {
            page.made = 1;
            _exit(0);
        }
        int status = 0;
        waitpid(static_cast<pid_t>(child), &status, 0);
        page.done = 1;
        return inside.hear();
    });
    ASSERT_EQ(container.hear(), 'r');
    ForkTracking tracking(tracer, table, *procfs);
    ASSERT_EQ(container.listener().poll(10s).value(), ListenerState::kReadable);
    const Notification notification = container.listener().receive().value().value();
    tracking.on_notification(container.listener(), notification.id,
                             std::get<ForkCall>(decode_call(notification)), Clock::now());
    // The event is there, and nobody looks at it before the thaw.
    ASSERT_TRUE(eventually([&] { return state_of(container.init().value) == 't'; }));
    const auto lister = PidnsLister::open(container.init()).value();
    const FreezeReport report = freeze_all(*lister, Tid{1});
    ASSERT_EQ(report.failure, FreezeFailure::kNone) << report.reason;
    EXPECT_EQ(report.held, 2U);  // the caller and its child
    tracking.on_sigchld(Clock::now());
    tracking.on_deadline(Clock::now() + 1s);
    EXPECT_EQ(page.made, 0);
    EXPECT_EQ(tracking.counts().born, 0U);
    freeze.thaw();
    EXPECT_EQ(page.made, 0);  // it is the flow's to release
    tracking.on_sigchld(Clock::now());
    EXPECT_EQ(tracking.counts().born, 1U);
    EXPECT_TRUE(eventually([&] {
        tracking.on_sigchld(Clock::now());
        return page.done == 1;
    }));
    EXPECT_TRUE(drained());
    container.say(0);
    EXPECT_EQ(container.wait_end(), 0);
}

// The listings.

TEST_F(FreezeKernel, AllWaysOfListingAgree) {
    ForkedContainer container(NotifiedCalls::kNone, [this](const Inside& inside) {
        if (fork() == 0) {
            // A nested PID namespace with two processes in it.
            if (syscall(SYS_clone, CLONE_NEWPID | SIGCHLD, nullptr, nullptr, nullptr, nullptr) ==
                0) {
                (void)fork();
                pause();
            }
            pause();
        }
        return run_workers(page, inside, 20, 0, 5);
    });
    ASSERT_EQ(container.hear(), 't');
    const auto lister = PidnsLister::open(container.init()).value();
    ASSERT_EQ(lister->way(), ListingWay::kOwnProcfs) << "needs Linux 6.11";
    const auto numbers = [](const std::vector<ListedTask>& tasks) {
        std::set<std::pair<pid_t, pid_t>> found;
        for (const ListedTask& task : tasks) {
            found.insert({task.process.value, task.tid.value});
        }
        return found;
    };
    // init, 5 processes, a leader with 20 threads, the outer and the two nested ones
    ASSERT_TRUE(eventually([&] { return all_of(*lister).size() == 30; }));
    const auto own = numbers(all_of(*lister));
    std::map<pid_t, std::optional<pid_t>> inside;
    for (const auto& [process, tid] : own) {
        EXPECT_NE(state_of(tid), '\0');
        inside[tid] = lister->number_of(Tid{tid});
    }
    EXPECT_EQ(inside.at(container.init().value), 1);
    EXPECT_EQ(lister->number_of(Tid{getpid()}), std::nullopt);
    lister->use(ListingWay::kScan);
    EXPECT_EQ(numbers(all_of(*lister)), own);
    for (const auto& [tid, number] : inside) {
        EXPECT_EQ(lister->number_of(Tid{tid}), number) << tid;
    }
}

TEST_F(FreezeKernel, BothWaysToTheProcfsOfANamespaceShowTheSame) {
    ForkedContainer container(NotifiedCalls::kNone, [this](const Inside& inside) {
        return run_workers(page, inside, 0, 0, 3);
    });
    ASSERT_EQ(container.hear(), 't');
    PidNamespace helped = PidNamespace::open(container.init(), ProcMount::kByHelper).value();
    NumberDirectory directory;
    std::vector<pid_t> by_helper;
    ASSERT_TRUE(directory.list(helped.procfs(), ".", by_helper).value());
    EXPECT_EQ(by_helper.size(), 5U);
    EXPECT_EQ(by_helper.front(), 1);
    EXPECT_EQ(helped.translate(1), container.init());
    EXPECT_EQ(helped.translate(30000), std::nullopt);
    auto optioned = PidNamespace::open(container.init(), ProcMount::kByOption);
    if (!optioned) {
        GTEST_SKIP() << "needs Linux 6.17: procfs option pidns";
    }
    std::vector<pid_t> by_option;
    ASSERT_TRUE(directory.list(optioned->procfs(), ".", by_option).value());
    EXPECT_EQ(by_option, by_helper);
}

// A cgroup of the test's own, v1 (pids) or v2; removed at the end.
class TestCgroup {
  public:
    TestCgroup() {
        for (const char* root : {"/sys/fs/cgroup/pids", "/sys/fs/cgroup"}) {
            path_ = std::string(root) + "/tracer-test-" + std::to_string(getpid());
            if (mkdir(path_.c_str(), 0755) == 0) {
                if (access((path_ + "/cgroup.procs").c_str(), W_OK) == 0 &&
                    mkdir((path_ + "/inner").c_str(), 0755) == 0) {
                    return;
                }
                (void)rmdir(path_.c_str());
            }
        }
        path_.clear();
    }
    TestCgroup(const TestCgroup&) = delete;
    TestCgroup& operator=(const TestCgroup&) = delete;
    TestCgroup(TestCgroup&&) = delete;
    TestCgroup& operator=(TestCgroup&&) = delete;
    ~TestCgroup() {
        (void)eventually([this] { return rmdir((path_ + "/inner").c_str()) == 0; });
        (void)eventually([this] { return rmdir(path_.c_str()) == 0; });
    }
    [[nodiscard]] bool exists() const { return !path_.empty(); }
    [[nodiscard]] bool move_in(pid_t pid, const char* below = "") const {
        FILE* file = fopen((path_ + below + "/cgroup.procs").c_str(), "we");
        if (file == nullptr) {
            return false;
        }
        const bool written = fprintf(file, "%d\n", pid) > 0;
        return fclose(file) == 0 && written;
    }

  private:
    std::string path_;
};

TEST_F(FreezeKernel, ADomainOfOurOwnNamespaceIsItsCgroupWithAllBelowIt) {
    const TestCgroup cgroup;
    if (!cgroup.exists()) {
        GTEST_SKIP() << "needs a writable cgroup hierarchy";
    }
    ForkedContainer container(
        NotifiedCalls::kNone,
        [this](const Inside& inside) {
            (void)inside.hear();  // in its cgroup by now
            return run_workers(page, inside, 10, 2, 3);
        },
        test::PidNamespace::kShared);
    ASSERT_TRUE(cgroup.move_in(container.init().value));
    container.say('c');
    ASSERT_EQ(container.hear(), 't');
    const auto domain = Domain::open(container.init(), "", *procfs, table);
    ASSERT_TRUE(domain.has_value()) << domain.error().text();
    EXPECT_EQ((*domain)->name().rfind("cgroup /", 0), 0U) << (*domain)->name();
    std::vector<ListedTask> tasks;
    ASSERT_TRUE((*domain)->list(tasks).has_value());
    EXPECT_EQ(tasks.size(), 5U) << "processes";
    EXPECT_GE(all_of(**domain).size(), 17U) << "with their threads";
    // One of the workers goes to a group below.
    for (const ListedTask& task : tasks) {
        const auto status = procfs->status(task.tid).value();
        if (status && task.tid != container.init() && status->tgid.value == task.tid.value) {
            ASSERT_TRUE(cgroup.move_in(task.tid.value, "/inner"));
            break;
        }
    }
    const FreezeReport report = freeze_all(**domain, container.init());
    ASSERT_EQ(report.failure, FreezeFailure::kNone) << report.reason;
    EXPECT_GE(report.held, 16U);  // 3 processes, a leader, 10 workers, 2 that churn
    const long before = total();
    const long made = page.made;
    usleep(5000);
    EXPECT_EQ(total(), before);
    EXPECT_EQ(page.made, made);
    freeze.thaw();
    EXPECT_TRUE(drained());
    EXPECT_TRUE(eventually([&] { return total() > before; }));
    // Nothing of it has a namespace that would end it.
    for (const ListedTask& task : tasks) {
        if (task.tid != container.init()) {
            kill(task.tid.value, SIGKILL);
        }
    }
}

TEST_F(FreezeKernel, ADomainLeavesOutWhoIsInItsNamespaceAndNotInItsCgroup) {
    const TestCgroup cgroup;
    if (!cgroup.exists()) {
        GTEST_SKIP() << "needs a writable cgroup hierarchy";
    }
    ForkedContainer container(NotifiedCalls::kNone, [this](const Inside& inside) {
        (void)inside.hear();  // in its cgroup by now
        return run_workers(page, inside, 0, 0, 3);
    });
    ASSERT_TRUE(cgroup.move_in(container.init().value, "/inner"));
    container.say('c');
    ASSERT_EQ(container.hear(), 't');
    const auto first = Domain::open(container.init(), "", *procfs, table).value();
    const auto processes_of = [&](Domain& domain) {
        std::vector<Tgid> processes;
        for (const ListedTask& task : all_of(domain)) {
            processes.push_back(task.process);
        }
        return processes;
    };
    const std::vector<Tgid> all = processes_of(*first);
    ASSERT_GE(all.size(), 4U);
    EXPECT_FALSE(first->shares());
    const Tgid other = all.back();
    ASSERT_NE(other.value, container.init().value);
    ASSERT_TRUE(cgroup.move_in(other.value));
    const auto domain = Domain::open(container.init(), "", *procfs, table).value();
    std::vector<Tgid> own = processes_of(*domain);
    EXPECT_TRUE(domain->shares());
    EXPECT_TRUE(domain->name().starts_with("cgroup /")) << domain->name();
    EXPECT_EQ(own.size(), all.size() - 1);
    EXPECT_EQ(std::count(own.begin(), own.end(), other), 0);

    const FreezeReport report = freeze_all(*domain, container.init());
    ASSERT_EQ(report.failure, FreezeFailure::kNone) << report.reason;
    EXPECT_EQ(tracer_of(other.value), 0);
    EXPECT_NE(tracer_of(own.back().value), 0) << "the control";
    freeze.thaw();
    EXPECT_TRUE(drained());
    // Who was born of its tasks is its own wherever it goes.
    ASSERT_TRUE(table.add(other, TaskOrigin::kForkEvent, std::chrono::steady_clock::now()));
    own = processes_of(*domain);
    EXPECT_EQ(std::count(own.begin(), own.end(), other), 1);
    EXPECT_FALSE(domain->shares());
    // The one that knew it before asks again after a while.
    table.remove(other);
    EXPECT_TRUE(eventually([&] {
        own = processes_of(*first);
        return std::count(own.begin(), own.end(), other) == 0;
    }));
}

}  // namespace
}  // namespace execseal
