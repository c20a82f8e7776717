#include "hook/tasks/tracer.h"

#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <thread>

#include "hook/os/bounded_call.h"
#include "hook/tasks/notified_restart.h"
#include "tests/kernel/forked_container.h"

namespace execseal {
namespace {

using test::eventually;
using test::ForkedContainer;
using test::Inside;
using test::NotifiedCalls;
using test::state_of;
using test::tracer_of;

struct Page {
    std::atomic<int> parent{0};
    std::atomic<int> child{0};
    std::atomic<int> signals{0};
};

// The container's first process has forked; this finds its child from outside.
Tid child_of(Tid parent) {
    Tid child;
    EXPECT_TRUE(eventually([&] {
        const std::string path = "/proc/" + std::to_string(parent.value) + "/task/" +
                                 std::to_string(parent.value) + "/children";
        FILE* file = fopen(path.c_str(), "re");
        const bool found = file != nullptr && fscanf(file, "%d", &child.value) == 1;
        if (file != nullptr) {
            (void)fclose(file);
        }
        return found;
    }));
    return child;
}

class TracerKernel : public ::testing::Test {
  protected:
    std::optional<Stop> wait_stop(Tid tid) {
        std::optional<Stop> stop;
        EXPECT_TRUE(eventually([&] { return (stop = tracer.waits().poll(tid)).has_value(); }));
        return stop;
    }
    template <class T>
    T expect_stop(Tid tid) {
        const std::optional<Stop> stop = wait_stop(tid);
        EXPECT_TRUE(stop && std::holds_alternative<T>(*stop))
            << (stop ? static_cast<int>(stop->index()) : -1);
        return stop && std::holds_alternative<T>(*stop) ? std::get<T>(*stop) : T{};
    }
    Seized seize(Tid tid, const PtraceOptions& options = {}) {
        return tracer.seize(tid, options).value().what;
    }
    std::unique_ptr<Ptrace> ptrace = real_ptrace();
    std::unique_ptr<TraceeWait> wait = real_tracee_wait();
    std::unique_ptr<Procfs> procfs = open_procfs().value();
    Tracer tracer{*ptrace, *wait, *procfs, restart_notified_calls(*ptrace)};
    Page& page = test::shared_page<Page>();
};

// A process (not the init of its namespace, whose default for a signal is to ignore it) that says
// 'r' and then counts until it is killed.
void spin(Page& page, const Inside& inside) {
    inside.say('r');
    while (true) {
        page.child.fetch_add(1);
        usleep(100);
    }
}

int run_one_child(Page& page, const Inside& inside) {
    const pid_t child = fork();
    if (child == 0) {
        spin(page, inside);
    }
    int status = 0;
    waitpid(child, &status, 0);
    inside.say('e');
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

// A container whose first process has a child that spins.
class SpinningChild : public ForkedContainer {
  public:
    explicit SpinningChild(Page& page)
        : ForkedContainer(NotifiedCalls::kNone,
                          [&page](const Inside& inside) { return run_one_child(page, inside); }) {
        EXPECT_EQ(hear(), 'r');
        child_ = child_of(init());
    }
    [[nodiscard]] Tid child() const { return child_; }

  private:
    Tid child_;
};

TEST_F(TracerKernel, AnInterruptedTaskStandsStillUntilItIsReleased) {
    SpinningChild container(page);
    const Tid child = container.child();
    ASSERT_EQ(seize(child), Seized::kNew);
    EXPECT_EQ(seize(child), Seized::kAlready);
    ASSERT_TRUE(tracer.interrupt(child).has_value());
    (void)expect_stop<stop::Trap>(child);
    EXPECT_FALSE(tracer.waits().poll(child).has_value());  // a stop is given once
    const int before = page.child;
    usleep(20'000);
    EXPECT_EQ(page.child, before);
    EXPECT_EQ(tracer.release(child).value(), Released::kDetached);
    EXPECT_TRUE(eventually([&] { return page.child > before; }));
    EXPECT_EQ(tracer.attached(), 0U);
}

TEST_F(TracerKernel, ReleaseDeliversTheSignalThatTheStopOwes) {
    static Page* shared = nullptr;
    shared = &page;
    ForkedContainer container(NotifiedCalls::kNone, [this](const Inside& inside) {
        (void)signal(SIGUSR1, [](int) { shared->signals.fetch_add(1); });
        return run_one_child(page, inside);
    });
    ASSERT_EQ(container.hear(), 'r');
    const Tid child = child_of(container.init());
    ASSERT_EQ(seize(child), Seized::kNew);
    kill(child.value, SIGUSR1);
    EXPECT_EQ(expect_stop<stop::Signal>(child).signal, SIGUSR1);
    EXPECT_EQ(page.signals, 0);
    EXPECT_EQ(tracer.release(child).value(), Released::kDetached);
    EXPECT_TRUE(eventually([&] { return page.signals == 1; }));
}

TEST_F(TracerKernel, AStoppedTaskStaysStoppedAfterTheReleaseAndContinuesLater) {
    SpinningChild container(page);
    const Tid child = container.child();
    kill(child.value, SIGSTOP);
    ASSERT_TRUE(eventually([&] { return state_of(child.value) == 'T'; }));
    ASSERT_EQ(seize(child), Seized::kNew);
    ASSERT_TRUE(tracer.interrupt(child).has_value());
    EXPECT_EQ(expect_stop<stop::Group>(child).signal, SIGSTOP);
    EXPECT_EQ(tracer.release(child).value(), Released::kDetached);
    ASSERT_TRUE(eventually([&] { return state_of(child.value) == 'T'; }));
    const int before = page.child;
    kill(child.value, SIGCONT);
    EXPECT_TRUE(eventually([&] { return page.child > before; }));
}

TEST_F(TracerKernel, AStopSignalOnItsWayStopsTheTaskAfterTheRelease) {
    SpinningChild container(page);
    const Tid child = container.child();
    ASSERT_EQ(seize(child), Seized::kNew);
    kill(child.value, SIGSTOP);
    EXPECT_EQ(expect_stop<stop::Signal>(child).signal, SIGSTOP);
    EXPECT_EQ(tracer.release(child).value(), Released::kDetached);
    ASSERT_TRUE(eventually([&] { return state_of(child.value) == 'T'; }));
    const int before = page.child;
    kill(child.value, SIGCONT);
    EXPECT_TRUE(eventually([&] { return page.child > before; }));
}

TEST_F(TracerKernel, ASigcontDuringTheStopIsNotLost) {
    SpinningChild container(page);
    const Tid child = container.child();
    kill(child.value, SIGSTOP);
    ASSERT_TRUE(eventually([&] { return state_of(child.value) == 'T'; }));
    ASSERT_EQ(seize(child), Seized::kNew);
    EXPECT_EQ(expect_stop<stop::Group>(child).signal, SIGSTOP);
    const int before = page.child;
    kill(child.value, SIGCONT);
    EXPECT_EQ(tracer.release(child).value(), Released::kDetached);
    EXPECT_TRUE(eventually([&] { return page.child > before; }));
}

TEST_F(TracerKernel, ATaskKilledInItsStopIsReapedSoThatItsParentLearnsOfIt) {
    SpinningChild container(page);
    const Tid child = container.child();
    ASSERT_EQ(seize(child), Seized::kNew);
    ASSERT_TRUE(tracer.interrupt(child).has_value());
    (void)expect_stop<stop::Trap>(child);
    kill(child.value, SIGKILL);
    ASSERT_TRUE(eventually([&] { return state_of(child.value) == 'Z'; }));
    EXPECT_FALSE(container.has_word());  // the parent waits as long as we have not reaped
    EXPECT_NE(tracer.release(child).value(), Released::kDetached);
    EXPECT_TRUE(eventually([&] {
        tracer.reap_leaving();
        return !tracer.is_attached(child);
    }));
    EXPECT_EQ(container.hear(), 'e');
    EXPECT_EQ(container.wait_end(), SIGKILL);
}

TEST_F(TracerKernel, AReleaseBeforeTheStopHappensWhenItStops) {
    SpinningChild container(page);
    const Tid child = container.child();
    ASSERT_EQ(seize(child), Seized::kNew);
    ASSERT_TRUE(tracer.release_when_stopped(child, Interrupt::kYes).has_value());
    EXPECT_TRUE(eventually([&] {
        tracer.reap_leaving();
        return !tracer.is_attached(child);
    }));
    EXPECT_EQ(tracer_of(child.value), 0);
}

TEST_F(TracerKernel, SeizeTellsZombieGoneAndTracedByOtherApart) {
    ForkedContainer container(NotifiedCalls::kNone, [this](const Inside& inside) {
        const pid_t zombie = fork();
        if (zombie == 0) {
            _exit(0);
        }
        siginfo_t info{};
        (void)waitid(P_PID, static_cast<id_t>(zombie), &info, WEXITED | WNOWAIT);
        const pid_t debugged = fork();
        if (debugged == 0) {
            spin(page, inside);
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
    EXPECT_EQ(container.hear() ^ container.hear(), 'r' ^ 'd');
    const std::string path = "/proc/" + std::to_string(container.init().value) + "/task/" +
                             std::to_string(container.init().value) + "/children";
    int zombie = 0;
    int debugged = 0;
    int debugger = 0;
    FILE* file = fopen(path.c_str(), "re");
    ASSERT_NE(file, nullptr);
    ASSERT_EQ(fscanf(file, "%d %d %d", &zombie, &debugged, &debugger), 3);
    (void)fclose(file);
    EXPECT_EQ(seize(Tid{zombie}), Seized::kZombie);
    const SeizeOutcome traced = tracer.seize(Tid{debugged}, {}).value();
    EXPECT_EQ(traced.what, Seized::kTracedByOther);
    EXPECT_EQ(traced.other_tracer, Tid{debugger});
    EXPECT_EQ(seize(Tid{0x3FFFFFFF}), Seized::kGone);
    EXPECT_EQ(seize(Tid{2}), Seized::kRefused);  // kthreadd; or a process that we may not trace
    container.say(0);
    EXPECT_EQ(container.wait_end(), 0);
}

// An exec that cannot end: another thread of its process has a tracer that does not reap it
// (de_thread(), fs/exec.c). Says 'e' when the exec is on its way, and ends the tracer on demand.
int run_stuck_exec(Page& page, const Inside& inside) {
    const pid_t victim = fork();
    if (victim == 0) {
        pthread_t other{};
        (void)pthread_create(
            &other, nullptr,
            [](void* shared) -> void* {
                static_cast<Page*>(shared)->child = static_cast<int>(syscall(SYS_gettid));
                while (true) {
                    pause();
                }
            },
            &page);
        while (page.parent == 0) {
            usleep(100);
        }
        execl("/bin/true", "true", nullptr);
        _exit(3);
    }
    const pid_t tracer = fork();
    if (tracer == 0) {
        while (page.child == 0) {
            usleep(100);
        }
        if (::ptrace(PTRACE_SEIZE, page.child.load(), 0, PTRACE_O_TRACEEXIT) == 0) {
            page.parent = victim;
        }
        siginfo_t info{};  // the thread stands at its end: the exec waits for it
        if (waitid(P_PID, static_cast<id_t>(page.child), &info, WSTOPPED | WNOWAIT | __WALL) == 0) {
            inside.say('e');
        }
        while (true) {
            pause();
        }
    }
    (void)inside.hear();
    (void)kill(tracer, SIGKILL);
    int status = 0;
    (void)waitpid(tracer, &status, 0);
    (void)waitpid(victim, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 90;
}

TEST_F(TracerKernel, ASeizeDoesNotWaitForAnExecThatCannotEnd) {
    ForkedContainer container(NotifiedCalls::kNone, [this](const Inside& inside) {
        return run_stuck_exec(page, inside);
    });
    ASSERT_EQ(container.hear(), 'e');
    const Tid victim = child_of(container.init());
    EXPECT_EQ(seize(victim), Seized::kExecuting);
    EXPECT_EQ(tracer.attached(), 0U);
    EXPECT_EQ(tracer_of(victim.value), 0);
    // A timer that fires anywhere, before the call too, ends it.
    BoundedCall bounded;
    for (int i = 0; i < 2000; ++i) {
        const auto seized = bounded.call(SYS_ptrace, {PTRACE_SEIZE, victim.value, 0, 0},
                                         std::chrono::microseconds(1 + i % 40));
        ASSERT_TRUE(seized.has_value());
        ASSERT_FALSE(seized->has_value()) << i << ": " << **seized;
    }
    container.say('g');
    EXPECT_EQ(container.wait_end(), 0);  // the exec was not disturbed
}

// The control: what need not wait is done, and an error is the kernel's.
TEST_F(TracerKernel, ABoundedCallGivesTheKernelsOwnResult) {
    BoundedCall bounded;
    EXPECT_EQ(bounded.call(SYS_getppid, {}, std::chrono::seconds(10)).value(), getppid());
    EXPECT_EQ(bounded.call(SYS_close, {-1}, std::chrono::seconds(10)).value(), -EBADF);
    EXPECT_EQ(bounded.call(SYS_pause, {}, std::chrono::milliseconds(1)).value(), std::nullopt);
}

int fork_on_demand(Page& page, const Inside& inside) {
    const pid_t worker = fork();
    if (worker == 0) {
        inside.say('r');
        (void)inside.hear();
        page.parent = 1;
        if (syscall(SYS_fork) == 0) {
            page.child = 1;
            _exit(0);
        }
        page.parent = 2;
        int status = 0;
        (void)wait(&status);
        _exit(0);
    }
    int status = 0;
    while (wait(&status) > 0) {
    }
    inside.say('e');
    return 0;
}

TEST_F(TracerKernel, AChildIsBornAttachedAndHasNotRun) {
    ForkedContainer container(NotifiedCalls::kNone, [this](const Inside& inside) {
        return fork_on_demand(page, inside);
    });
    ASSERT_EQ(container.hear(), 'r');
    const Tid worker = child_of(container.init());
    ASSERT_EQ(seize(worker, {.births = true}), Seized::kNew);
    container.say('g');
    const auto event = expect_stop<stop::Event>(worker);
    ASSERT_EQ(event.kind, stop::EventKind::kFork);
    const Tid child{static_cast<pid_t>(event.message)};
    EXPECT_TRUE(tracer.is_attached(child));
    (void)expect_stop<stop::Trap>(child);
    EXPECT_EQ(page.parent, 1);
    EXPECT_EQ(page.child, 0);
    EXPECT_EQ(tracer.release(child).value(), Released::kDetached);
    EXPECT_TRUE(eventually([&] { return page.child == 1; }));
    EXPECT_EQ(page.parent, 1);
    EXPECT_EQ(tracer.release(worker).value(), Released::kDetached);
    EXPECT_EQ(container.hear(), 'e');
}

TEST_F(TracerKernel, AChildWhoseCreatorDiesUntoldIsFoundBeforeItRuns) {
    ForkedContainer container(NotifiedCalls::kNone, [this](const Inside& inside) {
        return fork_on_demand(page, inside);
    });
    ASSERT_EQ(container.hear(), 'r');
    const Tid worker = child_of(container.init());
    ASSERT_EQ(seize(worker, {.births = true}), Seized::kNew);
    container.say('g');
    // In its event stop, of which we have not heard: there the child exists already.
    ASSERT_TRUE(eventually([&] { return state_of(worker.value) == 't'; }));
    kill(worker.value, SIGKILL);
    EXPECT_TRUE(is_end(*wait_stop(worker)));
    EXPECT_TRUE(tracer.waits().may_have_strays());
    std::vector<Tid> strays;
    ASSERT_TRUE(eventually([&] {
        tracer.waits().sweep();
        strays = tracer.waits().take_strays();
        return !strays.empty();
    }));
    ASSERT_EQ(strays.size(), 1U);
    EXPECT_EQ(page.child, 0);
    EXPECT_EQ(tracer.release(strays.front()).value(), Released::kDetached);
    EXPECT_TRUE(eventually([&] { return page.child == 1; }));
    EXPECT_EQ(container.hear(), 'e');
    tracer.waits().sweep();
    EXPECT_FALSE(tracer.waits().may_have_strays());  // no tracee is left, so there is no stray
}

TEST_F(TracerKernel, AnExecFromAThreadGoesOnUnderTheLeadersNumber) {
    ForkedContainer container(NotifiedCalls::kNone, [this](const Inside& inside) {
        page.parent = getpid();
        std::thread thread([&] {
            page.child = static_cast<int>(syscall(SYS_gettid));
            inside.say('r');
            (void)inside.hear();
            execl("/bin/true", "true", nullptr);
        });
        thread.join();
        return 1;
    });
    ASSERT_EQ(container.hear(), 'r');
    const Tgid process{container.init().value};
    // Numbers inside are those of the container; the thread is the only other task.
    Tid thread;
    const std::string path = "/proc/" + std::to_string(process.value) + "/task";
    FILE* listing = popen(("ls " + path).c_str(), "re");
    for (int tid = 0; fscanf(listing, "%d", &tid) == 1;) {
        if (tid != process.value) {
            thread = Tid{tid};
        }
    }
    (void)pclose(listing);
    ASSERT_EQ(seize(thread, {.exec = true, .exit_kill = true}), Seized::kNew);
    const std::uint64_t serial = tracer.serial(thread);
    container.say('g');
    std::optional<Stop> stop;
    ASSERT_TRUE(
        eventually([&] { return (stop = tracer.waits().poll_exec(thread, process)).has_value(); }));
    const auto* event = std::get_if<stop::Event>(&*stop);
    ASSERT_NE(event, nullptr);
    EXPECT_EQ(event->kind, stop::EventKind::kExec);
    EXPECT_EQ(event->message, static_cast<std::uint64_t>(thread.value));
    EXPECT_FALSE(tracer.is_attached(thread));
    EXPECT_NE(serial, 0U);
    ASSERT_TRUE(tracer.is_stopped(Tid{process.value}));
    EXPECT_EQ(tracer.release(Tid{process.value}).value(), Released::kDetached);
    EXPECT_EQ(container.wait_end(), 0);
}

// A call that a signal with a handler, but without SA_RESTART, ends while its caller is attached.
struct Interrupted {
    const char* name;
    long call;
    bool notified;
    bool resumed;  // it goes on attached; else it is released
};

// NOLINTNEXTLINE(readability-identifier-naming): the name that GoogleTest looks for
void PrintTo(const Interrupted& interrupted, std::ostream* out) {
    *out << interrupted.name;
}

class TracerRestart : public TracerKernel, public testing::WithParamInterface<Interrupted> {
  protected:
    // `parent` is what the call returned.
    int make_the_call(const Inside& inside) {
        static Page* shared = nullptr;
        shared = &page;
        struct sigaction action {};
        action.sa_handler = [](int) { shared->signals.fetch_add(1); };
        (void)sigaction(SIGUSR1, &action, nullptr);
        inside.say('r');
        char byte = 0;
        const long result = GetParam().call == SYS_read
                                ? syscall(SYS_read, inside.socket(), &byte, 1)
                                : syscall(GetParam().call, nullptr, nullptr, nullptr);
        page.parent = result < 0 ? -errno : 1;
        return 0;
    }
    // The caller waits in its call: in the notify queue, or in the read.
    Tid caller_in_call(ForkedContainer& container, NotifyId& id) {
        if (!GetParam().notified) {
            EXPECT_TRUE(eventually([&] { return state_of(container.init().value) == 'S'; }));
            return container.init();
        }
        EXPECT_EQ(container.listener().poll(std::chrono::seconds(10)).value(),
                  ListenerState::kReadable);
        const Notification notification = container.listener().receive().value().value();
        id = notification.id;
        return notification.tid;
    }
};

TEST_P(TracerRestart, OnlyANotifiedCallStartsAgainAfterTheHandler) {
    ForkedContainer container(NotifiedCalls::kForksAndExecs,
                              [this](const Inside& inside) { return make_the_call(inside); });
    ASSERT_EQ(container.hear(), 'r');
    NotifyId first;
    const Tid caller = caller_in_call(container, first);
    ASSERT_EQ(seize(caller), Seized::kNew);
    kill(caller.value, SIGUSR1);
    EXPECT_EQ(expect_stop<stop::Signal>(caller).signal, SIGUSR1);
    EXPECT_EQ(page.signals, 0);
    if (GetParam().resumed) {
        ASSERT_TRUE(tracer.resume(caller).has_value());
    } else {
        ASSERT_EQ(tracer.release(caller).value(), Released::kDetached);
    }
    if (GetParam().notified) {
        NotifyId second;
        ASSERT_EQ(caller_in_call(container, second), caller);
        EXPECT_NE(second, first);
        EXPECT_EQ(page.signals, 1);
        EXPECT_EQ(page.parent, 0);  // it has not returned
        EXPECT_EQ(container.listener().answer(second, Answer::fail(EAGAIN)).value(),
                  NotifyReach::kDone);
    }
    EXPECT_TRUE(eventually([&] { return page.parent != 0; }));
    EXPECT_EQ(page.parent, GetParam().notified ? -EAGAIN : -EINTR);
    EXPECT_EQ(page.signals, 1);
    if (GetParam().resumed) {
        ASSERT_TRUE(is_end(*wait_stop(caller)));
    } else {
        EXPECT_EQ(container.wait_end(), 0);
    }
}

INSTANTIATE_TEST_SUITE_P(Calls, TracerRestart,
                         testing::Values(Interrupted{"fork_released", SYS_fork, true, false},
                                         Interrupted{"fork_resumed", SYS_fork, true, true},
                                         Interrupted{"execve_released", SYS_execve, true, false},
                                         Interrupted{"execve_resumed", SYS_execve, true, true},
                                         Interrupted{"read_released", SYS_read, false, false},
                                         Interrupted{"read_resumed", SYS_read, false, true}),
                         [](const auto& call) { return std::string(call.param.name); });

TEST_F(TracerKernel, AHeldTaskTellsItsOwnerNothing) {
    SpinningChild container(page);
    const Tid child = container.child();
    ASSERT_EQ(seize(child), Seized::kNew);
    tracer.waits().hold(child);
    ASSERT_TRUE(tracer.interrupt(child).has_value());
    ASSERT_TRUE(tracer.waits().arm(std::chrono::milliseconds(10)).has_value());
    while (tracer.waits().await(child) == Awaited::kTick) {
    }
    tracer.waits().disarm();
    EXPECT_TRUE(tracer.is_stopped(child));
    EXPECT_FALSE(tracer.waits().poll(child).has_value());
    tracer.waits().unhold(child);
    (void)expect_stop<stop::Trap>(child);
    EXPECT_EQ(tracer.release(child).value(), Released::kDetached);
}

TEST_F(TracerKernel, AWaitForATaskThatDoesNotStopTicks) {
    SpinningChild container(page);
    const Tid child = container.child();
    ASSERT_EQ(seize(child), Seized::kNew);
    ASSERT_TRUE(tracer.waits().arm(std::chrono::milliseconds(1)).has_value());
    EXPECT_EQ(tracer.waits().await(child), Awaited::kTick);
    EXPECT_EQ(tracer.waits().await(child), Awaited::kTick);  // it ticks again
    ASSERT_TRUE(tracer.interrupt(child).has_value());
    Awaited awaited = Awaited::kTick;
    while (awaited == Awaited::kTick) {
        awaited = tracer.waits().await(child);
    }
    tracer.waits().disarm();
    EXPECT_EQ(awaited, Awaited::kStopped);
    EXPECT_EQ(tracer.release(child).value(), Released::kDetached);
}

TEST_F(TracerKernel, OrdinaryChildrenOfOursAreNotReapedByASweep) {
    const pid_t helper = fork();
    if (helper == 0) {
        _exit(5);
    }
    ASSERT_TRUE(eventually([&] { return state_of(helper) == 'Z'; }));
    tracer.waits().sweep();
    int status = 0;
    ASSERT_EQ(waitpid(helper, &status, 0), helper);
    EXPECT_EQ(WEXITSTATUS(status), 5);
}

TEST(TracerKernelDeathTest, IsForOneThreadOnly) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    EXPECT_DEATH(
        {
            const auto ptrace = real_ptrace();
            const auto wait = real_tracee_wait();
            const auto procfs = open_procfs().value();
            Tracer tracer(*ptrace, *wait, *procfs, restart_notified_calls(*ptrace));
            std::thread([&] { (void)tracer.waits().poll(Tid{1}); }).join();
        },
        "broken invariant");
}

}  // namespace
}  // namespace execseal
