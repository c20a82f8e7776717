// A container under a policy with the real containerd and ctr, on runc and on crun.
#include <gtest/gtest.h>

#include "tests/e2e/containerd.h"
#include "tests/e2e/entry_checks.h"
#include "tests/e2e/small_policy.h"

namespace execseal::e2e {
namespace {

class ContainerdRun : public testing::TestWithParam<Engine> {
  protected:
    Scratch scratch_;
    Node node_{node_with_small_policy(scratch_, GetParam())};
    Containerd containerd_{scratch_, node_, GetParam()};
};

TEST_P(ContainerdRun, RunsWhatIsAllowedAndRefusesWhatIsNot) {
    const Outcome outcome =
        containerd_.run({"--rm", "--annotation", kSmallAnnotation}, "one", tour());
    EXPECT_EQ(outcome.exit_code, kTourExitCode) << outcome.text();
    EXPECT_EQ(outcome.out, kTourOutput) << outcome.text();
    EXPECT_EQ(expect_tour_in_events(node_)["container"]["id"], "one");
    EXPECT_TRUE(node_.nothing_left());
}

TEST_P(ContainerdRun, ADeniedEntrypointNeverRuns) {
    const Outcome outcome =
        containerd_.run({"--rm", "--annotation", kSmallAnnotation}, "denied", {"/bin/wget"});
    expect_denied_entrypoint(node_, outcome);
}

TEST_P(ContainerdRun, AContainerWithoutTheAnnotationPassesUntouched) {
    const Outcome control =
        containerd_.run({"--rm"}, "control", {"/bin/sh", "-c", "exec /bin/wget 2>&1"});
    EXPECT_NE(control.out.find("Usage: wget"), std::string::npos) << control.text();
    ASSERT_EQ(containerd_.run({"--detach"}, "plain", {"/bin/sleep", "1000"}).exit_code, 0);
    expect_untouched(node_, containerd_.config_of("plain"), "/bin/sleep");
}

TEST_P(ContainerdRun, AnExecIsJudgedAsOne) {
    ASSERT_EQ(
        containerd_
            .run({"--detach", "--annotation", kSmallAnnotation}, "long", {"/bin/sleep", "1000"})
            .exit_code,
        0);
    int execs = 0;
    expect_execs_judged(node_, [&](std::vector<std::string> argv) {
        const std::string id = "exec-" + std::to_string(++execs);
        argv.insert(argv.begin(), {"tasks", "exec", "--exec-id", id, "long"});
        return containerd_.ctr(argv);
    });

    EXPECT_EQ(containerd_.ctr({"tasks", "rm", "--force", "long"}).exit_code, 0);
    EXPECT_EQ(containerd_.ctr({"containers", "rm", "long"}).exit_code, 0);
    EXPECT_TRUE(node_.nothing_left());
    EXPECT_EQ(node_.events().back()["event"], "end");
}

TEST_P(ContainerdRun, JudgesWithEveryProfileThatContainerdGives) {
    const std::vector<std::string> rows[] = {
        {"--privileged"}, {"--seccomp"}, {"--seccomp", "--cap-add", "CAP_SYS_ADMIN"}};
    for (std::vector<std::string> flags : rows) {
        flags.insert(flags.end(), {"--rm", "--annotation", kSmallAnnotation});
        const Outcome outcome =
            containerd_.run(flags, std::string("profile-") + engine_name(GetParam()),
                            {"/bin/sh", "-c", "/bin/echo runs; /bin/wget 2>/dev/null; echo $?"});
        EXPECT_EQ(outcome.out, "runs\n126\n") << flags[0] << ": " << outcome.text();
        EXPECT_TRUE(node_.nothing_left());
    }
}

TEST_P(ContainerdRun, APolicyThatCannotBeUsedFailsTheRunWithTheReason) {
    const Outcome outcome = containerd_.run({"--annotation", "io.execseal.policy=missing"}, "none",
                                            {"/bin/echo", "never"});
    expect_not_started(node_, outcome, "io.execseal.policy: \"missing\": expected a policy file");
    EXPECT_EQ(containerd_.ctr({"tasks", "ls", "-q"}).out, "");
}

INSTANTIATE_TEST_SUITE_P(Engines, ContainerdRun, testing::Values(Engine::kRunc, Engine::kCrun),
                         [](const auto& row) { return std::string(engine_name(row.param)); });

}  // namespace
}  // namespace execseal::e2e
