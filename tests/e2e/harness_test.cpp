// The harness itself: without these, a test that passes says nothing.
#include <gtest/gtest.h>

#include "tests/e2e/agents.h"
#include "tests/e2e/bundle.h"
#include "tests/e2e/container.h"
#include "tests/e2e/task_report.h"

namespace execseal::e2e {
namespace {

class Harness : public testing::TestWithParam<Engine> {
  protected:
    Scratch scratch_;
    Bundle bundle_{scratch_.path() / "bundle"};
    Runtime runtime_{.engine = GetParam()};
};

TEST_P(Harness, RunsAContainerAndGivesItsOutputAndExitCode) {
    bundle_.args({"/bin/sh", "-c", "echo out; echo err >&2; exit 7"}).write();
    const Outcome outcome = Container(runtime_, bundle_, scratch_).run();
    EXPECT_EQ(outcome.exit_code, 7) << outcome.text();
    EXPECT_EQ(outcome.out, "out\n");
    EXPECT_EQ(outcome.err, "err\n");
}

TEST_P(Harness, CreatesStartsExecsKillsAndDeletes) {
    bundle_.args({"/bin/sleep", "1000"}).write();
    Container container(runtime_, bundle_, scratch_);
    ASSERT_EQ(container.create().exit_code, 0) << container.err();
    EXPECT_EQ(container.status(), "created");
    ASSERT_EQ(container.start().exit_code, 0);
    EXPECT_EQ(container.status(), "running");
    EXPECT_GT(container.init_pid(), 0);

    const Outcome echo =
        container.exec({"/bin/cat"}, {.input = "through exec", .user = "1000:1000"});
    EXPECT_EQ(echo.out, "through exec") << echo.text();
    EXPECT_NE(report_tasks(scratch_.path()).find("sleep"), std::string::npos);

    ASSERT_EQ(container.kill("KILL").exit_code, 0);
    EXPECT_TRUE(container.wait_until_stopped());
    EXPECT_EQ(container.remove().exit_code, 0);
    EXPECT_EQ(container.status(), "");
}

// As /proc/PID/environ of a process that ends just now (ESRCH): open(2) works, read(2) does not.
TEST(HarnessFiles, OneThatOpensAndCannotBeReadIsEmpty) {
    EXPECT_EQ(read_file("/proc/self/mem"), "");
    EXPECT_NE(read_file("/proc/self/comm"), "");
}

TEST_P(Harness, AContainerThatHangsIsShownAndKilled) {
    bundle_.args({"/bin/sleep", "1000"}).write();
    Container container(runtime_, bundle_, scratch_);
    testing::internal::CaptureStderr();
    const Outcome outcome = container.run(std::chrono::milliseconds{500});
    const std::string report = testing::internal::GetCapturedStderr();
    EXPECT_TRUE(outcome.timed_out);
    EXPECT_NE(report.find("sleep"), std::string::npos) << report;
    EXPECT_NE(report.find("wchan"), std::string::npos) << report;
    EXPECT_TRUE(eventually([&] { return report_tasks(scratch_.path()).empty(); }))
        << report_tasks(scratch_.path());
}

TEST_P(Harness, TheFloorAgentServesRunAndExec) {
    const FloorAgent agent(FloorAgent::Kind::kContinue, scratch_);
    bundle_.notify(agent.socket()).args({"/bin/sleep", "1000"}).write();
    Container container(runtime_, bundle_, scratch_);
    ASSERT_EQ(container.create().exit_code, 0) << container.err();
    ASSERT_EQ(container.start().exit_code, 0);
    EXPECT_EQ(container.exec({"/bin/sh", "-c", "true; echo $(echo forked)"}).out, "forked\n");
}

TEST_P(Harness, TheNaiveAgentDeniesWhatItSees) {
    const FloorAgent agent(FloorAgent::Kind::kNaive, scratch_);
    bundle_.notify(agent.socket()).program("witness");
    for (const auto& [word, code] : {std::pair{"good", 0}, std::pair{"evil", 126}}) {
        // The witness writes to fd 100; the shell gives it one.
        bundle_.args({"/bin/sh", "-c", std::string("/bin/witness ") + word + " 100>/dev/null"});
        bundle_.write();
        const Outcome outcome = Container(runtime_, bundle_, scratch_).run();
        EXPECT_EQ(outcome.exit_code, code) << word << ": " << outcome.text();
    }
}

// Programs race for their own argument, a writer beside each exec: what the last step of a gate
// adds is seen by what becomes of them.
class Gate : public testing::Test {
  protected:
    Outcome run_under(FloorAgent::Kind kind, const std::vector<std::string>& argv) {
        const FloorAgent agent(kind, scratch_);
        bundle_.program(argv[0].substr(sizeof "/bin")).program("witness").program("bench_nothing");
        bundle_.env("PATH", "/a:/b:/usr/local/bin:/usr/bin:/bin");
        bundle_.notify(agent.socket()).args(argv).write();
        return Container({.engine = Engine::kRunc}, bundle_, scratch_).run();
    }

    nlohmann::json race_under(FloorAgent::Kind kind, const std::string& attack) {
        const Outcome outcome = run_under(kind, {"/bin/attack_" + attack, "200"});
        auto counts = nlohmann::json::parse(outcome.out, nullptr, false);
        EXPECT_TRUE(counts.is_object()) << outcome.text();
        EXPECT_EQ(counts.value("honest", -1), counts.value("honest_attempts", 0)) << counts;
        // The writer goes on between the execs.
        EXPECT_GT(counts.value("good", 0), 0) << counts;
        EXPECT_GT(counts.value("evil", 0), 0) << counts;
        return counts;
    }

    Scratch scratch_;
    Bundle bundle_{scratch_.path() / "bundle"};
};

TEST_F(Gate, WithoutVerificationRacersRun) {
    const auto counts = race_under(FloorAgent::Kind::kGateExecs, "shared_anon");
    EXPECT_EQ(counts.value("killed", -1), 0) << counts;
    EXPECT_EQ(counts.value("refused", -1), 0) << counts;
}

TEST_F(Gate, TheVerificationKillsWhatWasChangedAfterItsReading) {
    const auto counts = race_under(FloorAgent::Kind::kGateVerify, "shared_anon");
    EXPECT_GT(counts.value("killed", 0), 0) << counts;
}

TEST_F(Gate, TheFreezeHoldsPeersFromTheSecondReadingOnAndLetsThemGo) {
    const auto counts = race_under(FloorAgent::Kind::kGateFreeze, "shared_anon");
    EXPECT_GT(counts.value("refused", 0), 0) << counts;
    EXPECT_EQ(counts.value("killed", -1), 0) << counts;
}

TEST_F(Gate, TheFreezeHoldsSiblingsWhichTheExecThenEnds) {
    const auto counts = race_under(FloorAgent::Kind::kGateFreeze, "sibling_string");
    EXPECT_GT(counts.value("refused", 0), 0) << counts;
    EXPECT_EQ(counts.value("killed", -1), 0) << counts;
}

TEST_F(Gate, TheFreezeServesWhatTheBenchmarkRuns) {
    const Outcome outcome =
        run_under(FloorAgent::Kind::kGateFreeze,
                  {"/bin/bench_load", "20", "fork_exit", "fork_exec", "vfork_exec", "spawn_path",
                   "failing_execvp", "pause", "threads:50", "peers:20", "parallel:4"});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.text();
    EXPECT_EQ(lines_of(outcome.out).size(), 9U) << outcome.text();
}

TEST_F(Gate, TheFreezeLetsGoWhenTheExecFails) {
    bundle_.program("live_exit");
    const Outcome outcome = run_under(FloorAgent::Kind::kGateFreeze, {"/bin/live_failing_exec"});
    // Not its exit code: arguments of 200 KiB are more than the gate reads.
    EXPECT_NE(outcome.out.find("ENOEXEC: as it should"), std::string::npos) << outcome.text();
    EXPECT_EQ(outcome.out.find("a sibling stands still"), std::string::npos) << outcome.text();
    EXPECT_NE(outcome.out.find("failing_exec: "), std::string::npos) << outcome.text();
}

INSTANTIATE_TEST_SUITE_P(Engines, Harness, testing::Values(Engine::kRunc, Engine::kCrun),
                         [](const auto& engine) { return engine_name(engine.param); });

}  // namespace
}  // namespace execseal::e2e
