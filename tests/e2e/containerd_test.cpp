// A container under a policy with the real containerd and ctr, on runc and on crun.
#include <gtest/gtest.h>

#include "tests/e2e/containerd.h"
#include "tests/e2e/small_policy.h"

namespace execseal::e2e {
namespace {

constexpr const char* kAnnotation = "io.execseal.policy=small";

class ContainerdRun : public testing::TestWithParam<Engine> {
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

TEST_P(ContainerdRun, RunsWhatIsAllowedAndRefusesWhatIsNot) {
    const Outcome outcome = containerd_.run(
        {"--rm", "--annotation", kAnnotation}, "one",
        {"/bin/sh", "-c", "/bin/echo hello; /bin/wget 2>/dev/null; echo $?; /bin/id -u; exit 42"});
    EXPECT_EQ(outcome.exit_code, 42) << outcome.text();
    EXPECT_EQ(outcome.out, "hello\n126\n0\n") << outcome.text();
    const auto events = node_.events_of("/bin/wget");
    ASSERT_EQ(events.size(), 1U);
    EXPECT_EQ(events[0]["rule"], "no-wget");
    EXPECT_EQ(events[0]["outcome"], "refused");
    EXPECT_EQ(events[0]["container"]["id"], "one");
    EXPECT_EQ(node_.events_of("/bin/id").at(0)["via"], "child");
    EXPECT_EQ(node_.events_of("/bin/sh").at(0)["via"], "entrypoint");
    EXPECT_TRUE(node_.nothing_left());
}

TEST_P(ContainerdRun, ADeniedEntrypointNeverRuns) {
    const Outcome outcome =
        containerd_.run({"--rm", "--annotation", kAnnotation}, "denied", {"/bin/wget"});
    EXPECT_NE(outcome.exit_code, 0) << outcome.text();
    EXPECT_EQ(outcome.err.find("Usage: wget"), std::string::npos) << outcome.err;
    EXPECT_EQ(node_.events_of("/bin/wget").at(0)["via"], "entrypoint");
    EXPECT_TRUE(node_.nothing_left());
}

TEST_P(ContainerdRun, AContainerWithoutTheAnnotationPassesUntouched) {
    const Outcome control = containerd_.run({"--rm"}, "control", {"/bin/wget"});
    EXPECT_NE(control.err.find("Usage: wget"), std::string::npos) << control.text();
    ASSERT_EQ(containerd_.run({"--detach"}, "plain", {"/bin/sleep", "1000"}).exit_code, 0);
    const std::string config = containerd_.config_of("plain");
    EXPECT_NE(config.find("/bin/sleep"), std::string::npos);
    EXPECT_EQ(config.find("execseal-hook"), std::string::npos);
    EXPECT_EQ(config.find("listenerPath"), std::string::npos);
    EXPECT_TRUE(node_.events().empty());
    EXPECT_FALSE(std::filesystem::exists(node_.run_dir()));
}

TEST_P(ContainerdRun, AnExecIsJudgedAsOne) {
    ASSERT_EQ(
        containerd_.run({"--detach", "--annotation", kAnnotation}, "long", {"/bin/sleep", "1000"})
            .exit_code,
        0);
    const auto exec = [&](const std::string& id, std::vector<std::string> argv) {
        argv.insert(argv.begin(), {"tasks", "exec", "--exec-id", id, "long"});
        return containerd_.ctr(argv);
    };
    const Outcome allowed = exec("first", {"/bin/echo", "from exec"});
    EXPECT_EQ(allowed.exit_code, 0) << allowed.text();
    EXPECT_EQ(allowed.out, "from exec\n");
    EXPECT_EQ(exec("second", {"/bin/sh", "-c", "/bin/id -u; echo $?"}).out, "0\n0\n")
        << "the control: id as a child";
    const Outcome denied = exec("third", {"/bin/id", "-u"});
    EXPECT_NE(denied.exit_code, 0) << denied.text();
    EXPECT_EQ(denied.out, "");
    const auto ids = node_.events_of("/bin/id");
    ASSERT_GE(ids.size(), 2U);
    EXPECT_EQ(ids[0]["via"], "child");
    EXPECT_EQ(ids[1]["via"], "exec");
    EXPECT_EQ(ids[1]["rule"], "no-id-by-exec");

    EXPECT_EQ(containerd_.ctr({"tasks", "rm", "--force", "long"}).exit_code, 0);
    EXPECT_EQ(containerd_.ctr({"containers", "rm", "long"}).exit_code, 0);
    EXPECT_TRUE(node_.nothing_left());
    EXPECT_EQ(node_.events().back()["event"], "end");
}

TEST_P(ContainerdRun, JudgesWithEveryProfileThatContainerdGives) {
    const std::vector<std::string> rows[] = {
        {"--privileged"}, {"--seccomp"}, {"--seccomp", "--cap-add", "CAP_SYS_ADMIN"}};
    for (std::vector<std::string> flags : rows) {
        flags.insert(flags.end(), {"--rm", "--annotation", kAnnotation});
        const Outcome outcome = containerd_.run(
            flags, "profile", {"/bin/sh", "-c", "/bin/echo runs; /bin/wget 2>/dev/null; echo $?"});
        EXPECT_EQ(outcome.out, "runs\n126\n") << flags[0] << ": " << outcome.text();
        EXPECT_TRUE(node_.nothing_left());
    }
}

TEST_P(ContainerdRun, APolicyThatCannotBeUsedFailsTheRunWithTheReason) {
    const Outcome outcome = containerd_.run({"--annotation", "io.execseal.policy=missing"}, "none",
                                            {"/bin/echo", "never"});
    EXPECT_NE(outcome.exit_code, 0) << outcome.text();
    EXPECT_EQ(outcome.out, "");
    EXPECT_NE(outcome.err.find("io.execseal.policy: \"missing\": expected a policy file"),
              std::string::npos)
        << outcome.err;
    EXPECT_TRUE(node_.nothing_left());
    EXPECT_EQ(containerd_.ctr({"tasks", "ls", "-q"}).out, "");
}

INSTANTIATE_TEST_SUITE_P(Engines, ContainerdRun, testing::Values(Engine::kRunc, Engine::kCrun),
                         [](const auto& row) { return std::string(engine_name(row.param)); });

}  // namespace
}  // namespace execseal::e2e
