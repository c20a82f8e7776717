// `execseal run`: a command in a throw-away container, with its policy, exit
// code, signals and terminal, and without the host's secrets.
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>

#include "tests/e2e/agents.h"
#include "tests/e2e/bundle.h"
#include "tests/e2e/command.h"
#include "tests/e2e/container.h"

namespace execseal::e2e {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;
using Words = std::vector<std::string>;

class Run : public testing::TestWithParam<Engine> {
  protected:
    Run() : node_(scratch_, GetParam()) {
        node_.write();
        node_.policy("no-id",
                     {{"apiVersion", "execseal/v1"},
                      {"name", "no-id"},
                      {"default", "allow"},
                      {"rules", {{{"id", "id"}, {"verdict", "deny"}, {"exe", "/usr/bin/id"}}}}});
        for (const char* const folder : {"work", "tmp"}) {
            fs::create_directory(scratch_.path() / folder);
        }
    }

    [[nodiscard]] fs::path work() const { return scratch_.path() / "work"; }

    // In the folder `work`, as the command line says it.
    [[nodiscard]] Command command(const Words& options, const Words& program) const {
        Words words = GetParam() == Engine::kCrun ? without_unified_cgroup() : Words();
        words.insert(words.end(), {EXECSEAL_CLI, "run"});
        words.insert(words.end(), options.begin(), options.end());
        words.emplace_back("--");
        words.insert(words.end(), program.begin(), program.end());
        const std::string shim = fs::path(EXECSEAL_RUNTIME).parent_path();
        return {.argv = words,
                .env = {{"EXECSEAL_CONFIG", node_.settings_path()},
                        {"TMPDIR", scratch_.path() / "tmp"},
                        {"SECRET", "of the host"},
                        {"PATH", shim + ":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin"}},
                .cwd = work()};
    }
    [[nodiscard]] Outcome run_it(const Words& options, const Words& program) const {
        return run(command(options, program), scratch_.path());
    }
    [[nodiscard]] Outcome shell(const Words& options, const std::string& script) const {
        return run_it(options, {"/bin/sh", "-c", script});
    }
    [[nodiscard]] bool nothing_left() const {
        return node_.nothing_left() && fs::is_empty(scratch_.path() / "tmp");
    }

    Scratch scratch_;
    Node node_;
};

TEST_P(Run, TheCommandIsJudgedAndItsExitCodeIsPassedOn) {
    const Outcome refused = shell({"--policy", "no-id"}, "echo out; echo err >&2; id; exit 7");
    EXPECT_EQ(refused.exit_code, 7) << refused.text();
    EXPECT_EQ(refused.out, "out\n");
    EXPECT_NE(refused.err.find("err\n"), std::string::npos) << refused.err;
    EXPECT_NE(refused.err.find("ermission denied"), std::string::npos) << refused.err;
    ASSERT_GE(node_.events_of("/usr/bin/id").size(), 1U);
    EXPECT_EQ(node_.events_of("/usr/bin/id")[0]["verdict"], "deny");
    // The control, by a file's path; the policy is read before anything is made.
    const fs::path free = work() / "free.json";
    write_file(free,
               R"({"apiVersion": "execseal/v1", "name": "free", "default": "allow", "rules": []})");
    const Outcome allowed = run_it({"--policy", "./free.json"}, {"/usr/bin/id", "-u"});
    EXPECT_EQ(allowed.exit_code, 0) << allowed.text();
    EXPECT_EQ(allowed.out, "0\n");
    EXPECT_TRUE(nothing_left());
}

TEST_P(Run, TheHostIsHiddenButForItsProgramsAndTheWorkingFolder) {
    write_file(work() / "in", "given\n");
    fs::create_directory(scratch_.path() / "more");
    write_file(scratch_.path() / "more/file", "bound\n");
    const Outcome told = shell({"--policy", "no-id", "--env", "GIVEN=1", "--bind",
                                (scratch_.path() / "more").string() + ":/srv/more:ro"},
                               "pwd; cat in; echo made >made; cat /srv/more/file; echo no "
                               ">/srv/more/file;"
                               "ls -A /root /home /run; cat /etc/shadow; head -c 5 "
                               "/etc/passwd; echo;"
                               "echo no >/etc/hostname; echo no >/usr/no; ls /sys/class/net "
                               "/proc/1/root/proc/net/dev_mcast;"
                               "grep -c : /proc/net/dev; echo \"$GIVEN$SECRET\"; echo own "
                               ">/var/own && cat /var/own");
    EXPECT_EQ(told.out, work().string() +
                            "\ngiven\nbound\n/home:\n\n/root:\n\n/run:\nroot:\n"
                            "/proc/1/root/proc/net/dev_mcast\n1\n1\nown\n")
        << told.text();
    EXPECT_EQ(read_file(work() / "made"), "made\n");
    EXPECT_EQ(read_file(scratch_.path() / "more/file"), "bound\n");
    // The control of the network, and of what a user would see of the secret.
    const Outcome net = shell({"--policy", "no-id", "--net"}, "cat /proc/net/dev");
    EXPECT_EQ(lines_of(net.out).size(), lines_of(read_file("/proc/net/dev")).size()) << net.text();
    EXPECT_GT(read_file("/etc/shadow").size(), 5U);
    EXPECT_TRUE(nothing_left());
}

// A policy that changes is loaded again, but not this one: the command could change it.
TEST_P(Run, TheCommandCannotChangeItsPolicy) {
    const std::string denies =
        read_file(fs::path(node_.settings()["policies_dir"].get<std::string>()) / "no-id.json");
    write_file(work() / "no-id.json", denies);
    const std::string script =
        R"(printf '{"apiVersion": "execseal/v1", "name": "no-id", "default": "allow", "rules": []}' )"
        "> no-id.json; for i in 1 2 3 4 5 6 7 8; do id; sleep 0.1; done; "
        "head -c 30 no-id.json";
    const Outcome told = shell({"--policy", "./no-id.json"}, script);
    EXPECT_EQ(told.out, R"({"apiVersion": "execseal/v1", )") << told.text();
    EXPECT_NE(told.err.find("ermission denied"), std::string::npos) << told.err;
    EXPECT_TRUE(nothing_left());
}

TEST_P(Run, WhatSteersTheContainerIsHiddenFromIt) {
    Command inner = command({"--policy", "no-id"}, {"/bin/sh", "-c",
                                                    "cd tmp && for i in *; do echo $i; ls -A "
                                                    "$i; cat $i/settings.json; done"});
    inner.cwd = scratch_.path();
    const Outcome told = run(inner, scratch_.path());
    EXPECT_TRUE(told.out.starts_with("execseal-run-")) << told.text();
    EXPECT_EQ(lines_of(told.out).size(), 1U) << told.text();
    EXPECT_NE(told.err.find("settings.json"), std::string::npos) << told.err;
    EXPECT_TRUE(nothing_left());
}

TEST_P(Run, SignalsArePassedOn) {
    Running running(command({"--policy", "no-id"},
                            {"/bin/sh", "-c",
                             "trap 'echo ended; exit 9' TERM; echo ready; while :; do :; done"}),
                    scratch_.path());
    ASSERT_TRUE(eventually([&] { return running.out() == "ready\n"; }, kDeadline)) << running.err();
    running.signal(SIGTERM);
    const Outcome ended = running.wait();
    EXPECT_EQ(ended.exit_code, 9) << ended.text();
    EXPECT_EQ(ended.out, "ready\nended\n");
    EXPECT_TRUE(nothing_left());
}

TEST_P(Run, ATerminalIsTheCommandsOwn) {
    Command inner = command({"--policy", "no-id"},
                            {"/bin/sh", "-c", "test -t 0 && test -t 1 && echo terminal; exit 3"});
    std::string line;
    for (std::string word : inner.argv) {
        for (auto at = word.find('\''); at != std::string::npos; at = word.find('\'', at + 4)) {
            word.replace(at, 1, "'\\''");
        }
        line += "'" + word + "' ";
    }
    inner.argv = {"script", "-qec", line, "/dev/null"};
    const Outcome told = run(inner, scratch_.path());
    EXPECT_EQ(told.exit_code, 3) << told.text();
    EXPECT_NE(told.out.find("terminal"), std::string::npos) << told.text();
    const Outcome piped = shell({"--policy", "no-id"}, "test -t 0 || echo none");
    EXPECT_EQ(piped.out, "none\n") << piped.text();
}

TEST_P(Run, LearnPrintsAPolicyOfWhatRan) {
    const std::string script = "/usr/bin/id -u >/dev/null; /usr/bin/head -n 1 in >/dev/null";
    write_file(work() / "in", "x\n");
    const Outcome learnt = shell({"--learn"}, script);
    ASSERT_EQ(learnt.exit_code, 0) << learnt.text();
    const auto policy = ordered_json::parse(learnt.out, nullptr, false);
    ASSERT_TRUE(policy.is_object()) << learnt.text();
    EXPECT_EQ(policy["default"], "deny");
    EXPECT_TRUE(node_.events().empty()) << "the recording is no part of the node's";
    write_file(work() / "learnt.json", learnt.out);
    const Outcome again = shell({"--policy", "learnt.json"}, script);
    EXPECT_EQ(again.exit_code, 0) << again.text();
    const Outcome other = shell({"--policy", "learnt.json"}, "/usr/bin/true");
    EXPECT_NE(other.exit_code, 0) << other.text();
    EXPECT_TRUE(nothing_left());
}

TEST_P(Run, ARootFileSystemOfItsOwn) {
    const Bundle busybox(scratch_.path() / "busybox");
    const Outcome told = shell({"--policy", "no-id", "--rootfs", busybox.rootfs()},
                               "readlink /bin/sh; pwd; ls /usr; echo no >/srv/no; echo t >/tmp/t "
                               "&& cat /tmp/t");
    EXPECT_EQ(told.out, "busybox\n/\nt\n") << told.text();
    EXPECT_FALSE(fs::exists(busybox.rootfs() / "srv/no"));
    EXPECT_TRUE(nothing_left());
}

TEST_P(Run, WhatCannotBeStartedIsSaidInALineAndLeavesNothing) {
    const auto said = [&](const Words& options, const Words& program, const std::string& text) {
        const Outcome told = run_it(options, program);
        EXPECT_NE(told.exit_code, 0);
        EXPECT_NE(told.err.find(text), std::string::npos) << text << "\n" << told.text();
        EXPECT_TRUE(nothing_left());
    };
    said({}, {"/bin/true"}, "expected --policy or --learn");
    said({"--policy", "none"}, {"/bin/true"}, "--policy none: ");
    said({"--policy", "no-id", "--bind", "/etc"}, {"/bin/true"},
         "--bind /etc: expected SOURCE:DESTINATION");
    said({"--policy", "no-id", "--bind", "/none:/srv"}, {"/bin/true"}, "--bind /none:/srv: ");
    said({"--policy", "no-id", "--rootfs", "/none"}, {"/bin/true"}, "--rootfs /none: ");
    said({"--policy", "no-id", "--env", "NO_SUCH"}, {"/bin/true"}, "--env NO_SUCH: ");
    said({"--policy", "no-id"}, {"/bin/none"}, "/bin/none");
    Command hidden = command({"--policy", "no-id"}, {"/bin/true"});
    hidden.cwd = "/root";
    const Outcome told = run(hidden, scratch_.path());
    EXPECT_EQ(told.exit_code, 1);
    EXPECT_NE(told.err.find("the working folder /root is hidden"), std::string::npos)
        << told.text();
}

INSTANTIATE_TEST_SUITE_P(Engines, Run, testing::Values(Engine::kRunc, Engine::kCrun),
                         [](const auto& row) { return std::string(engine_name(row.param)); });

}  // namespace
}  // namespace execseal::e2e
