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

INSTANTIATE_TEST_SUITE_P(Engines, Harness, testing::Values(Engine::kRunc, Engine::kCrun),
                         [](const auto& engine) { return engine_name(engine.param); });

}  // namespace
}  // namespace execseal::e2e
