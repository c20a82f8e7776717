// The runc that people run today, beside Debian's: build/tools/runc-1.5.3, by tests/go_tools.sh.
// Where it could not be had, these are skipped.
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <stdexcept>

#include "tests/e2e/bundle.h"
#include "tests/e2e/container.h"
#include "tests/e2e/entry_checks.h"
#include "tests/e2e/node_agent.h"
#include "tests/e2e/small_policy.h"

namespace execseal::e2e {
namespace {

constexpr const char* kProgram = EXECSEAL_TOOLS "/runc-1.5.3";

class NewerRunc : public testing::Test {
  protected:
    void SetUp() override {
        if (!std::filesystem::exists(kProgram)) {
            GTEST_SKIP() << "runc 1.5.3: " << kProgram << " could not be had";
        }
        node_.settings()["runtimes"] = {kProgram};
        node_.write();
    }
    [[nodiscard]] Bundle& judged(const std::vector<std::string>& argv) {
        bundle_.annotation("io.execseal.policy", "small").args(argv).write();
        return bundle_;
    }

    Scratch scratch_;
    Node node_{node_with_small_policy(scratch_, Engine::kRunc)};
    Bundle bundle_{scratch_.path() / "bundle"};
};

TEST_F(NewerRunc, IsTheOneThatRuns) {
    Container container(node_.runtime(), judged(tour()), scratch_);
    const Outcome version = run(container.command({"--version"}), scratch_.path());
    EXPECT_NE(version.out.find("runc version 1.5.3"), std::string::npos) << version.text();
}

TEST_F(NewerRunc, RunsWhatIsAllowedRefusesWhatIsNotAndLeavesNothing) {
    const Outcome outcome = Container(node_.runtime(), judged(tour()), scratch_).run();
    EXPECT_EQ(outcome.exit_code, kTourExitCode) << outcome.text() << read_file(node_.log_path());
    EXPECT_EQ(outcome.out, kTourOutput);
    (void)expect_tour_in_events(node_);
    EXPECT_TRUE(node_.nothing_left());
}

TEST_F(NewerRunc, ADeniedEntrypointNeverRuns) {
    expect_denied_entrypoint(node_,
                             Container(node_.runtime(), judged({"/bin/wget"}), scratch_).run());
}

TEST_F(NewerRunc, AnExecIsJudgedAsOne) {
    {
        Container container(node_.runtime(), judged({"/bin/sleep", "1000"}), scratch_);
        ASSERT_EQ(container.create().exit_code, 0) << container.err();
        ASSERT_EQ(container.start().exit_code, 0);
        expect_execs_judged(
            node_, [&](const std::vector<std::string>& argv) { return container.exec(argv); });
    }
    EXPECT_TRUE(node_.nothing_left());
}

TEST_F(NewerRunc, APolicyThatCannotBeUsedFailsTheCreateWithItsReason) {
    bundle_.annotation("io.execseal.policy", "none").args(tour()).write();
    expect_not_started(node_, Container(node_.runtime(), bundle_, scratch_).run(),
                       "\"none\": expected a policy file");
}

// A caller in such a filter sleeps where only a fatal signal wakes it, and no stop by ptrace does.
class WaitKillable : public testing::TestWithParam<const char*> {
  protected:
    Bundle& judged(const std::vector<std::string>& argv, bool wait_killable = true) {
        nlohmann::ordered_json seccomp{{"defaultAction", "SCMP_ACT_ALLOW"}};
        if (wait_killable) {
            seccomp["flags"] = {"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"};
        }
        bundle_.config()["linux"]["seccomp"] = seccomp;
        bundle_.annotation("io.execseal.policy", "small").args(argv).write();
        return bundle_;
    }
    void SetUp() override {
        auto policy = small_policy();
        policy["protect"] = {{"freeze", GetParam()}};
        node_.policy("small", policy).write();
    }
    // The state of a caller that is stopped while its exec is held between notification and
    // verdict.
    [[nodiscard]] char state_of_a_waiting_caller(bool wait_killable) {
        Container container(node_.runtime(), judged({"/bin/sleep", "1000"}, wait_killable),
                            scratch_);
        EXPECT_EQ(container.create().exit_code, 0) << container.err();
        const pid_t init = container.init_pid();
        const auto status = node_.ask_supervisor("status");
        const auto supervisor = status["supervisor_pid"].get<pid_t>();
        if (std::min(supervisor, init) <= 1) {
            throw std::runtime_error("no container or no supervisor");
        }
        const std::vector<pid_t> readers = children_of(supervisor);
        EXPECT_FALSE(readers.empty());
        for (const pid_t reader : readers) {
            (void)::kill(reader,
                         SIGSTOP);  // pending_execs below tells whether it was the right one
        }
        EXPECT_EQ(container.start().exit_code, 0);
        EXPECT_TRUE(eventually(
            [&] { return node_.ask_supervisor("status").value("pending_execs", 0) == 1; }));
        // A stop interrupts the sleep; it is only then that the kernel takes up the other one.
        char state = 'S';
        EXPECT_EQ(::kill(init, SIGSTOP), 0);
        EXPECT_TRUE(eventually([&] {
            const std::string stat = read_file("/proc/" + std::to_string(init) + "/stat");
            state = stat[stat.rfind(')') + 2];
            return state != 'S' && state != 'R';
        }));
        EXPECT_EQ(::kill(init, SIGCONT), 0);
        // One that served the create alone may have ended meanwhile.
        EXPECT_TRUE(std::any_of(readers.begin(), readers.end(),
                                [](pid_t reader) { return ::kill(reader, SIGCONT) == 0; }));
        for (const pid_t reader : readers) {
            (void)::kill(reader, SIGCONT);
        }
        EXPECT_FALSE(node_.events_of("/bin/sleep").empty());
        return state;
    }

    Scratch scratch_;
    Node node_{node_with_small_policy(scratch_, Engine::kCrun)};
    Bundle bundle_{scratch_.path() / "bundle"};
};

TEST_P(WaitKillable, IsInForce) {
    EXPECT_EQ(state_of_a_waiting_caller(false), 'T') << "the control";
    EXPECT_EQ(state_of_a_waiting_caller(true), 'D');
}

TEST_P(WaitKillable, JudgesAndRefusesAsWithoutIt) {
    const Outcome outcome = Container(node_.runtime(), judged(tour()), scratch_).run();
    EXPECT_EQ(outcome.exit_code, kTourExitCode) << outcome.text() << read_file(node_.log_path());
    EXPECT_EQ(outcome.out, kTourOutput);
    (void)expect_tour_in_events(node_);
    EXPECT_TRUE(node_.nothing_left());
}

// Each freezes the others, which sleep in their own notifications.
TEST_P(WaitKillable, ExecsOfManyAtOnceAllRun) {
    const Outcome outcome =
        Container(node_.runtime(),
                  judged({"/bin/sh", "-c",
                          "for n in 1 2 3 4 5 6; do ( i=0; while [ $i -lt 15 ]; do /bin/echo x | "
                          "/bin/cat; i=$((i+1)); done ) & done; wait; echo over"}),
                  scratch_)
            .run();
    EXPECT_EQ(outcome.exit_code, 0) << outcome.text();
    EXPECT_EQ(std::count(outcome.out.begin(), outcome.out.end(), 'x'), 90) << outcome.text();
    EXPECT_TRUE(outcome.out.ends_with("over\n"));
    EXPECT_TRUE(node_.nothing_left());
}

INSTANTIATE_TEST_SUITE_P(Freezing, WaitKillable, testing::Values("writers", "pidns"),
                         [](const auto& row) { return std::string(row.param); });

}  // namespace
}  // namespace execseal::e2e
