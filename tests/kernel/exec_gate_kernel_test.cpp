// The gate alone, without a supervisor's loop around it, so that a test decides what happens first.
#include "hook/gate/exec_gate.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "hook/exec/notified_call.h"
#include "hook/gate/ptrace_binding.h"
#include "hook/tasks/freeze.h"
#include "hook/tasks/notified_restart.h"
#include "hook/tasks/pidns_lister.h"
#include "hook/tasks/supervisors.h"
#include "tests/kernel/fork_supervisor.h"
#include "tests/kernel/other_supervisor.h"
#include "tests/scratch_folder.h"

namespace execseal {
namespace {

using namespace std::chrono_literals;
using test::eventually;
using test::ForkedContainer;
using test::Inside;
using test::NotifiedCalls;
using test::state_of;
using Clock = ExecGate::Clock;

// Verification alone, for everything: the rule makes argv something that has to be bound.
Policy policy_with(const std::string& freeze, const std::string& verify = "true") {
    return Policy::parse(R"({
        "apiVersion": "execseal/v1", "name": "gate", "default": "allow",
        "protect": {"freeze": ")" +
                             freeze + R"(", "verify": )" + verify + R"(},
        "rules": [{"id": "evil", "verdict": "deny", "argv": {"contains": ["evil"]}}]})",
                         "policy")
        .value();
}

// Says by one byte on descriptor 100, the container's socket, that it runs.
constexpr const char* kWitness = EXECSEAL_TARGETS_DIR "/witness";

// The real waits, but of chosen tasks it says that they are nobody's tracees.
class ForgetfulWait final : public TraceeWait {
  public:
    std::set<Tid> forgotten;

    Result<std::optional<Stop>> try_wait(Tid tid) override {
        if (forgotten.contains(tid)) {
            return std::optional<Stop>(stop::Gone{});
        }
        return real_->try_wait(tid);
    }
    Result<AnyNews> try_wait_any() override { return real_->try_wait_any(); }
    Result<std::optional<Stop>> wait(Tid tid) override { return real_->wait(tid); }
    Result<> arm(std::chrono::microseconds slice) override { return real_->arm(slice); }
    void disarm() override { real_->disarm(); }

  private:
    std::unique_ptr<TraceeWait> real_ = real_tracee_wait();
};

// A reader process that stands still: the first read of an exec then takes as long as the test
// wants.
class HeldReader {
  public:
    HeldReader() : pid_(find()) {
        EXPECT_NE(pid_, 0);
        (void)::kill(pid_, SIGSTOP);
        EXPECT_TRUE(eventually([&] { return state_of(pid_) == 'T'; }));
    }
    void let_go() const { (void)::kill(pid_, SIGCONT); }
    // Its reply is there, for whoever runs the loop.
    void wait_until_idle() const {
        EXPECT_TRUE(eventually([&] { return state_of(pid_) == 'S'; }));
    }

  private:
    // The one that was started last; its name comes a little later.
    static pid_t find() {
        pid_t found = 0;
        EXPECT_TRUE(eventually([&] {
            const std::string self = std::to_string(::getpid());
            std::ifstream children("/proc/self/task/" + self + "/children");
            for (pid_t child = 0; children >> child;) {
                found = child;  // the youngest is the last
            }
            std::string name;
            std::ifstream("/proc/" + std::to_string(found) + "/comm") >> name;
            return name == "execseal-reader";
        }));
        return found;
    }

    pid_t pid_;
};

class ExecGateKernel : public ::testing::Test {
  protected:
    // Anew for each container.
    void serve(ForkedContainer& container) { serve(container, policy); }
    void serve(ForkedContainer& container, const Policy& judged_by) {
        serve(container, judged_by, plan);
    }
    void serve(ForkedContainer& container, const Policy& judged_by, const Plan& planned) {
        if (gate) {
            turns->forget(session);
            gate.reset();
        }
        turns = std::make_unique<Turns>(forks);
        gate = std::make_unique<ExecGate>(GateContext{loop, planned, settings, judged_by, nullptr,
                                                      binder, freeze, table, forks, *turns, audit});
        const int copy = ::fcntl(container.listener().fd(), F_DUPFD_CLOEXEC, 3);
        session.notify = SeccompListener::adopt(UniqueFd(copy)).value();
        session.kind = Via::kEntrypoint;
        gate->set_id_maps(read_id_maps(container.init()).value());
        ASSERT_TRUE(gate->warm_up().has_value());
    }
    Notification next_call() {
        while (true) {
            EXPECT_EQ(session.notify->poll(10s).value(), ListenerState::kReadable);
            const Notification notification = session.notify->receive().value().value();
            if (notification.nr != SYS_clone3) {
                return notification;
            }
            // As execseal's filter answers it: the C library makes its threads by clone(2) then.
            (void)session.notify->answer(notification.id, Answer::fail(ENOSYS));
        }
    }
    // Serves reads, and nothing else, until the task is in the stop of its exec.
    void serve_until_exec_stop(Tid tid) {
        ASSERT_TRUE(eventually([&] {
            return state_of(tid.value) == 't' || !loop.run_once(Clock::now() + 1ms).has_value();
        }));
        ASSERT_EQ(state_of(tid.value), 't');
    }
    // A read comes in while `stopped` is in the stop of its exec: that exec must not be let go by
    // it.
    void collect_the_late_read(ForkedContainer& container, Tid stopped) {
        ASSERT_TRUE(loop.run_once(Clock::now() + 100ms).has_value());
        tracer.reap_leaving();
        EXPECT_EQ(state_of(stopped.value), 't');
        EXPECT_FALSE(container.has_word()) << "it runs, and nobody has looked at what it is";
    }
    // What the supervisor does at a SIGCHLD.
    void on_sigchld() {
        forks.on_sigchld(Clock::now());
        gate->on_sigchld();
        tracer.reap_leaving();
    }
    // Until the program that it executes says something.
    void serve_until_word(ForkedContainer& container) {
        ASSERT_TRUE(eventually([&] {
            on_sigchld();
            (void)loop.run_once(Clock::now());
            return container.has_word();
        }));
    }
    // A member of each exec's event, in their order.
    [[nodiscard]] std::vector<std::string> members(const char* name) const {
        std::vector<std::string> found;
        std::ifstream lines(settings.audit.file);
        for (std::string line; std::getline(lines, line);) {
            found.push_back(nlohmann::json::parse(line)[name]);
        }
        return found;
    }
    [[nodiscard]] std::vector<std::string> outcomes() const { return members("outcome"); }
    [[nodiscard]] Settings make_settings() const {
        Settings made;
        made.audit.file = folder.at("audit.jsonl");
        return made;
    }

    const ScratchFolder folder;
    const Settings settings = make_settings();
    const Plan plan{};
    const Policy policy = policy_with("off");
    const Policy freezing = policy_with("pidns");
    const Policy unverified = policy_with("pidns", "false");
    EventLoop loop;
    std::unique_ptr<Ptrace> ptrace = real_ptrace();
    ForgetfulWait wait;
    std::unique_ptr<Procfs> procfs = open_procfs().value();
    std::unique_ptr<ExitWatch> exits = open_exit_watch(4096).value();
    Tracer tracer{*ptrace, wait, *procfs, restart_notified_calls(*ptrace)};
    TaskTable table{*procfs, *exits};
    ForkTracking forks{tracer, table, *procfs};
    AuditLog audit = AuditLog::open(settings.audit, plan).value();
    Session session;
    PtraceBinder binder{tracer, *procfs, forks.fs_sharers()};
    Freeze freeze{tracer, *procfs, table};
    std::unique_ptr<Turns> turns;
    std::unique_ptr<ExecGate> gate;
};

// Again and again, for its call may be cancelled by a signal.
void exec_witness(const Inside& inside) {
    (void)::dup2(inside.socket(), 100);
    char* argv[] = {const_cast<char*>("witness"), const_cast<char*>("good"), nullptr};
    char* envp[] = {nullptr};
    do {
        (void)::execve(kWitness, argv, envp);
    } while (errno == EINTR);
}

int exec_in_spite_of_signals(const Inside& inside) {
    struct sigaction action {};
    action.sa_handler = [](int) {};
    (void)sigaction(SIGUSR1, &action, nullptr);
    exec_witness(inside);
    return 1;
}

// The call that a signal has ended is still being read when the next one of the same task is armed:
// its end must not let go of the other's exec.
TEST_F(ExecGateKernel, ACallThatWasBackedOutOfDoesNotReleaseTheNextOneUnverified) {
    ForkedContainer container(NotifiedCalls::kForksAndExecs, exec_in_spite_of_signals);
    serve(container);
    const HeldReader reader;
    const Tid caller = container.init();
    turns->on_notification(session, next_call());
    (void)::kill(caller.value, SIGUSR1);
    turns->on_notification(session, next_call());
    serve_until_exec_stop(caller);
    reader.let_go();
    collect_the_late_read(container, caller);
    on_sigchld();
    ASSERT_EQ(container.hear(), 'g');
    EXPECT_EQ(container.wait_end(), 0);
    EXPECT_EQ(outcomes(), std::vector<std::string>{"executed"});
}

// Go's runtime signals its own threads: the first answer to a container's init often comes too
// late.
TEST_F(ExecGateKernel, AnEntrypointThatBacksOutOfItsCallIsStillTheEntrypoint) {
    const Policy unbound = Policy::parse(R"({
        "apiVersion": "execseal/v1", "name": "unbound", "default": "allow",
        "rules": [{"id": "evil", "verdict": "deny", "exe": "/bin/evil"}]})",
                                         "policy")
                               .value();
    Plan watching;
    watching.mode = Mode::kAudit;  // nothing is bound
    ForkedContainer container(NotifiedCalls::kForksAndExecs, exec_in_spite_of_signals);
    serve(container, unbound, watching);
    const HeldReader reader;
    turns->on_notification(session, next_call());
    (void)::kill(container.init().value, SIGUSR1);
    ASSERT_EQ(session.notify->poll(10s).value(), ListenerState::kReadable);  // it calls again
    reader.let_go();
    ASSERT_TRUE(loop.run_once(Clock::now() + 10s).has_value());  // the answer to its first call
    turns->on_notification(session, next_call());
    serve_until_word(container);
    EXPECT_EQ(container.wait_end(), 0);
    EXPECT_EQ(members("via"), std::vector<std::string>{"entrypoint"});
}

// Whose call is the first that a supervisor sees after another one's death may be anybody of the
// container.
TEST_F(ExecGateKernel, WhatStandsAboveTheFirstCallerIsKnownOnlyWhereTheSessionBegins) {
    const Policy lineage = Policy::parse(R"({
        "apiVersion": "execseal/v1", "name": "lineage", "default": "allow",
        "rules": [{"id": "first", "verdict": "audit", "depth": 0}]})",
                                         "policy")
                               .value();
    for (const bool resumed : {false, true}) {
        ForkedContainer container(NotifiedCalls::kForksAndExecs, exec_in_spite_of_signals);
        session.leader.reset();
        session.started = resumed;
        serve(container, lineage);
        turns->on_notification(session, next_call());
        serve_until_word(container);
        EXPECT_EQ(container.wait_end(), 0);
    }
    EXPECT_EQ(members("rule"), (std::vector<std::string>{"first", "default"}));
}

// A supervisor that takes over must not take a caller's own root for the container's.
TEST_F(ExecGateKernel, ARootThatWasLearntFromTheFirstProcessIsNoChrootedCallers) {
    ASSERT_TRUE(std::filesystem::copy_file(kWitness, folder.at("witness")));
    for (const bool learnt : {false, true}) {
        ForkedContainer container(NotifiedCalls::kForksAndExecs, [&](const Inside& inside) {
            (void)::dup2(inside.socket(), 100);
            char* argv[] = {const_cast<char*>("witness"), const_cast<char*>("good"), nullptr};
            (void)!::chroot(folder.at(".").c_str());
            (void)::execve("/witness", argv, argv + 2);
            return 1;
        });
        serve(container);
        if (learnt) {
            gate->learn_root(Tid{::getpid()});
        }
        turns->on_notification(session, next_call());
        serve_until_word(container);
        EXPECT_EQ(container.wait_end(), 0);
    }
    const std::vector<std::string> programs = members("exe");
    ASSERT_EQ(programs.size(), 2U);
    EXPECT_EQ(programs[0], "/witness");  // the control: the first exec tells
    EXPECT_EQ(programs[1], std::filesystem::canonical(folder.at("witness")));
}

// Nobody sees the first call's return before the caller's next call comes.
TEST_F(ExecGateKernel, AFailedExecThatIsFollowedByAnotherIsReportedAsFailed) {
    const std::string busy = folder.at("busy");
    ASSERT_TRUE(std::filesystem::copy_file(kWitness, busy));
    const UniqueFd writer(::open(busy.c_str(), O_WRONLY | O_CLOEXEC));  // ETXTBSY
    ASSERT_TRUE(writer.valid());
    ForkedContainer container(NotifiedCalls::kForksAndExecs, [&](const Inside& inside) {
        char* argv[] = {const_cast<char*>("busy"), nullptr};
        (void)::execve(busy.c_str(), argv, argv + 1);
        exec_witness(inside);
        return 1;
    });
    serve(container);
    turns->on_notification(session, next_call());
    // On a busy machine the read takes longer than the gate has patience.
    ASSERT_TRUE(eventually([&] {
        return session.notify->poll(1ms).value() == ListenerState::kReadable ||
               !loop.run_once(Clock::now()).has_value();
    }));
    turns->on_notification(session, next_call());
    // The release of the first call has made the second one start again.
    ASSERT_TRUE(eventually([&] {
        on_sigchld();
        (void)loop.run_once(Clock::now());
        if (session.notify->poll(0ms).value() == ListenerState::kReadable) {
            turns->on_notification(session, next_call());
        }
        return container.has_word();
    }));
    EXPECT_EQ(container.hear(), 'g');
    EXPECT_EQ(container.wait_end(), 0);
    EXPECT_EQ(outcomes(), (std::vector<std::string>{"failed", "executed"}));
}

// A search along PATH is full of them.
TEST_F(ExecGateKernel, WhatTheKernelWouldRefuseIsCountedApartFromDenials) {
    ForkedContainer container(NotifiedCalls::kForksAndExecs, [](const Inside& inside) {
        char* argv[] = {const_cast<char*>("missing"), nullptr};
        (void)::execve("/no/such/program", argv, argv + 1);
        exec_witness(inside);
        return 1;
    });
    serve(container);
    turns->on_notification(session, next_call());
    ASSERT_TRUE(eventually([&] {
        (void)loop.run_once(Clock::now());
        return session.notify->poll(0ms).value() == ListenerState::kReadable;
    }));
    EXPECT_EQ(gate->counters().kernel_refusals, 1U);
    for (const std::uint64_t decided : gate->counters().verdicts) {
        EXPECT_EQ(decided, 0U);
    }
    turns->on_notification(session, next_call());
    serve_until_word(container);
    EXPECT_EQ(container.wait_end(), 0);
    EXPECT_EQ(members("rule"), (std::vector<std::string>{"kernel", "default"}));
}

// None before both are there.
int exec_from_two_children(const Inside& inside) {
    int gate[2] = {-1, -1};
    (void)!::pipe2(gate, O_CLOEXEC);
    for (int i = 0; i < 2; ++i) {
        if (::fork() == 0) {
            char nothing = 0;
            (void)::close(gate[1]);
            (void)!::read(gate[0], &nothing, 1);
            ::_exit(exec_in_spite_of_signals(inside));
        }
    }
    (void)::close(gate[1]);
    while (::wait(nullptr) > 0 || errno == EINTR) {
    }
    return 0;
}

class ExecGateUnderFreeze : public ExecGateKernel {
  protected:
    void SetUp() override {
        serve(container_, freezing);
        gate->set_lister(lister_.get());
    }
    // Gives the first exec, while the second waits in the notify queue.
    Notification first_of_two() {
        Notification next = next_call();
        while (std::holds_alternative<ForkCall>(decode_call(next))) {
            (void)session.notify->answer(next.id, Answer::go_on());
            next = next_call();
        }
        EXPECT_EQ(session.notify->poll(10s).value(), ListenerState::kReadable);
        return next;
    }
    void serve_until_executed(std::size_t execs, bool arrivals_too) {
        ASSERT_TRUE(eventually([&] {
            on_sigchld();
            (void)loop.run_once(Clock::now());
            if (arrivals_too) {
                turns->on_deadline();
                gate->on_deadline(Clock::now());
            }
            return outcomes().size() == execs;
        }));
        EXPECT_EQ(outcomes(), std::vector<std::string>(execs, "executed"));
    }
    static bool is_in_execve(Tid tid) {
        std::string call;
        std::ifstream("/proc/" + std::to_string(tid.value) + "/syscall") >> call;
        return call == std::to_string(SYS_execve) && state_of(tid.value) == 'S';
    }

    ForkedContainer container_{NotifiedCalls::kForksAndExecs, exec_from_two_children};
    std::unique_ptr<PidnsLister> lister_ = PidnsLister::open(container_.init()).value();
};

// Interrupted, it would have to call again.
TEST_F(ExecGateUnderFreeze, WhoWaitsInTheNotifyQueueIsLeftThere) {
    turns->on_notification(session, first_of_two());
    serve_until_executed(1, false);
    ASSERT_EQ(session.notify->poll(0ms).value(), ListenerState::kIdle);
    EXPECT_EQ(gate->pending(), 1U);
    serve_until_executed(2, true);
    EXPECT_NE(session.notify->poll(0ms).value(), ListenerState::kReadable);
}

// A task calls three times, for a signal and for a freeze: its first call is being read, the second
// was received by the other's freeze, and the third is received by the freeze for the first.
TEST_F(ExecGateUnderFreeze, WhoCallsAgainIsNotForgotten) {
    const HeldReader reader;
    const Notification first = first_of_two();
    const auto calls_again = [&](const NotifyId& earlier) {
        return eventually([&] {
            on_sigchld();
            return session.notify->id_valid(earlier).value() == NotifyReach::kGone &&
                   !tracer.is_attached(first.tid) && is_in_execve(first.tid);
        });
    };
    turns->on_notification(session, first);
    (void)::kill(first.tid.value, SIGUSR1);
    ASSERT_TRUE(calls_again(first.id));
    turns->on_notification(session, next_call());
    serve_until_executed(1, false);
    ASSERT_TRUE(calls_again(first.id));
    EXPECT_EQ(session.notify->poll(10s).value(), ListenerState::kReadable);
    reader.let_go();
    ASSERT_TRUE(eventually([&] {
        (void)loop.run_once(Clock::now());
        return session.notify->poll(0ms).value() == ListenerState::kIdle;
    }));
    serve_until_executed(2, true);
    EXPECT_EQ(container_.wait_end(), 0);
}

int exec_from_vfork_child(const Inside& inside) {
    // NOLINTNEXTLINE(clang-analyzer-security.insecureAPI.vfork): it is what is tested
    const pid_t child = ::vfork();
    if (child == 0) {
        // NOLINTNEXTLINE(clang-analyzer-unix.Vfork): it changes nothing that the parent needs
        exec_witness(inside);
        ::_exit(1);
    }
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    return WEXITSTATUS(status);
}

class ExecGateOfAVforkChild : public ExecGateKernel {
  protected:
    void SetUp() override {
        serve(container_, judged_by());
        gate->set_lister(lister_.get());
        turns->on_notification(session, next_call());
        ASSERT_TRUE(eventually([&] {
            on_sigchld();
            return session.notify->poll(0ms).value() == ListenerState::kReadable;
        }));
    }
    void TearDown() override {
        serve_until_word(container_);
        EXPECT_EQ(container_.hear(), 'g');
        EXPECT_EQ(container_.wait_end(), 0);
        EXPECT_EQ(outcomes(), std::vector<std::string>{"executed"});
    }
    [[nodiscard]] virtual const Policy& judged_by() const { return freezing; }
    // By the child's exec, which is on its way then.
    bool freezes_the_parent() {
        const Notification exec = next_call();
        turns->on_notification(session, exec);
        EXPECT_TRUE(eventually([&] {
            (void)loop.run_once(Clock::now());
            return tracer.is_attached(exec.tid);
        }));
        return tracer.is_attached(parent_);
    }

    [[nodiscard]] Tid other_thread() const { return Tid{parent_.value + 1}; }

    ForkedContainer container_{NotifiedCalls::kForksAndExecs, exec_from_vfork_child};
    const Tid parent_ = container_.init();
    std::unique_ptr<PidnsLister> lister_ = PidnsLister::open(parent_).value();
};

TEST_F(ExecGateOfAVforkChild, TheParentIsNotTouched) {
    EXPECT_FALSE(freezes_the_parent());
}

// The other thread gets the number of the one that sleeps, which has ended. To freeze its process
// is to wait for its exec: the verification takes care of what it writes, where there is one.
TEST_F(ExecGateOfAVforkChild, AParentWhoseOtherThreadExecutesIsLeftToTheVerification) {
    tracer.expect_exec(Tgid{parent_.value}, other_thread());
    EXPECT_FALSE(freezes_the_parent());
    tracer.exec_over(Tgid{parent_.value}, other_thread());
}

class ExecGateOfAnUnverifiedVforkChild : public ExecGateOfAVforkChild {
  protected:
    [[nodiscard]] const Policy& judged_by() const override { return unverified; }
};

TEST_F(ExecGateOfAnUnverifiedVforkChild, AParentWhoseNumberAnotherThreadIsAboutToTakeIsFrozen) {
    tracer.expect_exec(Tgid{parent_.value}, other_thread());
    EXPECT_TRUE(freezes_the_parent());
    tracer.exec_over(Tgid{parent_.value}, other_thread());
}

void* exec_from_thread(void* argument) {
    const auto* inside = static_cast<const Inside*>(argument);
    (void)inside->hear();
    exec_witness(*inside);
    return nullptr;
}

int exec_from_leader_and_thread(const Inside& inside) {
    pthread_t started{};
    if (pthread_create(&started, nullptr, exec_from_thread, const_cast<Inside*>(&inside)) != 0) {
        return 1;
    }
    exec_witness(inside);
    return 1;
}

// The same with the leader, whose number the thread that executes takes over. The leader's read is
// there before that, but the thread's is the first to be taken: by on_exec() itself, if it is fast
// enough.
TEST_F(ExecGateKernel, ALeaderThatItsThreadReplacesDoesNotReleaseTheThreadUnverified) {
    for (int attempt = 0; attempt < 100; ++attempt) {
        ForkedContainer container(NotifiedCalls::kForksAndExecs, exec_from_leader_and_thread);
        serve(container);
        const HeldReader reader;
        const Tid leader = container.init();
        const Notification first = next_call();
        ASSERT_EQ(first.tid, leader);
        turns->on_notification(session, first);
        reader.let_go();
        reader.wait_until_idle();
        container.say('g');
        const Notification second = next_call();
        ASSERT_NE(second.tid, leader);
        turns->on_notification(session, second);
        if (!tracer.is_attached(second.tid)) {
            continue;
        }
        ASSERT_TRUE(eventually([&] { return state_of(leader.value) == 't'; }));
        collect_the_late_read(container, leader);
        serve_until_word(container);
        ASSERT_EQ(container.hear(), 'g');
        EXPECT_EQ(container.wait_end(), 0);
        EXPECT_EQ(outcomes(), std::vector<std::string>{"executed"});
        return;
    }
    FAIL() << "the thread's read was never there at once";
}

// An exec of a thread whose end is all that the tracer hears of, while its process goes on: that
// may be this very exec, and nobody has verified it.
TEST_F(ExecGateKernel, AProcessWhoseExecCannotBeVerifiedDiesBeforeItsFirstInstruction) {
    ForkedContainer container(NotifiedCalls::kForksAndExecs, [](const Inside& inside) {
        pthread_t started{};
        if (pthread_create(&started, nullptr, exec_from_thread, const_cast<Inside*>(&inside)) ==
            0) {
            (void)pthread_join(started, nullptr);
        }
        return 1;
    });
    serve(container);
    container.say('g');
    const Notification notification = next_call();
    const Tid leader = container.init();
    ASSERT_NE(notification.tid, leader);
    turns->on_notification(session, notification);
    serve_until_exec_stop(leader);

    wait.forgotten = {notification.tid, leader};
    gate->on_sigchld();
    EXPECT_EQ(container.wait_end(), 128 + SIGKILL);
    EXPECT_FALSE(container.hear());  // the end of its socket, and no word before
    EXPECT_EQ(outcomes(), std::vector<std::string>{"gone"});
}

// Two containers of one PID namespace without control groups of their own: each supervisor's freeze
// takes the other's callers, too, for a moment.
TEST_F(ExecGateKernel, ACallerThatAnotherSupervisorHoldsIsWaitedFor) {
    for (const bool is_told : {true, false}) {
        ForkedContainer container(NotifiedCalls::kForksAndExecs, exec_in_spite_of_signals);
        serve(container);
        test::OtherSupervisor other(container.init());
        int asked = 0;
        tracer.ask_for_supervisors([&](Tid tid) {
            ++asked;
            return is_told && is_supervisor(tid, *procfs);
        });
        turns->on_notification(session, next_call());
        ASSERT_TRUE(eventually([&] {
            (void)loop.run_once(Clock::now());
            return asked > 0;
        }));
        EXPECT_EQ(gate->pending(), is_told ? 1U : 0U);
        other.let_go();
        if (is_told) {
            ASSERT_TRUE(eventually([&] {
                gate->on_deadline(Clock::now());
                on_sigchld();
                return container.has_word();
            }));
        } else {
            EXPECT_EQ(container.wait_end(), 1) << "the control: held by a debugger, say";
        }
    }
    EXPECT_EQ(outcomes(), (std::vector<std::string>{"executed", "refused"}));
    EXPECT_EQ(members("rule"), (std::vector<std::string>{"default", "traced"}));
}

}  // namespace
}  // namespace execseal
