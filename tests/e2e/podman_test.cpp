// A container under a policy with the real podman, through --runtime and through hooks.d, on runc
// and on crun.
#include <gtest/gtest.h>
#include <unistd.h>

#include "hook/launch/launch.h"
#include "tests/e2e/entry_checks.h"
#include "tests/e2e/image.h"
#include "tests/e2e/podman.h"
#include "tests/e2e/small_policy.h"

namespace execseal::e2e {
namespace {

using nlohmann::ordered_json;

class PodmanRun : public testing::TestWithParam<std::tuple<Engine, PodmanEntry>> {
  protected:
    Scratch scratch_;
    Node node_{node_with_small_policy(scratch_, std::get<Engine>(GetParam()))};
    Podman podman_{scratch_, node_, std::get<Engine>(GetParam()),
                   std::get<PodmanEntry>(GetParam())};
};

TEST_P(PodmanRun, RunsWhatIsAllowedAndRefusesWhatIsNot) {
    const Outcome outcome = podman_.run({"--annotation", kSmallAnnotation}, tour());
    EXPECT_EQ(outcome.exit_code, kTourExitCode) << outcome.text();
    EXPECT_EQ(outcome.out, kTourOutput) << outcome.text();
    (void)expect_tour_in_events(node_);
    EXPECT_TRUE(node_.nothing_left());
}

TEST_P(PodmanRun, ADeniedEntrypointNeverRuns) {
    const Outcome outcome = podman_.run({"--annotation", kSmallAnnotation}, {"/bin/wget"});
    expect_denied_entrypoint(node_, outcome);
    EXPECT_NE(outcome.err.find("ermission denied"), std::string::npos) << outcome.err;
}

TEST_P(PodmanRun, AContainerWithoutTheAnnotationPassesUntouched) {
    ASSERT_EQ(podman_.call({"run", "--name", "plain", kBusyboxImage, "/bin/wget"}).exit_code, 1);
    const Outcome outcome = podman_.call({"logs", "plain"});
    EXPECT_NE(outcome.text().find("Usage: wget"), std::string::npos)
        << "the control: wget itself runs: " << outcome.text();
    expect_untouched(node_, podman_.config_of("plain"), "/bin/wget");
}

TEST_P(PodmanRun, AnExecIsJudgedAsOne) {
    ASSERT_EQ(podman_
                  .call({"run", "--detach", "--name", "long", "--annotation", kSmallAnnotation,
                         kBusyboxImage, "/bin/sleep", "1000"})
                  .exit_code,
              0);
    expect_execs_judged(node_, [&](std::vector<std::string> argv) {
        argv.insert(argv.begin(), {"exec", "long"});
        return podman_.call(argv);
    });
    EXPECT_EQ(podman_.call({"rm", "--force", "--time", "0", "long"}).exit_code, 0);
    EXPECT_TRUE(node_.nothing_left());
    EXPECT_EQ(node_.events().back()["event"], "end");
    EXPECT_EQ(node_.events().back()["container"]["name"], "long");
}

TEST_P(PodmanRun, EachStartOfAContainerIsSupervisedAnew) {
    ASSERT_EQ(podman_
                  .call({"create", "--name", "again", "--annotation", kSmallAnnotation,
                         kBusyboxImage, "/bin/sh", "-c", "/bin/wget 2>/dev/null; echo $?"})
                  .exit_code,
              0);
    EXPECT_TRUE(node_.nothing_left()) << "podman create starts no supervisor";
    for (int i = 0; i < 2; ++i) {
        const Outcome outcome = podman_.call({"start", "--attach", "again"});
        EXPECT_EQ(outcome.out, "126\n") << outcome.text();
        EXPECT_TRUE(node_.nothing_left());
    }
    EXPECT_EQ(node_.events_of("/bin/wget", 2).size(), 2U);
}

TEST_P(PodmanRun, APrivilegedContainerIsJudgedToo) {
    const Outcome outcome =
        podman_.run({"--privileged", "--annotation", kSmallAnnotation},
                    {"/bin/sh", "-c", "/bin/echo runs; /bin/wget 2>/dev/null; echo $?"});
    EXPECT_EQ(outcome.out, "runs\n126\n") << outcome.text();
    EXPECT_TRUE(node_.nothing_left());
}

TEST_P(PodmanRun, APolicyThatCannotBeUsedFailsTheRunWithTheReason) {
    const Outcome outcome =
        podman_.run({"--annotation", "io.execseal.policy=missing"}, {"/bin/echo", "never"});
    expect_not_started(node_, outcome, "io.execseal.policy: \"missing\": expected a policy file");
}

TEST_P(PodmanRun, AMistakenAnnotationOfOursFailsTheRun) {
    const std::vector<std::pair<std::string, std::string>> rows = {
        {"io.execseal.polcy=small", "io.execseal.polcy: unknown"},
        {"io.execseal/policy=small", "io.execseal/policy: unknown"},
        {"io.execseal.policy=", "io.execseal.policy: expected a non-empty value"},
        {"io.execseal.mode=audit", "io.execseal.mode: expected io.execseal.policy beside it"}};
    for (const auto& [annotation, reason] : rows) {
        const Outcome outcome = podman_.run({"--annotation", annotation}, {"/bin/echo", "never"});
        expect_not_started(node_, outcome, reason);
    }
}

TEST_P(PodmanRun, ACreateThatFailsInTheRuntimeLeavesNothing) {
    // More than fs.nr_open: no privilege is enough for that (setrlimit(2)).
    const Outcome outcome =
        podman_.run({"--annotation", kSmallAnnotation, "--ulimit", "nofile=2000000000:2000000000"},
                    {"/bin/echo", "never"});
    EXPECT_NE(outcome.exit_code, 0) << outcome.text();
    EXPECT_EQ(outcome.out, "");
    EXPECT_NE(outcome.err.find("rlimit"), std::string::npos) << outcome.err;
    EXPECT_TRUE(node_.nothing_left()) << read_file(node_.log_path());
}

TEST_P(PodmanRun, KubePlayHandsOnThePodsAnnotations) {
    const Outcome played = podman_.kube_play(
        {.script = "/bin/echo in a pod; /bin/wget 2>/dev/null; echo $?; exec /bin/sleep 1000",
         .annotations = {{"io.execseal.policy", "small"}}});
    ASSERT_EQ(played.exit_code, 0) << played.text();
    const auto sleeps = node_.events_of("/bin/sleep");
    EXPECT_EQ(podman_.call({"logs", "web-app"}).out, "in a pod\n126\n");
    EXPECT_EQ(sleeps.size(), 1U) << "the infra container's sleep is not supervised";
    EXPECT_NE(podman_.call({"exec", "web-app", "/bin/id"}).exit_code, 0);
    EXPECT_EQ(podman_.call({"exec", "web-app", "/bin/echo", "x"}).out, "x\n");
    EXPECT_EQ(podman_.call({"pod", "rm", "--force", "--time", "0", "web"}).exit_code, 0);
    EXPECT_TRUE(node_.nothing_left());
}

TEST_P(PodmanRun, KnowsTheContainerWhateverIsMountedInIt) {
    const std::vector<std::vector<std::string>> rows = {
        {"--ipc", "host"},
        {"--read-only"},
        {"--volume", "/tmp:/run"},
        {"--cgroup-parent", "/execseal-podman-test"},
        {"--network", "host", "--pid", "host"},
    };
    for (std::vector<std::string> flags : rows) {
        flags.insert(flags.end(), {"--annotation", kSmallAnnotation});
        const Outcome outcome =
            podman_.run(flags, {"/bin/sh", "-c", "/bin/echo runs; /bin/wget 2>/dev/null; echo $?"});
        EXPECT_EQ(outcome.out, "runs\n126\n") << flags[0] << ": " << outcome.text();
        EXPECT_TRUE(node_.nothing_left());
    }
}

std::string engine_and_entry(const testing::TestParamInfo<PodmanRun::ParamType>& row) {
    return std::string(engine_name(std::get<Engine>(row.param))) +
           podman_entry_name(std::get<PodmanEntry>(row.param));
}

INSTANTIATE_TEST_SUITE_P(Entries, PodmanRun,
                         testing::Combine(testing::Values(Engine::kRunc, Engine::kCrun),
                                          testing::Values(PodmanEntry::kRuntime,
                                                          PodmanEntry::kHooksDir)),
                         engine_and_entry);
INSTANTIATE_TEST_SUITE_P(BothEntries, PodmanRun,
                         testing::Values(std::tuple(Engine::kRunc, PodmanEntry::kBoth)),
                         engine_and_entry);

TEST(PodmanSupervisor, GivesUpAfterItsTimeWhereTheCreatorLivesOn) {
    Scratch scratch;
    const Node node = node_with_small_policy(scratch);
    const auto settings = load_settings(node.settings_path());
    ASSERT_TRUE(settings.has_value()) << settings.error().text();
    const auto plan =
        plan_container(ordered_json{{"annotations", {{"io.execseal.policy", "small"}}}},
                       "podman-test-idle", scratch.path(), *settings);
    ASSERT_TRUE(plan.has_value() && plan->has_value());
    const auto launched =
        launch_supervisor(**plan, *settings, {::getpid(), std::chrono::milliseconds(300)});
    ASSERT_TRUE(launched.has_value()) << launched.error().text();
    EXPECT_TRUE(std::filesystem::exists((*plan)->container_dir));
    EXPECT_TRUE(eventually([&] { return !std::filesystem::exists((*plan)->container_dir); }));
}

}  // namespace
}  // namespace execseal::e2e
