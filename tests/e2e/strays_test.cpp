// Processes of a container without its filter: those of an attack are found, told of and killed;
// who is in the container's PID namespace or joins it by right is left alone.
#include <gtest/gtest.h>

#include <algorithm>
#include <charconv>
#include <csignal>

#include "tests/e2e/agents.h"
#include "tests/e2e/bundle.h"
#include "tests/e2e/container.h"

namespace execseal::e2e {
namespace {

std::vector<pid_t> all_processes() {
    std::vector<pid_t> found;
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
        const std::string name = entry.path().filename();
        pid_t number = 0;
        if (std::from_chars(name.data(), name.data() + name.size(), number).ec == std::errc{}) {
            found.push_back(number);
        }
    }
    return found;
}

// That of "/bin/sleep ARGUMENT"; 0: there is none.
pid_t process_with(const std::string& argument) {
    const std::string end(1, '\0');
    const std::string command = "/bin/sleep" + end + argument + end;
    const auto processes = all_processes();
    const auto found = std::find_if(processes.begin(), processes.end(), [&](pid_t process) {
        return read_file("/proc/" + std::to_string(process) + "/cmdline") == command;
    });
    return found == processes.end() ? 0 : *found;
}

bool has_no_filter(pid_t process) {
    return read_file("/proc/" + std::to_string(process) + "/status").find("Seccomp:\t0\n") !=
           std::string::npos;
}

class Strays : public testing::TestWithParam<Engine> {
  protected:
    Strays() {
        node_
            .policy("strays",
                    {{"apiVersion", "execseal/v1"},
                     {"name", "strays"},
                     {"default", "allow"},
                     {"rules", {{{"id", "no-wget"}, {"verdict", "deny"}, {"exe", "/bin/wget"}}}}})
            .write();
        bundle_.capability("CAP_SYS_PTRACE").program("attack_join");
    }

    // What the attack says, once it has had a process that joins. The runtime waits for as long as
    // such a child lives, which has a descriptor of its.
    std::string attack(Container& container) {
        EXPECT_EQ(container.create().exit_code, 0) << container.err();
        EXPECT_EQ(container.start().exit_code, 0) << container.err();
        static constexpr int kTries = 20;
        std::string said;
        for (int i = 0; i < kTries && said.empty(); ++i) {
            const Running exec(container.command({"exec", container.id(), "/bin/true"}),
                               scratch_.path());
            const std::string stat = "/proc/" + std::to_string(exec.pid()) + "/stat";
            EXPECT_TRUE(eventually(
                [&] {
                    said = container.out();
                    return !said.empty() || read_file(stat).find(") Z ") != std::string::npos;
                },
                std::chrono::minutes{1}));
            // Ended here, it would leave the joining process in the middle.
            (void)eventually([&] { return read_file(stat).find(") Z ") != std::string::npos; },
                             std::chrono::seconds{said.empty() ? 0 : 2});
        }
        return said;
    }

    [[nodiscard]] std::vector<nlohmann::json> strays() const {
        auto events = node_.events();
        std::erase_if(events, [](const auto& event) { return event["event"] != "stray"; });
        return events;
    }
    [[nodiscard]] std::uint64_t looks() const {
        return node_.ask_supervisor("status").value("stray_looks", std::uint64_t{0});
    }
    // So that whoever is there has been looked at.
    [[nodiscard]] bool wait_for_looks() const {
        const auto before = looks();
        return eventually([&] { return looks() >= before + 3; }, std::chrono::seconds{60});
    }

    Scratch scratch_;
    Node node_{scratch_, GetParam()};
    Bundle bundle_{scratch_.path() / "bundle"};
};

TEST_P(Strays, TheAttackWinsAgainstAnAgentThatDoesNotLook) {
    const FloorAgent agent(FloorAgent::Kind::kContinue, scratch_);
    bundle_.notify(agent.socket()).args({"/bin/attack_join", "/bin/sleep", "87601"}).write();
    Container container({.engine = GetParam()}, bundle_, scratch_);
    ASSERT_EQ(attack(container), "forked\n") << container.err();
    ASSERT_TRUE(eventually([] { return process_with("87601") != 0; }));
    EXPECT_TRUE(has_no_filter(process_with("87601"))) << "a vacuous attack";
}

TEST_P(Strays, AChildOfAJoiningProcessIsFoundAndToldOfAndKilled) {
    bundle_.annotation("io.execseal.policy", "strays")
        .args({"/bin/attack_join", "/bin/sleep", "87602"})
        .write();
    Container container(node_.runtime(), bundle_, scratch_);
    ASSERT_EQ(attack(container), "forked\n") << container.err();
    ASSERT_TRUE(eventually([&] { return !strays().empty(); }, std::chrono::seconds{60}));
    const auto stray = strays().front();
    EXPECT_EQ(stray["outcome"], "killed") << stray;
    EXPECT_EQ(stray["rule"], "stray");
    EXPECT_NE(stray["reason"].get<std::string>().find("seccomp filter"), std::string::npos);
    EXPECT_TRUE(eventually([] { return process_with("87602") == 0; }));
    // The control: whoever has the filter goes on, and is judged.
    EXPECT_EQ(container.exec({"/bin/true"}).exit_code, 0);
    EXPECT_NE(container.exec({"/bin/wget"}).exit_code, 0);
    EXPECT_EQ(node_.ask_supervisor("status")["strays"], strays().size());
    EXPECT_EQ(container.status(), "running");
}

TEST_P(Strays, InAModeThatWatchesItIsToldOfOnceAndLives) {
    bundle_.annotation("io.execseal.policy", "strays")
        .annotation("io.execseal.mode", "audit")
        .args({"/bin/attack_join", "/bin/sleep", "87603"})
        .write();
    node_.settings()["allow_mode_annotation"] = true;
    node_.write();
    Container container(node_.runtime(), bundle_, scratch_);
    ASSERT_EQ(attack(container), "forked\n") << container.err();
    ASSERT_TRUE(eventually([&] { return !strays().empty(); }, std::chrono::seconds{60}));
    ASSERT_TRUE(wait_for_looks());
    EXPECT_EQ(strays().size(), 1U);
    EXPECT_EQ(strays().front()["outcome"], "left");
    EXPECT_NE(process_with("87603"), 0);
}

// With each an exec whose look they must survive; that a look finds what it must is shown above.
TEST_P(Strays, AnAdministratorsNsenterIsLeftAlone) {
    bundle_.annotation("io.execseal.policy", "strays").args({"/bin/sleep", "1000"}).write();
    Container container(node_.runtime(), bundle_, scratch_);
    ASSERT_EQ(container.create().exit_code, 0) << container.err();
    ASSERT_EQ(container.start().exit_code, 0) << container.err();
    const Running entered({.argv = {"nsenter", "--target", std::to_string(container.init_pid()),
                                    "--pid", "--mount", "/bin/sleep", "87604"}},
                          scratch_.path());
    ASSERT_TRUE(eventually([] { return process_with("87604") != 0; }));
    EXPECT_EQ(container.exec({"/bin/true"}).exit_code, 0);
    ASSERT_TRUE(wait_for_looks());
    EXPECT_NE(process_with("87604"), 0);
    EXPECT_TRUE(strays().empty()) << strays().front();
    ::kill(process_with("87604"), SIGKILL);
}

TEST_P(Strays, AnUnjudgedContainerInTheSamePidNamespaceIsLeftAlone) {
    bundle_.annotation("io.execseal.policy", "strays").args({"/bin/sleep", "1000"}).write();
    Container container(node_.runtime(), bundle_, scratch_);
    ASSERT_EQ(container.create().exit_code, 0) << container.err();
    ASSERT_EQ(container.start().exit_code, 0) << container.err();
    Bundle debug(scratch_.path() / "debug");
    for (auto& entry : debug.config()["linux"]["namespaces"]) {
        if (entry["type"] == "pid") {
            entry["path"] = "/proc/" + std::to_string(container.init_pid()) + "/ns/pid";
        }
    }
    debug.config()["linux"].erase("seccomp");
    debug.args({"/bin/sh", "-c", "/bin/sleep 87605; true"}).write();
    Container unjudged({.engine = GetParam()}, debug, scratch_);
    ASSERT_EQ(unjudged.create().exit_code, 0) << unjudged.err();
    ASSERT_EQ(unjudged.start().exit_code, 0) << unjudged.err();
    ASSERT_TRUE(eventually([] { return process_with("87605") != 0; }));
    EXPECT_TRUE(has_no_filter(process_with("87605")));
    EXPECT_EQ(container.exec({"/bin/true"}).exit_code, 0);
    ASSERT_TRUE(wait_for_looks());
    EXPECT_NE(process_with("87605"), 0);
    EXPECT_TRUE(strays().empty()) << strays().front();
}

// Stopped before it has its filter, while looks go on.
TEST_P(Strays, TheRuntimesJoiningProcessIsLeftAlone) {
    bundle_.annotation("io.execseal.policy", "strays").args({"/bin/sleep", "1000"}).write();
    Container container(node_.runtime(), bundle_, scratch_);
    ASSERT_EQ(container.create().exit_code, 0) << container.err();
    ASSERT_EQ(container.start().exit_code, 0) << container.err();
    EXPECT_EQ(container.exec({"/bin/true"}).exit_code, 0);
    std::error_code error;
    const auto space =
        std::filesystem::read_symlink("/proc/" + std::to_string(container.init_pid()) + "/ns/pid");
    const auto joining = [&]() -> pid_t {
        for (const pid_t process : all_processes()) {
            const std::string proc = "/proc/" + std::to_string(process);
            if (std::filesystem::read_symlink(proc + "/ns/pid", error) == space &&
                has_no_filter(process)) {
                return process;
            }
        }
        return 0;
    };
    pid_t stopped = 0;
    for (int i = 0; i < 50 && stopped == 0; ++i) {
        Running exec(container.command({"exec", container.id(), "/bin/true"}), scratch_.path());
        const std::string stat = "/proc/" + std::to_string(exec.pid()) + "/stat";
        while (stopped == 0 && read_file(stat).find(") Z ") == std::string::npos) {
            stopped = joining();
        }
        if (stopped != 0) {
            ::kill(stopped, SIGSTOP);
            if (has_no_filter(stopped)) {
                EXPECT_TRUE(wait_for_looks());
                EXPECT_TRUE(has_no_filter(stopped)) << "it is gone";
                ::kill(stopped, SIGCONT);
            } else {
                ::kill(stopped, SIGCONT);
                stopped = 0;
            }
        }
        EXPECT_EQ(exec.wait().exit_code, 0);
    }
    EXPECT_NE(stopped, 0) << "none was caught";
    EXPECT_TRUE(strays().empty()) << strays().front();
}

INSTANTIATE_TEST_SUITE_P(Engines, Strays, testing::Values(Engine::kRunc, Engine::kCrun),
                         [](const auto& row) { return std::string(engine_name(row.param)); });

}  // namespace
}  // namespace execseal::e2e
