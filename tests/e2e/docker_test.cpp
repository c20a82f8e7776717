// A container under a policy with the real Docker, on runc and on crun. Debian 12's Engine (20.10)
// hands no annotations on, so that the policy is the node's default one.
#include <gtest/gtest.h>

#include "tests/e2e/docker.h"
#include "tests/e2e/entry_checks.h"
#include "tests/e2e/small_policy.h"

namespace execseal::e2e {
namespace {

class DockerRun : public testing::TestWithParam<Engine> {
  protected:
    void SetUp() override {
        node_.settings()["default_policy"] = "small";
        node_.write();
    }

    Scratch scratch_;
    Node node_{node_with_small_policy(scratch_, GetParam())};
    Docker docker_{scratch_, node_, GetParam()};
};

TEST_P(DockerRun, JudgesWhatTheNodesDefaultPolicySays) {
    const Outcome outcome = docker_.run({"--rm", "--runtime", "execseal"}, tour());
    EXPECT_EQ(outcome.exit_code, kTourExitCode) << outcome.text();
    EXPECT_EQ(outcome.out, kTourOutput) << outcome.text();
    (void)expect_tour_in_events(node_);
    EXPECT_TRUE(node_.nothing_left());

    const Outcome denied = docker_.run({"--rm", "--runtime", "execseal"}, {"/bin/wget"});
    expect_denied_entrypoint(node_, denied);

    const Outcome unfiltered = docker_.run(
        {"--rm", "--runtime", "execseal", "--security-opt", "seccomp=unconfined"}, tour());
    EXPECT_EQ(unfiltered.out, kTourOutput) << unfiltered.text();
    EXPECT_EQ(node_.events_of("/bin/wget", 3).size(), 3U);
    EXPECT_TRUE(node_.nothing_left());
}

TEST_P(DockerRun, AnExecIsJudgedAsOne) {
    ASSERT_EQ(
        docker_.run({"--detach", "--name", "long", "--runtime", "execseal"}, {"/bin/sleep", "1000"})
            .exit_code,
        0);
    expect_execs_judged(node_, [&](std::vector<std::string> argv) {
        argv.insert(argv.begin(), {"exec", "long"});
        return docker_.call(argv);
    });
    EXPECT_EQ(docker_.call({"rm", "--force", "long"}).exit_code, 0);
    EXPECT_TRUE(node_.nothing_left());
    EXPECT_EQ(node_.events().back()["event"], "end");
    EXPECT_EQ(node_.events().back()["container"]["name"], "long");
}

TEST_P(DockerRun, AContainerOfTheOrdinaryRuntimePassesUntouched) {
    const Outcome control = docker_.run({"--rm"}, {"/bin/wget"});
    EXPECT_NE(control.err.find("Usage: wget"), std::string::npos) << control.text();
    ASSERT_EQ(docker_.run({"--detach", "--name", "plain"}, {"/bin/sleep", "1000"}).exit_code, 0);
    expect_untouched(node_, docker_.config_of("plain"), "/bin/sleep");
}

TEST_P(DockerRun, APolicyThatCannotBeUsedFailsTheRunWithTheReason) {
    node_.settings()["default_policy"] = "missing";
    node_.write();
    const Outcome outcome = docker_.run({"--rm", "--runtime", "execseal"}, {"/bin/echo", "never"});
    expect_not_started(node_, outcome, "\"missing\": expected a policy file");
}

INSTANTIATE_TEST_SUITE_P(Engines, DockerRun, testing::Values(Engine::kRunc, Engine::kCrun),
                         [](const auto& row) { return std::string(engine_name(row.param)); });

}  // namespace
}  // namespace execseal::e2e
