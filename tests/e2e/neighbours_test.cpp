// Two judged containers in one PID namespace, as shareProcessNamespace and `podman run
// --pid=container:X` make them: each one's domain is its own tasks, so that neither refuses what
// the other may execute.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/e2e/cri.h"
#include "tests/e2e/image.h"
#include "tests/e2e/podman.h"

namespace execseal::e2e {
namespace {

// Says of each exec that was refused; one denied exec is the control that it is judged.
const char* const kUntilKilled =
    "/bin/wget never 2>/dev/null && echo wget; while /bin/true; do :; done; echo refused";
const char* const kSomeTime =
    "/bin/wget never 2>/dev/null && echo wget; i=0; "
    "while [ $i -lt 200 ]; do /bin/true || echo refused; i=$((i+1)); done; echo done";

Node node_with_busy_policy(const Scratch& scratch, Engine engine) {
    Node node(scratch, engine);
    node.policy("busy", {{"apiVersion", "execseal/v1"},
                         {"name", "busy"},
                         {"default", "allow"},
                         {"protect", {{"freeze", "pidns"}}},
                         {"rules",
                          {{{"id", "never"},
                            {"verdict", "deny"},
                            {"exe", "/bin/wget"},
                            {"argv", {{"contains", {"never"}}}}}}}})
        .write();
    return node;
}

class Neighbours : public testing::TestWithParam<Engine> {
  protected:
    // Of both containers: what was allowed ran, what was not did not, and every freeze held.
    void expect_judged_without_refusals() {
        const auto wgets = node_.events_of("/bin/wget", 2);
        ASSERT_EQ(wgets.size(), 2U);
        EXPECT_NE(wgets[0]["container"]["id"], wgets[1]["container"]["id"]);
        EXPECT_EQ(wgets[0]["outcome"], "refused") << "the control";
        EXPECT_EQ(wgets[1]["outcome"], "refused") << "the control";
        int executed = 0;
        for (const auto& event : node_.events_of("/bin/true", 200)) {
            EXPECT_TRUE(event["outcome"] == "executed" || event["outcome"] == "gone") << event;
            EXPECT_EQ(event.dump().find("failed: "), std::string::npos) << event;
            executed += event["outcome"] == "executed" ? 1 : 0;
        }
        EXPECT_GT(executed, 200) << "of both";
    }

    void expect_a_domain_by_cgroup() {
        const auto events = node_.events();
        EXPECT_TRUE(std::any_of(events.begin(), events.end(), [](const auto& event) {
            return event["event"] == "domain" &&
                   std::string(event["domain"]).starts_with("cgroup /");
        }));
    }

    Scratch scratch_;
    Node node_{node_with_busy_policy(scratch_, GetParam())};
};

TEST_P(Neighbours, OfAPodmanNamespaceExecuteWhatTheyMay) {
    const Podman podman(scratch_, node_, GetParam(), PodmanEntry::kRuntime);
    const std::vector<std::string> busy{"--annotation", "io.execseal.policy=busy"};
    ASSERT_EQ(podman
                  .call({"run", "--detach", "--name", "first", busy[0], busy[1], kBusyboxImage,
                         "/bin/sh", "-c", kUntilKilled})
                  .exit_code,
              0);
    const Outcome second =
        podman.run({"--pid", "container:first", busy[0], busy[1]}, {"/bin/sh", "-c", kSomeTime});
    EXPECT_EQ(second.out, "done\n") << second.text();
    EXPECT_EQ(podman.call({"logs", "first"}).out, "");
    expect_judged_without_refusals();
    expect_a_domain_by_cgroup();
    EXPECT_EQ(podman.call({"rm", "--force", "--time", "0", "first"}).exit_code, 0);
    EXPECT_TRUE(node_.nothing_left());
}

TEST_P(Neighbours, OfAPodsNamespaceExecuteWhatTheyMay) {
    const Containerd containerd(scratch_, node_, GetParam());
    // A pod's containers share its PID namespace where nothing else is asked for (the CRI's
    // NamespaceMode POD is 0).
    CriPod pod(scratch_, containerd, "pod", {.annotations = {{"io.execseal.policy", "busy"}}});
    ASSERT_EQ(pod.start("first", {.command = {"/bin/sh", "-c", kUntilKilled}}).exit_code, 0);
    ASSERT_EQ(pod.start("second", {.command = {"/bin/sh", "-c", kSomeTime}}).exit_code, 0);
    EXPECT_EQ(pod.exit_code("second"), 0);
    EXPECT_EQ(pod.log("second"), "done\n");
    EXPECT_EQ(pod.log("first"), "");
    expect_judged_without_refusals();
    expect_a_domain_by_cgroup();
}

// `podman pod create --share pid`: the namespace is the infra container's, which nobody judges.
TEST_P(Neighbours, OfAPodmanPodExecuteWhatTheyMay) {
    const Podman podman(scratch_, node_, GetParam(), PodmanEntry::kRuntime);
    const std::vector<std::string> busy{"--annotation", "io.execseal.policy=busy"};
    const Outcome pod = podman.call({"pod", "create", "--name", "pod", "--share", "pid"});
    ASSERT_EQ(pod.exit_code, 0) << pod.text();
    const Outcome first =
        podman.call({"run", "--detach", "--pod", "pod", "--name", "first", busy[0], busy[1],
                     kBusyboxImage, "/bin/sh", "-c", kUntilKilled});
    ASSERT_EQ(first.exit_code, 0) << first.text();
    const Outcome second =
        podman.run({"--pod", "pod", busy[0], busy[1]}, {"/bin/sh", "-c", kSomeTime});
    EXPECT_EQ(second.out, "done\n") << second.text();
    EXPECT_EQ(podman.call({"logs", "first"}).out, "");
    expect_judged_without_refusals();
    expect_a_domain_by_cgroup();
}

// An ephemeral container, which inherits the annotations of its pod.
TEST_P(Neighbours, OfADebuggedContainerExecuteWhatTheyMay) {
    const Containerd containerd(scratch_, node_, GetParam());
    CriPod pod(scratch_, containerd, "pod",
               {.annotations = {{"io.execseal.policy", "busy"}}, .own_pids = true});
    ASSERT_EQ(pod.start("first", {.command = {"/bin/sh", "-c", kUntilKilled}}).exit_code, 0);
    const Outcome second =
        pod.start("second", {.command = {"/bin/sh", "-c", kSomeTime}, .target = "first"});
    ASSERT_EQ(second.exit_code, 0) << second.text();
    EXPECT_EQ(pod.exit_code("second"), 0);
    EXPECT_EQ(pod.log("second"), "done\n");
    EXPECT_EQ(pod.log("first"), "");
    expect_judged_without_refusals();
    expect_a_domain_by_cgroup();
}

// Nothing tells the first one's supervisor whose a task is: it takes everybody in the namespace for
// its own, and each waits where the other holds a caller. (podman lets nobody without a control
// group join a namespace.)
class NeighboursWithoutCgroups : public Neighbours {};

TEST_P(NeighboursWithoutCgroups, ExecuteWhatTheyMay) {
    // podman knows by the runtime's name whether it can do without.
    const Podman podman(scratch_, node_, GetParam(), PodmanEntry::kHooksDir);
    const std::vector<std::string> busy{"--annotation", "io.execseal.policy=busy"};
    const Outcome first =
        podman.call({"run", "--detach", "--name", "first", "--cgroups=disabled", busy[0], busy[1],
                     kBusyboxImage, "/bin/sh", "-c", kUntilKilled});
    ASSERT_EQ(first.exit_code, 0) << first.text();
    const Outcome second =
        podman.run({"--pid", "container:first", busy[0], busy[1]}, {"/bin/sh", "-c", kSomeTime});
    EXPECT_EQ(second.out, "done\n") << second.text();
    EXPECT_EQ(podman.call({"logs", "first"}).out, "");
    expect_judged_without_refusals();
}

// runc always makes one.
INSTANTIATE_TEST_SUITE_P(Engines, NeighboursWithoutCgroups, testing::Values(Engine::kCrun),
                         [](const auto& row) { return std::string(engine_name(row.param)); });

INSTANTIATE_TEST_SUITE_P(Engines, Neighbours, testing::Values(Engine::kRunc, Engine::kCrun),
                         [](const auto& row) { return std::string(engine_name(row.param)); });

}  // namespace
}  // namespace execseal::e2e
