// Pods under a policy on the real containerd's CRI plugin, with the calls that a kubelet makes for
// a pod whose RuntimeClass has the handler `execseal`.
#include <gtest/gtest.h>

#include "tests/e2e/cri.h"
#include "tests/e2e/entry_checks.h"
#include "tests/e2e/small_policy.h"

namespace execseal::e2e {
namespace {

using nlohmann::ordered_json;

const std::map<std::string, std::string> kSmall{{"io.execseal.policy", "small"}};
const std::vector<std::string> kSleep{"/bin/sleep", "1000"};

class CriRun : public testing::TestWithParam<Engine> {
  protected:
    Scratch scratch_;
    Node node_{node_with_small_policy(scratch_, GetParam())};
    Containerd containerd_{scratch_, node_, GetParam()};
};

TEST_P(CriRun, AnAnnotatedPodIsJudged) {
    CriPod pod(scratch_, containerd_, "web", {.annotations = kSmall});
    EXPECT_TRUE(node_.events().empty()) << "the sandbox container has no supervisor";
    const Outcome started = pod.start("app", {.command = tour()});
    ASSERT_EQ(started.exit_code, 0) << started.text() << read_file(node_.log_path());
    EXPECT_EQ(pod.exit_code("app"), kTourExitCode);
    EXPECT_EQ(pod.log("app"), kTourOutput);
    const auto denied = expect_tour_in_events(node_);
    EXPECT_EQ(denied["container"]["id"], pod.id_of("app"));
    EXPECT_EQ(denied["container"]["name"], "app");
    EXPECT_EQ(denied["container"]["pod"], "default/web");
    pod.remove();
    EXPECT_TRUE(node_.nothing_left());
}

TEST_P(CriRun, APodWithoutTheAnnotationPassesUntouched) {
    CriPod pod(scratch_, containerd_, "plain", {});
    ASSERT_EQ(pod.start("wget", {.command = {"/bin/wget"}}).exit_code, 0);
    EXPECT_EQ(pod.exit_code("wget"), 1);
    EXPECT_NE(pod.log("wget").find("Usage: wget"), std::string::npos) << "the control";
    ASSERT_EQ(pod.start("app", {.command = kSleep}).exit_code, 0);
    expect_untouched(node_, containerd_.config_of(pod.id_of("app"), "k8s.io"), "/bin/sleep");
}

TEST_P(CriRun, AnExecIsJudgedAsOne) {
    CriPod pod(scratch_, containerd_, "long", {.annotations = kSmall});
    ASSERT_EQ(pod.start("app", {.command = kSleep}).exit_code, 0);
    expect_execs_judged(
        node_, [&](const std::vector<std::string>& argv) { return pod.exec("app", argv); });
    EXPECT_EQ(pod.probe("app", {"/bin/echo", "probe"}).out.substr(0, 6), "probe\n");
    EXPECT_NE(pod.probe("app", {"/bin/id"}).exit_code, 0);
    EXPECT_EQ(node_.events_of("/bin/id", 3).at(2)["rule"], "no-id-by-exec");
    pod.remove();
    EXPECT_TRUE(node_.nothing_left());
    EXPECT_EQ(node_.events().back()["event"], "end");
}

TEST_P(CriRun, TheNodesFloorIsJudgedToo) {
    node_.policy("floor", ordered_json::parse(R"({
        "apiVersion": "execseal/v1", "name": "floor", "default": "allow",
        "rules": [{"id": "no-cat", "verdict": "deny", "exe": "/bin/cat"}]})"));
    node_.settings()["floor_policy"] = "floor";
    node_.write();
    CriPod pod(scratch_, containerd_, "floored", {.annotations = kSmall});
    ASSERT_EQ(pod.start("app", {.command = {"/bin/sh", "-c",
                                            "/bin/echo x; /bin/cat /etc/passwd 2>/dev/null; "
                                            "echo $?; /bin/wget 2>/dev/null; echo $?"}})
                  .exit_code,
              0);
    EXPECT_EQ(pod.exit_code("app"), 0);
    EXPECT_EQ(pod.log("app"), "x\n126\n126\n");
    EXPECT_EQ(node_.events_of("/bin/cat").at(0)["decided_by"], "floor");
}

TEST_P(CriRun, APolicyThatTheNodeDoesNotAllowIsRefusedInWords) {
    node_.settings()["allowed_policies"] = {"web-*"};
    node_.write();
    CriPod pod(scratch_, containerd_, "refused", {.annotations = kSmall});
    const Outcome started = pod.start("app", {.command = kSleep});
    EXPECT_NE(started.exit_code, 0);
    // What `kubectl describe pod` shows: the shim writes it to the runtime's log as runc would.
    const std::string reason =
        R"(annotation io.execseal.policy: \"small\": expected one of allowed_policies in )";
    EXPECT_NE(started.err.find(reason + node_.settings_path().string()), std::string::npos)
        << started.err;
    EXPECT_TRUE(node_.events().empty());
    EXPECT_TRUE(node_.nothing_left());
}

TEST_P(CriRun, AMisspeltAnnotationDoesNotRunUnjudged) {
    for (const char* key : {"execseal.io/policy", "IO.ExecSeal.policy", "io.execseal.policies",
                            "policy.example/execseal"}) {
        CriPod pod(scratch_, containerd_, "misspelt", {.annotations = {{key, "small"}}});
        const Outcome started = pod.start("app", {.command = kSleep});
        EXPECT_NE(started.exit_code, 0) << key;
        EXPECT_NE(started.err.find("annotation " + std::string(key) +
                                   ": unknown, expected io.execseal.policy"),
                  std::string::npos)
            << started.err;
    }
    CriPod control(scratch_, containerd_, "control",
                   {.annotations = {{"example.com/policy", "small"}}});
    EXPECT_EQ(control.start("app", {.command = kSleep}).exit_code, 0);
}

TEST_P(CriRun, EachContainerOfAPodMayHaveItsOwnPolicy) {
    CriPod pod(scratch_, containerd_, "two",
               {.annotations = {{"io.execseal.policy.app", "small"}}});
    ASSERT_EQ(pod.start("app", {.command = tour()}).exit_code, 0);
    ASSERT_EQ(pod.start("sidecar", {.command = {"/bin/wget"}}).exit_code, 0);
    EXPECT_EQ(pod.exit_code("app"), kTourExitCode);
    EXPECT_EQ(pod.exit_code("sidecar"), 1);
    EXPECT_EQ(pod.log("app"), kTourOutput);
    EXPECT_NE(pod.log("sidecar").find("Usage: wget"), std::string::npos) << pod.log("sidecar");
}

TEST_P(CriRun, APrivilegedPodIsJudgedToo) {
    CriPod pod(scratch_, containerd_, "privileged", {.annotations = kSmall, .privileged = true});
    const Outcome started = pod.start("app", {.command = tour()});
    ASSERT_EQ(started.exit_code, 0) << started.text();
    EXPECT_EQ(pod.exit_code("app"), kTourExitCode);
    EXPECT_EQ(pod.log("app"), kTourOutput);
    EXPECT_EQ(node_.events_of("/bin/wget").size(), 1U);
}

TEST_P(CriRun, AHandlerThatIsNotOursDoesNotKnowTheAnnotation) {
    CriPod pod(scratch_, containerd_, "bare", {.annotations = kSmall, .handler = "runc"});
    ASSERT_EQ(pod.start("app", {.command = {"/bin/wget"}}).exit_code, 0);
    EXPECT_EQ(pod.exit_code("app"), 1);
    EXPECT_TRUE(node_.events().empty());
}

INSTANTIATE_TEST_SUITE_P(Engines, CriRun, testing::Values(Engine::kRunc, Engine::kCrun),
                         [](const auto& row) { return std::string(engine_name(row.param)); });

}  // namespace
}  // namespace execseal::e2e
