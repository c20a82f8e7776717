// execseal-hook's OCI stages as a runtime calls them, behind the real shim: what the hook finds in
// the bundle, the settings and the policies must be what the supervisor was started for.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>

#include "hook/os/scope_exit.h"
#include "hook/os/unique_fd.h"
#include "tests/e2e/agents.h"
#include "tests/e2e/bundle.h"
#include "tests/e2e/container.h"
#include "tests/e2e/small_policy.h"

namespace execseal::e2e {
namespace {

class Hook : public testing::Test {
  protected:
    Hook() {
        node_.policy("small", small_policy());
        bundle_.annotation("io.execseal.policy", "small").write();
    }

    // The shim edits and starts the supervisor, then becomes a "runtime" that runs `commands` and
    // calls the hook, as runc does between the two.
    Outcome create(const std::string& commands) {
        const auto script = scratch_.path() / "runtime";
        const nlohmann::json state{{"ociVersion", "1.0.2"},
                                   {"id", "hooked"},
                                   {"status", "creating"},
                                   {"pid", ::getpid()},
                                   {"bundle", bundle_.path()}};
        write_file(scratch_.path() / "state.json", state.dump());
        write_file(script, "#!/bin/sh\nset -e\ncd '" + scratch_.path().string() + "'\n" + commands +
                               "\n" + node_.hook() + " createRuntime <state.json\n");
        std::filesystem::permissions(script, std::filesystem::perms::owner_all);
        node_.settings()["runtimes"] = {script};
        node_.write();
        const Runtime runtime = node_.runtime();
        return e2e::run({.argv = {runtime.program, "create", "--bundle", bundle_.path(), "hooked"},
                         .env = runtime.env},
                        scratch_.path());
    }

    void expect_refused(const std::string& commands, const std::string& words) {
        const Outcome outcome = create(commands);
        EXPECT_EQ(outcome.exit_code, 1) << commands;
        EXPECT_NE(outcome.err.find(words), std::string::npos) << commands << "\n" << outcome.text();
        EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
        EXPECT_TRUE(node_.nothing_left()) << commands;
    }

    [[nodiscard]] Outcome stage(const std::string& name, const std::string& state) const {
        return e2e::run({.argv = {node_.hook(), name}, .env = node_.runtime().env, .input = state},
                        scratch_.path());
    }

    Scratch scratch_;
    Node node_{scratch_};
    Bundle bundle_{scratch_.path() / "bundle"};
};

TEST_F(Hook, FindsTheShimsSupervisorForTheSameContainer) {
    const Outcome outcome = create("ls run/*/control.sock run/*/seccomp.sock >/dev/null");
    EXPECT_EQ(outcome.exit_code, 0) << outcome.text();
    EXPECT_TRUE(node_.nothing_left()) << "the runtime ended without a container";
}

TEST_F(Hook, AnyDifferenceFailsTheCreate) {
    expect_refused("echo ' ' >>policies.d/small.json", "its supervisor was started for");
    node_.policy("small", small_policy());
    expect_refused(
        R"(sed -i 's/"io.execseal.policy"/"io.execseal.mode": "audit", &/' bundle/config.json)",
        "its supervisor was started for");
    bundle_.write();
    expect_refused(R"(sed -i 's/execveat/getpid/' bundle/config.json)", "config.json");
    bundle_.write();
    expect_refused(R"(sed -i 's#"listenerPath": *"#&/elsewhere#' bundle/config.json)",
                   "listenerPath");
    bundle_.write();
    expect_refused("rm policies.d/small.json", "small.json");
}

TEST_F(Hook, ADeadSupervisorIsReplaced) {
    const Outcome outcome = create(
        "for process in /proc/[0-9]*; do\n"
        "  if ls -l $process/fd 2>/dev/null | grep -q \"$PWD/run/.*/lock\"; then\n"
        "    kill -KILL ${process#/proc/}; killed=yes\n"
        "  fi\n"
        "done\n"
        "[ \"$killed\" = yes ]\n"
        "flock run/*/lock true\n"  // returns when it is gone
        "ls run/*/control.sock\n");
    EXPECT_EQ(outcome.exit_code, 0) << outcome.text();
    EXPECT_TRUE(node_.nothing_left());
}

TEST_F(Hook, AStateThatIsNoneIsOneLine) {
    for (const char* stage_name : {"createRuntime", "poststop"}) {
        for (
            const char* state :
            {"", "{", "[]", "{}", R"({"ociVersion":"1.0.2","id":7,"status":"creating"})",
             R"({"ociVersion":"1.0.2","id":"x","status":"creating","pid":1,"bundle":"/nowhere"})"}) {
            const Outcome outcome = stage(stage_name, state);
            EXPECT_EQ(outcome.exit_code, 1) << stage_name << " " << state;
            EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
            EXPECT_EQ(outcome.err.find(std::string("execseal-hook ") + stage_name + ": "), 0U)
                << outcome.err;
        }
    }
    EXPECT_EQ(stage("createContainer", "{}").exit_code, 2);
}

// Nobody reads /dev/log here: the test does.
TEST(Syslog, EventsReachItWhole) {
    if (std::filesystem::exists("/dev/log")) {
        GTEST_SKIP() << "/dev/log is somebody else's";
    }
    const UniqueFd log(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{.sun_family = AF_UNIX, .sun_path = "/dev/log"};
    ASSERT_EQ(::bind(log.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    const ScopeExit undo{[] { std::filesystem::remove("/dev/log"); }};
    const Scratch scratch;
    Node node(scratch);
    node.policy("small", small_policy()).settings()["audit"] = {{"file", ""}, {"syslog", true}};
    node.write();
    Bundle bundle(scratch.path() / "bundle");
    bundle.annotation("io.execseal.policy", "small").args({"/bin/echo", "to syslog"}).write();
    EXPECT_EQ(Container(node.runtime(), bundle, scratch).run().out, "to syslog\n");
    ASSERT_TRUE(node.nothing_left());
    std::string all;
    char line[65536];
    for (;;) {
        const ssize_t got = ::recv(log.get(), &line[0], sizeof line, MSG_DONTWAIT);
        if (got <= 0) {
            break;
        }
        const std::string text(&line[0], static_cast<std::size_t>(got));
        const auto json = nlohmann::json::parse(text.substr(std::min(text.find('{'), text.size())),
                                                nullptr, false);
        ASSERT_TRUE(json.is_object()) << text;
        all += json.value("event", "") + " " + json.value("exe", "") + "\n";
    }
    EXPECT_EQ(all, "start \nexec /bin/echo\nend \n");
}

}  // namespace
}  // namespace execseal::e2e
