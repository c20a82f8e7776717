// Pods under a policy on the real containerd's CRI plugin, with the calls that a kubelet makes for
// a pod whose RuntimeClass has the handler `execseal`.
#include <gtest/gtest.h>

#include "tests/e2e/cri.h"
#include "tests/e2e/small_policy.h"

namespace execseal::e2e {
namespace {

using nlohmann::ordered_json;

const std::map<std::string, std::string> kSmall{{"io.execseal.policy", "small"}};
const std::vector<std::string> kSleep{"/bin/sleep", "1000"};
const std::vector<std::string> kTour{
    "/bin/sh", "-c", "/bin/echo hello; /bin/wget 2>/dev/null; echo $?; /bin/id -u; exit 42"};

class CriRun : public testing::TestWithParam<Engine> {
  protected:
    static Node make_node(const Scratch& scratch) {
        Node node(scratch, GetParam());
        node.policy("small", small_policy()).write();
        return node;
    }

    Scratch scratch_;
    Node node_{make_node(scratch_)};
    Containerd containerd_{scratch_, node_, GetParam()};
};

TEST_P(CriRun, AnAnnotatedPodIsJudged) {
    CriPod pod(scratch_, containerd_, "web", {.annotations = kSmall});
    EXPECT_TRUE(node_.events().empty()) << "the sandbox container has no supervisor";
    const Outcome started = pod.start("app", {.command = kTour});
    ASSERT_EQ(started.exit_code, 0) << started.text() << read_file(node_.log_path());
    EXPECT_EQ(pod.exit_code("app"), 42);
    EXPECT_EQ(pod.log("app"), "hello\n126\n0\n");
    const auto events = node_.events_of("/bin/wget");
    ASSERT_EQ(events.size(), 1U);
    EXPECT_EQ(events[0]["rule"], "no-wget");
    EXPECT_EQ(events[0]["outcome"], "refused");
    EXPECT_EQ(events[0]["container"]["id"], pod.id_of("app"));
    EXPECT_EQ(events[0]["container"]["name"], "app");
    EXPECT_EQ(node_.events_of("/bin/id").at(0)["via"], "child");
    EXPECT_EQ(node_.events_of("/bin/sh").at(0)["via"], "entrypoint");
    pod.remove();
    EXPECT_TRUE(node_.nothing_left());
}

TEST_P(CriRun, APodWithoutTheAnnotationPassesUntouched) {
    CriPod pod(scratch_, containerd_, "plain", {});
    ASSERT_EQ(pod.start("wget", {.command = {"/bin/wget"}}).exit_code, 0);
    EXPECT_EQ(pod.exit_code("wget"), 1);
    EXPECT_NE(pod.log("wget").find("Usage: wget"), std::string::npos) << "the control";
    ASSERT_EQ(pod.start("app", {.command = kSleep}).exit_code, 0);
    const std::string config = containerd_.config_of(pod.id_of("app"), "k8s.io");
    EXPECT_NE(config.find("/bin/sleep"), std::string::npos);
    EXPECT_EQ(config.find("execseal-hook"), std::string::npos);
    EXPECT_EQ(config.find("listenerPath"), std::string::npos);
    EXPECT_TRUE(node_.events().empty());
    EXPECT_FALSE(std::filesystem::exists(node_.run_dir()));
}

TEST_P(CriRun, AnExecIsJudgedAsOne) {
    CriPod pod(scratch_, containerd_, "long", {.annotations = kSmall});
    ASSERT_EQ(pod.start("app", {.command = kSleep}).exit_code, 0);
    const Outcome allowed = pod.exec("app", {"/bin/echo", "from exec"});
    EXPECT_EQ(allowed.exit_code, 0) << allowed.text();
    EXPECT_EQ(allowed.out, "from exec\n");
    EXPECT_EQ(pod.exec("app", {"/bin/sh", "-c", "/bin/id -u; echo $?"}).out, "0\n0\n")
        << "the control: id as a child";
    const Outcome denied = pod.exec("app", {"/bin/id", "-u"});
    EXPECT_NE(denied.exit_code, 0) << denied.text();
    EXPECT_EQ(denied.out, "");
    const auto ids = node_.events_of("/bin/id");
    ASSERT_GE(ids.size(), 2U);
    EXPECT_EQ(ids[0]["via"], "child");
    EXPECT_EQ(ids[1]["via"], "exec");
    EXPECT_EQ(ids[1]["rule"], "no-id-by-exec");
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
    EXPECT_NE(started.err.find("annotation io.execseal.policy: \"small\": expected one of "
                               "allowed_policies in " +
                               node_.settings_path().string()),
              std::string::npos)
        << started.err;
    EXPECT_TRUE(node_.events().empty());
    EXPECT_TRUE(node_.nothing_left());
}

TEST_P(CriRun, EachContainerOfAPodMayHaveItsOwnPolicy) {
    CriPod pod(scratch_, containerd_, "two",
               {.annotations = {{"io.execseal.policy.app", "small"}}});
    ASSERT_EQ(pod.start("app", {.command = kTour}).exit_code, 0);
    ASSERT_EQ(pod.start("sidecar", {.command = {"/bin/wget"}}).exit_code, 0);
    EXPECT_EQ(pod.exit_code("app"), 42);
    EXPECT_EQ(pod.exit_code("sidecar"), 1);
    EXPECT_EQ(pod.log("app"), "hello\n126\n0\n");
    EXPECT_NE(pod.log("sidecar").find("Usage: wget"), std::string::npos) << pod.log("sidecar");
}

TEST_P(CriRun, APrivilegedPodIsJudgedToo) {
    CriPod pod(scratch_, containerd_, "privileged", {.annotations = kSmall, .privileged = true});
    const Outcome started = pod.start("app", {.command = kTour});
    ASSERT_EQ(started.exit_code, 0) << started.text();
    EXPECT_EQ(pod.exit_code("app"), 42);
    EXPECT_EQ(pod.log("app"), "hello\n126\n0\n");
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
