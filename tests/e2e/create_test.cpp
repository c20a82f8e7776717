// A container under a policy, from create to delete, with real runc and real crun: allowed, denied,
// audited, cleaned up.
#include <gtest/gtest.h>
#include <poll.h>

#include <algorithm>
#include <csignal>

#include "hook/os/pidfd.h"
#include "tests/e2e/agents.h"
#include "tests/e2e/bundle.h"
#include "tests/e2e/container.h"

namespace execseal::e2e {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

// What an operator would write for a small shell container; most tests change one thing of it.
ordered_json policy() {
    return ordered_json::parse(R"({
        "apiVersion": "execseal/v1", "name": "small", "default": "allow",
        "rules": [
            {"id": "no-wget", "verdict": "deny", "exe": "/bin/wget"},
            {"id": "no-force", "verdict": "deny", "errno": "EPERM", "exe": "/bin/rm", "argv": {"contains": ["-f"]}},
            {"id": "no-shell-by-exec", "verdict": "deny", "exe": "/bin/sh", "via": "exec"},
            {"id": "watch-id", "verdict": "audit", "exe": "/bin/id"},
            {"id": "kill-nc", "verdict": "kill", "exe": "/bin/nc"}
        ]})");
}

// Debian's busybox shell runs its own applets without an exec unless they are given by path.
class Create : public testing::TestWithParam<Engine> {
  protected:
    Create() { node_.policy("small", policy()).write(); }

    Outcome run(const std::vector<std::string>& argv) {
        bundle_.annotation("io.execseal.policy", "small").args(argv).write();
        return Container(node_.runtime(), bundle_, scratch_).run();
    }

    Scratch scratch_;
    Node node_{scratch_, GetParam()};
    Bundle bundle_{scratch_.path() / "bundle"};
};

TEST_P(Create, RunsWhatIsAllowedWithItsExitCodeAndOutput) {
    const Outcome outcome = run({"/bin/sh", "-c", "echo hello; exit 42"});
    EXPECT_EQ(outcome.exit_code, 42) << outcome.text();
    EXPECT_EQ(outcome.out, "hello\n");
    const auto shells = node_.events_of("/bin/sh");
    ASSERT_EQ(shells.size(), 1U) << outcome.text();
    const json& event = shells[0];
    EXPECT_EQ(event["via"], "entrypoint");
    EXPECT_EQ(event["verdict"], "allow");
    EXPECT_EQ(event["rule"], "default");
    EXPECT_EQ(event["outcome"], "executed");
    EXPECT_EQ(event["argv"], (json{"/bin/sh", "-c", "echo hello; exit 42"}));
    EXPECT_EQ(event["container_pid"], 1);
    EXPECT_EQ(event["uid"], 0);
    EXPECT_EQ(event["cwd"], "/");
    EXPECT_EQ(event["policy"], "small");
    EXPECT_GE(event["latency_us"], 0);
    EXPECT_TRUE(node_.nothing_left());
}

TEST_P(Create, ADeniedEntrypointNeverRuns) {
    const Outcome outcome = run({"/bin/wget", "http://127.0.0.1/"});
    EXPECT_NE(outcome.exit_code, 0);
    EXPECT_EQ(outcome.out, "");
    const auto events = node_.events_of("/bin/wget");
    ASSERT_FALSE(events.empty()) << outcome.text();
    EXPECT_EQ(events[0]["verdict"], "deny");
    EXPECT_EQ(events[0]["rule"], "no-wget");
    EXPECT_EQ(events[0]["via"], "entrypoint");
    EXPECT_EQ(events[0]["outcome"], "refused");
    EXPECT_TRUE(node_.nothing_left());
}

TEST_P(Create, JudgesEveryChildOnProgramAndArguments) {
    const Outcome outcome = run({"/bin/sh", "-c",
                                 "/bin/wget http://127.0.0.1/ 2>/dev/null; echo wget=$?;"
                                 "touch /tmp/a /tmp/b; /bin/rm /tmp/a; echo rm=$?; /bin/rm -f "
                                 "/tmp/b 2>/tmp/err; echo rmf=$?;"
                                 "cat /tmp/err; /bin/id -u; ls /tmp/b"});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.text();
    EXPECT_NE(outcome.out.find("wget=126\n"), std::string::npos) << outcome.out;
    EXPECT_NE(outcome.out.find("rm=0\n"), std::string::npos) << outcome.out;
    EXPECT_NE(outcome.out.find("rmf=126\n"), std::string::npos) << outcome.out;
    EXPECT_NE(outcome.out.find("Operation not permitted"), std::string::npos) << outcome.out;
    EXPECT_NE(outcome.out.find("0\n/tmp/b\n"), std::string::npos) << outcome.out;
    const auto ids = node_.events_of("/bin/id");
    ASSERT_EQ(ids.size(), 1U);
    EXPECT_EQ(ids[0]["verdict"], "audit");
    EXPECT_EQ(ids[0]["outcome"], "executed");
    EXPECT_EQ(ids[0]["via"], "child");
    const auto removals = node_.events_of("/bin/rm", 2);
    ASSERT_EQ(removals.size(), 2U);
    EXPECT_EQ(removals[0]["verdict"], "allow");
    EXPECT_EQ(removals[1]["verdict"], "deny");
    EXPECT_EQ(removals[1]["errno"], EPERM);
}

TEST_P(Create, VerdictKillEndsTheCaller) {
    const Outcome outcome = run({"/bin/sh", "-c", "(exec /bin/nc 127.0.0.1 1); echo $?"});
    EXPECT_EQ(outcome.out, "137\n") << outcome.text();
    const auto events = node_.events_of("/bin/nc");
    ASSERT_EQ(events.size(), 1U);
    EXPECT_EQ(events[0]["outcome"], "killed");
}

TEST_P(Create, LivesThroughCreateStartExecKillDelete) {
    bundle_.annotation("io.execseal.policy", "small").args({"/bin/sleep", "1000"}).write();
    Container container(node_.runtime(), bundle_, scratch_);
    ASSERT_EQ(container.create().exit_code, 0) << container.err();
    ASSERT_EQ(container.start().exit_code, 0);
    const Outcome allowed = container.exec({"/bin/echo", "from exec"});
    EXPECT_EQ(allowed.exit_code, 0) << allowed.text();
    EXPECT_EQ(allowed.out, "from exec\n");
    const Outcome denied = container.exec({"/bin/sh", "-c", "echo never"});
    EXPECT_NE(denied.exit_code, 0);
    EXPECT_EQ(denied.out, "");
    const auto echoes = node_.events_of("/bin/echo");
    ASSERT_EQ(echoes.size(), 1U);
    EXPECT_EQ(echoes[0]["via"], "exec");
    const auto shells = node_.events_of("/bin/sh");
    ASSERT_FALSE(shells.empty());
    EXPECT_EQ(shells[0]["rule"], "no-shell-by-exec");
    EXPECT_EQ(container.kill("KILL").exit_code, 0);
    EXPECT_TRUE(container.wait_until_stopped());
    EXPECT_EQ(container.remove().exit_code, 0);
    EXPECT_TRUE(node_.nothing_left());
    const auto events = node_.events();
    EXPECT_EQ(events.front()["event"], "start");
    EXPECT_EQ(events.back()["event"], "end");
}

// crun sets them before it runs the hooks, which inherit them.
TEST_P(Create, SmallLimitsOfTheContainerAreItsOwn) {
    struct Limit {
        const char* type;
        std::uint64_t value;
    };
    for (const Limit& limit :
         {Limit{"RLIMIT_STACK", 65536}, Limit{"RLIMIT_NOFILE", 64}, Limit{"RLIMIT_AS", 256U << 20U},
          Limit{"RLIMIT_DATA", 1U << 20U}, Limit{"RLIMIT_NPROC", 1}, Limit{"RLIMIT_FSIZE", 4096},
          Limit{"RLIMIT_CORE", 0}, Limit{"RLIMIT_CPU", 1}, Limit{"RLIMIT_MEMLOCK", 0},
          Limit{"RLIMIT_SIGPENDING", 0}}) {
        bundle_.config()["process"]["rlimits"] = ordered_json::array(
            {{{"type", limit.type}, {"hard", limit.value}, {"soft", limit.value}}});
        bundle_.args({"/bin/sh", "-c", "/bin/echo hi; /bin/true; exit 42"}).write();
        const Outcome bare = Container({.engine = GetParam()}, bundle_, scratch_).run();
        const Outcome sealed = run({"/bin/sh", "-c", "/bin/echo hi; /bin/true; exit 42"});
        EXPECT_EQ(bare.exit_code, 42) << limit.type << limit.value << bare.text();
        EXPECT_EQ(sealed.exit_code, bare.exit_code) << limit.type << limit.value << sealed.text();
        EXPECT_EQ(sealed.out, bare.out) << limit.type;
        EXPECT_TRUE(node_.nothing_left());
        bundle_.config().erase("annotations");
    }
}

TEST_P(Create, AContainerWithoutTheAnnotationPassesUntouched) {
    bundle_.args({"/bin/wget"}).write();
    const std::string before = read_file(bundle_.path() / "config.json");
    const Outcome outcome = Container(node_.runtime(), bundle_, scratch_).run();
    EXPECT_NE(outcome.err.find("Usage: wget"), std::string::npos)
        << "the control: wget itself runs: " << outcome.text();
    EXPECT_EQ(read_file(bundle_.path() / "config.json"), before);
    EXPECT_TRUE(node_.events().empty());
    EXPECT_TRUE(node_.nothing_left());
}

TEST_P(Create, ANodesDefaultAndFloorApplyWithoutAnAnnotation) {
    node_.policy("base",
                 ordered_json::parse(
                     R"({"apiVersion": "execseal/v1", "name": "base", "default": "allow"})"));
    node_.settings()["default_policy"] = "base";
    node_.settings()["floor_policy"] = "small";
    node_.write();
    bundle_.args({"/bin/sh", "-c", "/bin/wget 2>/dev/null; echo $?"}).write();
    const Outcome outcome = Container(node_.runtime(), bundle_, scratch_).run();
    EXPECT_EQ(outcome.out, "126\n") << outcome.text();
    const auto events = node_.events_of("/bin/wget");
    ASSERT_EQ(events.size(), 1U);
    EXPECT_EQ(events[0]["decided_by"], "small");
}

TEST_P(Create, ModeAuditExecutesAndRecords) {
    node_.settings()["allow_mode_annotation"] = true;
    node_.write();
    bundle_.annotation("io.execseal.mode", "audit");
    const Outcome outcome = run({"/bin/sh", "-c", "/bin/rm -f /tmp/none; echo $?"});
    EXPECT_EQ(outcome.out, "0\n") << outcome.text();
    const auto events = node_.events_of("/bin/rm");
    ASSERT_EQ(events.size(), 1U);
    EXPECT_EQ(events[0]["verdict"], "audit");
    EXPECT_EQ(events[0]["would_be"], "deny");
    EXPECT_EQ(events[0]["rule"], "no-force");
    EXPECT_EQ(events[0]["outcome"], "executed");
}

TEST_P(Create, APolicyThatCannotBeUsedFailsTheCreateWithOneLine) {
    node_
        .policy("broken",
                ordered_json::parse(
                    R"({"apiVersion": "execseal/v1", "name": "broken", "default": "maybe"})"))
        .write();
    struct Row {
        const char* policy;
        const char* expected;
    };
    for (const auto& row : {Row{"missing", "missing"}, Row{"broken", "/default"},
                            Row{"../etc/passwd", "io.execseal.policy"}}) {
        bundle_.annotation("io.execseal.policy", row.policy).args({"/bin/echo", "never"}).write();
        const Outcome outcome = Container(node_.runtime(), bundle_, scratch_).run();
        EXPECT_NE(outcome.exit_code, 0) << row.policy;
        EXPECT_EQ(outcome.out, "") << row.policy;
        EXPECT_NE(outcome.err.find(row.expected), std::string::npos) << outcome.err;
        EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
    }
    EXPECT_TRUE(node_.nothing_left());
}

TEST_P(Create, ACreateThatFailsInTheRuntimeLeavesNothing) {
    bundle_.config()["root"]["path"] = "missing";
    const Outcome outcome = run({"/bin/echo", "never"});
    EXPECT_NE(outcome.exit_code, 0);
    EXPECT_EQ(outcome.out, "");
    EXPECT_TRUE(node_.nothing_left()) << read_file(node_.log_path());
}

TEST_P(Create, TwoContainersAtOnceDoNotMeet) {
    node_
        .policy("other", ordered_json::parse(
                             R"({"apiVersion": "execseal/v1", "name": "other", "default": "allow",
        "rules": [{"id": "no-id", "verdict": "deny", "exe": "/bin/id"}]})"))
        .write();
    bundle_.annotation("io.execseal.policy", "small").args({"/bin/sleep", "1000"}).write();
    Bundle second(scratch_.path() / "second");
    second.annotation("io.execseal.policy", "other").args({"/bin/sleep", "1000"}).write();
    Container one(node_.runtime(), bundle_, scratch_);
    Container two(node_.runtime(), second, scratch_);
    ASSERT_EQ(one.create().exit_code, 0) << one.err();
    ASSERT_EQ(two.create().exit_code, 0) << two.err();
    ASSERT_EQ(one.start().exit_code, 0);
    ASSERT_EQ(two.start().exit_code, 0);
    EXPECT_EQ(one.exec({"/bin/id", "-u"}).exit_code, 0);
    EXPECT_NE(two.exec({"/bin/id", "-u"}).exit_code, 0);
    const auto events = node_.events_of("/bin/id", 2);
    ASSERT_GE(events.size(), 2U);
    EXPECT_EQ(events[0]["container"]["id"], one.id());
    EXPECT_EQ(events[1]["container"]["id"], two.id());
}

TEST_P(Create, AWorkloadsBytesReachTheEventWithoutLoss) {
    const Outcome outcome = run({"/bin/sh", "-c",
                                 "echo \"$(printf 'a\\377b')\" | cat; /bin/echo \"$(printf "
                                 "'\\377\\n\\\"')\" end >/dev/null"});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.text();
    const auto events = node_.events_of("/bin/echo");
    ASSERT_EQ(events.size(), 1U);
    EXPECT_EQ(events[0]["argv"], (json{"/bin/echo", {{"hex", "ff0a5c22"}}, "end"}));
}

TEST_P(Create, WithoutItsSupervisorAContainerCanNeitherForkNorExec) {
    bundle_.annotation("io.execseal.policy", "small")
        .file("/go", "")
        .args({"/bin/sh", "-c", "while ! test -s /go; do :; done; exec /bin/echo executed"})
        .write();
    Container container(node_.runtime(), bundle_, scratch_);
    ASSERT_EQ(container.create().exit_code, 0) << container.err();
    ASSERT_EQ(container.start().exit_code, 0);
    // `start` returns before the entrypoint's own exec.
    ASSERT_FALSE(node_.events_of("/bin/sh").empty()) << container.err();
    auto supervisor = open_pidfd(node_.ask_supervisor("status").value("supervisor_pid", -1));
    ASSERT_TRUE(supervisor.has_value());
    ASSERT_TRUE(send_signal(supervisor->get(), SIGKILL).has_value());
    pollfd ended{supervisor->get(), POLLIN, 0};
    ASSERT_EQ(poll(&ended, 1, 60'000), 1);
    write_file(bundle_.rootfs() / "go", "now\n");
    EXPECT_TRUE(container.wait_until_stopped());
    EXPECT_EQ(container.out(), "");
    EXPECT_NE(container.err().find("not implemented"), std::string::npos) << container.err();
    EXPECT_EQ(container.remove().exit_code, 0);
    EXPECT_TRUE(node_.nothing_left()) << "poststop clears what a killed supervisor left";
}

TEST_P(Create, ScriptsLoadersAndAppletsAreJudgedAsWhatTheyRun) {
    bundle_.file("/script", "#!/bin/wget\n", 0755);
    const Outcome outcome =
        run({"/bin/sh", "-c",
             "/script 2>/dev/null; echo script=$?; /bin/busybox wget 2>/dev/null; echo applet=$?;"
             "cd /bin; ./../bin/wget 2>/dev/null; echo dots=$?; mkdir /tmp/d; ln -s /bin/busybox "
             "/tmp/d/wget; /tmp/d/wget 2>/dev/null; echo link=$?"});
    for (const char* expected : {"script=126", "applet=126", "dots=126", "link=126"}) {
        EXPECT_NE(outcome.out.find(expected), std::string::npos)
            << expected << " in " << outcome.text();
    }
}

TEST_P(Create, ALargeStateAndNoNewPrivilegesBothWays) {
    for (int i = 0; i < 300; ++i) {
        bundle_.annotation("com.example.padding." + std::to_string(i), std::string(1000, 'x'));
    }
    for (const bool on : {true, false}) {
        bundle_.no_new_privileges(on);
        const Outcome outcome = run({"/bin/echo", "large"});
        EXPECT_EQ(outcome.out, "large\n") << outcome.text();
    }
    EXPECT_EQ(node_.events_of("/bin/echo", 2).size(), 2U);
}

// A bundle that carries the edit already, as "runc's seccomp agent configuration" would: the hook
// starts the supervisor there. crun connects before any hook, so this way in is runc's alone.
TEST(BareRunc, TheHookStartsTheSupervisorOfAnEditedBundle) {
    const Scratch scratch;
    Node node(scratch);
    node.policy("small", policy()).settings()["runtimes"] = {"/bin/true"};
    node.write();
    Bundle bundle(scratch.path() / "bundle");
    bundle.annotation("io.execseal.policy", "small")
        .args({"/bin/sh", "-c", "/bin/echo ran; /bin/wget; /bin/rm -f /nothing"})
        .write();
    Runtime bare = node.runtime();
    const std::string shim = std::exchange(bare.program, "");
    Container container(bare, bundle, scratch);
    const Outcome edited = e2e::run(
        {.argv = {shim, "create", "--bundle", bundle.path(), container.id()}, .env = bare.env},
        scratch.path());
    ASSERT_EQ(edited.exit_code, 0) << edited.text();
    ASSERT_TRUE(node.nothing_left()) << "the shim's own supervisor outlives the failed create";
    node.settings()["runtimes"] = {"runc"};
    node.write();

    const Outcome outcome = container.run();
    EXPECT_EQ(outcome.out, "ran\n") << outcome.text();
    ASSERT_EQ(node.events_of("/bin/wget").size(), 1U);
    EXPECT_EQ(node.events_of("/bin/wget")[0]["rule"], "no-wget");
    ASSERT_EQ(node.events_of("/bin/rm").size(), 1U);
    EXPECT_EQ(node.events_of("/bin/rm")[0]["outcome"], "refused");
    EXPECT_TRUE(node.nothing_left());
}

INSTANTIATE_TEST_SUITE_P(Engines, Create, testing::Values(Engine::kRunc, Engine::kCrun),
                         [](const auto& engine) { return std::string(engine_name(engine.param)); });

}  // namespace
}  // namespace execseal::e2e
