// `execseal` on a node with a real container: what it shows is what happened, and what cannot be
// shown is said.
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <fstream>
#include <memory>

#include "tests/e2e/agents.h"
#include "tests/e2e/bundle.h"
#include "tests/e2e/container.h"

namespace execseal::e2e {
namespace {

using nlohmann::ordered_json;

ordered_json small_policy() {
    return ordered_json::parse(R"({
        "apiVersion": "execseal/v1", "name": "small", "default": "allow",
        "rules": [
            {"id": "no-wget", "verdict": "deny", "errno": "EPERM", "exe": "/bin/wget"},
            {"id": "no-shell-by-exec", "verdict": "deny", "exe": "/bin/sh", "via": "exec"}
        ]})");
}

class Cli : public testing::Test {
  protected:
    Cli() { node_.policy("small", small_policy()).write(); }

    [[nodiscard]] Command command(std::vector<std::string> words) const {
        words.insert(words.begin(), EXECSEAL_CLI);
        return {.argv = std::move(words), .env = {{"EXECSEAL_CONFIG", node_.settings_path()}}};
    }
    [[nodiscard]] Outcome cli(std::vector<std::string> words) const {
        return run(command(std::move(words)), scratch_.path());
    }
    [[nodiscard]] std::filesystem::path policy_file() const {
        return scratch_.path() / "policies.d" / "small.json";
    }
    Bundle& sleeper() {
        bundle_.annotation("io.execseal.policy", "small").args({"/bin/sleep", "1000"}).write();
        return bundle_;
    }

    Scratch scratch_;
    Node node_{scratch_};
    Bundle bundle_{scratch_.path() / "bundle"};
};

ordered_json parse(const Outcome& outcome) {
    auto json = ordered_json::parse(outcome.out, nullptr, false);
    EXPECT_FALSE(json.is_discarded()) << outcome.text();
    return json;
}

TEST_F(Cli, PsShowsAContainerAndItsTasksAndForgetsItWhenItIsGone) {
    std::filesystem::create_directories(node_.run_dir());
    EXPECT_EQ(cli({"ps"}).exit_code, 0) << "no containers yet";
    Container container(node_.runtime(), sleeper(), scratch_);
    ASSERT_EQ(container.create().exit_code, 0) << container.err();
    ASSERT_EQ(container.start().exit_code, 0);
    ASSERT_EQ(container.exec({"/bin/echo"}).exit_code, 0);
    ASSERT_NE(container.exec({"/bin/sh"}).exit_code, 0);

    const Outcome shown = cli({"ps", "--format", "json"});
    ASSERT_EQ(shown.exit_code, 0) << shown.text();
    const ordered_json containers = parse(shown);
    ASSERT_EQ(containers.size(), 1U) << shown.out;
    EXPECT_EQ(containers[0]["container_id"], container.id());
    EXPECT_EQ(containers[0]["policy"], "small");
    EXPECT_EQ(containers[0]["mode"], "enforce");
    EXPECT_EQ(containers[0]["protect"], (ordered_json{{"freeze", "writers"}, {"verify", true}}));
    EXPECT_GE(containers[0]["decisions"]["allow"].get<int>(), 2);
    EXPECT_GE(containers[0]["decisions"]["deny"].get<int>(), 1);
    const auto supervisor = containers[0]["supervisor_pid"].get<int>();
    EXPECT_EQ(read_file("/proc/" + std::to_string(supervisor) + "/cmdline"),
              node_.hook() + std::string("\0supervise\0", 11));
    const Outcome table = cli({"ps"});
    EXPECT_NE(table.out.find(container.id() + "  -     small   enforce  writers+verify"),
              std::string::npos)
        << table.text();

    const Outcome tasks = cli({"ps", "-t", container.id(), "--format", "json"});
    ASSERT_EQ(tasks.exit_code, 0) << tasks.text();
    const ordered_json rows = parse(tasks)["tasks"];
    ASSERT_EQ(rows.size(), 1U) << tasks.out;
    EXPECT_EQ(rows[0]["tid"], container.init_pid());
    EXPECT_EQ(rows[0]["container_pid"], 1);
    EXPECT_EQ(rows[0]["exe"], "/bin/busybox");
    const Outcome task_table = cli({"ps", "-t", container.id()});
    EXPECT_NE(task_table.out.find("/bin/busybox\n"), std::string::npos) << task_table.text();
    const Outcome unknown = cli({"ps", "-t", "nobody"});
    EXPECT_EQ(unknown.exit_code, 1);
    EXPECT_EQ(unknown.out, "");
    EXPECT_NE(unknown.err.find("container nobody: no supervised container"), std::string::npos);

    EXPECT_EQ(container.kill("KILL").exit_code, 0);
    EXPECT_TRUE(container.wait_until_stopped());
    EXPECT_TRUE(eventually([&] { return parse(cli({"ps", "--format", "json"})).empty(); }));
}

TEST_F(Cli, PsSaysThatItsDirectoryIsGone) {
    for (const std::vector<std::string>& words :
         {std::vector<std::string>{"ps"}, {"ps", "--format", "json"}, {"ps", "-t", "any"}}) {
        std::filesystem::remove_all(node_.run_dir());
        const Outcome shown = cli(words);
        EXPECT_EQ(shown.exit_code, 1) << shown.text();
        EXPECT_EQ(shown.out, "");
        EXPECT_NE(shown.err.find(node_.run_dir().string() + ": no such directory"),
                  std::string::npos)
            << shown.text();
        EXPECT_EQ(lines_of(shown.err).size(), 1U) << shown.err;
        write_file(node_.run_dir(), "a file in its place");
        EXPECT_EQ(cli(words).exit_code, 1);
        std::filesystem::remove(node_.run_dir());
        std::filesystem::create_directories(node_.run_dir());
        EXPECT_EQ(cli(words).exit_code, words.back() == "any" ? 1 : 0) << "there and empty";
    }
}

TEST_F(Cli, PsSaysThatASupervisorHasDied) {
    const auto left = node_.run_dir() / "web-12345678";
    std::filesystem::create_directories(left);
    write_file(left / "lock", "");
    const Outcome shown = cli({"ps"});
    EXPECT_EQ(shown.exit_code, 1) << shown.text();
    EXPECT_NE(shown.err.find(left.string() + ": its supervisor has died"), std::string::npos)
        << shown.text();
}

TEST_F(Cli, PsClearsWhatADeadSupervisorOfAContainerThatIsGoneHasLeft) {
    Container container(node_.runtime(), sleeper(), scratch_);
    ASSERT_EQ(container.create().exit_code, 0) << container.err();
    ASSERT_EQ(container.start().exit_code, 0);
    // An exec that was answered and not yet verified would be killed with its supervisor.
    ASSERT_TRUE(eventually([&] { return !node_.events_of("/bin/sleep").empty(); }));
    const pid_t first = container.init_pid();
    ASSERT_GT(first, 1);
    const ordered_json shown = parse(cli({"ps", "--format", "json"}));
    ASSERT_EQ(shown.size(), 1U);
    const auto supervisor = shown[0]["supervisor_pid"].get<pid_t>();
    ASSERT_GT(supervisor, 1);
    ASSERT_EQ(::kill(supervisor, SIGKILL), 0);
    Outcome ps;
    const auto says = [&](const std::string& what) {
        ps = cli({"ps"});
        return ps.err.find(what) != std::string::npos;
    };
    EXPECT_TRUE(eventually([&] { return says("its supervisor has died; if"); })) << ps.text();
    EXPECT_EQ(ps.exit_code, 1) << "its container runs";
    ASSERT_EQ(::kill(first, SIGKILL), 0);
    EXPECT_TRUE(eventually([&] { return says("what it left behind is cleared"); })) << ps.text();
    EXPECT_EQ(ps.exit_code, 0);
    EXPECT_TRUE(std::filesystem::is_empty(node_.run_dir()));
    ps = cli({"ps"});
    EXPECT_EQ(ps.exit_code, 0);
    EXPECT_EQ(ps.err, "");
}

TEST_F(Cli, PsDoesNotTakeTheNodeAgentForAContainer) {
    std::filesystem::create_directories(node_.run_dir() / "agent");
    write_file(node_.run_dir() / "agent/lock", "");
    const Outcome shown = cli({"ps", "--format", "json"});
    EXPECT_EQ(shown.exit_code, 0) << shown.text();
    EXPECT_EQ(parse(shown), ordered_json::array());
}

TEST_F(Cli, EventsAreFilteredAndExplainTheDenial) {
    bundle_.annotation("io.execseal.policy", "small")
        .args({"/bin/sh", "-c", "/bin/wget http://127.0.0.1/ 2>/dev/null; /bin/true"})
        .write();
    ASSERT_EQ(Container(node_.runtime(), bundle_, scratch_).run().exit_code, 0);
    const Outcome denied = cli({"events", "--verdict", "deny"});
    ASSERT_EQ(denied.exit_code, 0) << denied.text();
    EXPECT_EQ(std::count(denied.out.begin(), denied.out.end(), '\n'), 2) << denied.out;
    EXPECT_NE(denied.out.find("/bin/wget http://127.0.0.1/   # exe is \"/bin/wget\""),
              std::string::npos)
        << denied.out;
    EXPECT_NE(denied.out.find("refused EPERM  no-wget"), std::string::npos) << denied.out;

    const Outcome all = cli({"events", "--format", "json"});
    EXPECT_EQ(all.out, read_file(scratch_.path() / "audit.jsonl"));
    const ordered_json entry = parse(cli({"events", "--via", "entrypoint", "--format", "json"}));
    EXPECT_EQ(entry["exe"], "/bin/sh");
    const ordered_json last = parse(cli({"events", "-n", "1", "--format", "json"}));
    EXPECT_EQ(last["event"], "end");
    EXPECT_EQ(cli({"events", "--since", "2100-01-01", "--format", "json"}).out, "");
}

TEST_F(Cli, EventsFollowShowsWhatHappensAcrossRotation) {
    const auto audit = scratch_.path() / "audit.jsonl";
    Running follow(command({"events", "--follow", "--since", "2000-01-01", "--exe", "/bin/true",
                            "--format", "json"}),
                   scratch_.path());
    const auto lines = [&] {
        const std::string out = follow.out();
        return std::count(out.begin(), out.end(), '\n');
    };
    bundle_.annotation("io.execseal.policy", "small")
        .args({"/bin/sh", "-c", "/bin/true; exit 0"})
        .write();
    ASSERT_EQ(Container(node_.runtime(), bundle_, scratch_).run().exit_code, 0);
    EXPECT_TRUE(eventually([&] { return lines() == 1; })) << follow.out() << follow.err();
    std::filesystem::rename(audit, audit.string() + ".1");
    ASSERT_EQ(Container(node_.runtime(), bundle_, scratch_).run().exit_code, 0);
    EXPECT_TRUE(eventually([&] { return lines() == 2; })) << follow.out() << follow.err();
    follow.signal(SIGTERM);
    EXPECT_EQ(follow.wait().exit_code, 128 + SIGTERM);
}

std::string event_line(const std::string& container, const std::string& exe) {
    return R"({"time":"2026-01-31T12:00:00.000001Z","event":"exec","container":)" + container +
           R"(,"policy":"p","exe":")" + exe +
           R"(","argv":["x"],"via":"child","verdict":"allow","rule":"r","outcome":"executed"})" +
           "\n";
}

TEST_F(Cli, EventsFollowBeginsAtTheEnd) {
    const auto audit = scratch_.path() / "past.jsonl";
    const auto line = [](const std::string& exe) { return event_line(R"({"id":"a"})", exe); };
    std::ofstream(audit) << line("/bin/first") << line("/bin/second") << line("/bin/third");
    const auto follow_from = [&](const std::vector<std::string>& words) {
        std::vector<std::string> all{"events", "--follow", "--format",
                                     "json",   "--file",   audit.string()};
        all.insert(all.end(), words.begin(), words.end());
        auto follow = std::make_unique<Running>(command(all), scratch_.path());
        // It is not known when it has come to the end: one line or another is behind it.
        EXPECT_TRUE(eventually([&] {
            std::ofstream(audit, std::ios::app) << line("/bin/news");
            return follow->out().find("/bin/news") != std::string::npos;
        }));
        follow->signal(SIGTERM);
        (void)follow->wait();
        return follow->out();
    };
    EXPECT_EQ(follow_from({}).find("/bin/third"), std::string::npos);
    const std::string since = follow_from({"--since", "2026-01-01"});
    EXPECT_NE(since.find("/bin/first"), std::string::npos) << since;
    std::ofstream(audit) << line("/bin/first") << line("/bin/second") << line("/bin/third");
    const std::string last = follow_from({"-n", "1"});
    EXPECT_EQ(last.find("/bin/second"), std::string::npos) << last;
}

TEST_F(Cli, EventsOfAWordForSeveralContainersAreAnErrorThatListsThem) {
    const auto audit = scratch_.path() / "pods.jsonl";
    std::ofstream(audit) << event_line(R"({"id":"aa1","name":"web","pod":"shop/a"})", "/bin/a")
                         << event_line(R"({"id":"ab1","name":"web","pod":"shop/b"})", "/bin/b")
                         << event_line(R"({"id":"aa2","name":"web","pod":"shop/a"})", "/bin/c");
    const auto of = [&](const std::string& container) {
        return cli({"events", "--file", audit.string(), "--container", container});
    };
    const Outcome several = of("web");
    EXPECT_EQ(several.exit_code, 1);
    EXPECT_EQ(several.out, "");
    EXPECT_EQ(several.err,
              "execseal: container web: 2 containers are called so: aa1 shop/a/web, "
              "ab1 shop/b/web\n");
    const Outcome again = of("shop/a/web");
    EXPECT_EQ(again.exit_code, 0);
    EXPECT_NE(again.out.find("/bin/a"), std::string::npos) << again.text();
    EXPECT_NE(again.out.find("/bin/c"), std::string::npos) << "it was started again";
    EXPECT_EQ(again.out.find("/bin/b"), std::string::npos);
    EXPECT_EQ(of("a").exit_code, 1) << "the beginning of three ids";
}

// An event must not hide behind its own size: 5.9 MB of \x01 are 36 MB of JSON.
TEST_F(Cli, EventsShowALineHoweverLongItIs) {
    const auto audit = scratch_.path() / "long.jsonl";
    const auto line = [](const std::string& exe, const std::string& argument) {
        return R"({"time":"2026-01-31T12:00:00.000001Z","event":"exec","container":{"id":"a","name":""},)"
               R"("policy":"p","exe":")" +
               exe + R"(","argv":["x",")" + argument +
               R"("],"via":"child","verdict":"allow","rule":"r","outcome":"executed"})" + "\n";
    };
    constexpr std::size_t kLong = std::size_t{40} << 20U;
    std::ofstream(audit) << line("/bin/large", std::string(kLong, 'a')) << line("/bin/small", "b");
    const Outcome shown = cli({"events", "--file", audit.string()});
    EXPECT_EQ(shown.exit_code, 0) << shown.err;
    EXPECT_NE(shown.out.find("/bin/large"), std::string::npos) << shown.text();
    EXPECT_NE(shown.out.find("/bin/small"), std::string::npos) << "the control";
}

TEST_F(Cli, EventsSayWhatIsWrongWithTheFile) {
    const Outcome none = cli({"events"});
    EXPECT_EQ(none.exit_code, 1);
    EXPECT_NE(none.err.find("audit.jsonl: no such file"), std::string::npos) << none.text();
    EXPECT_EQ(cli({"events", "--file", "/etc/passwd/audit.jsonl"}).err,
              "execseal: /etc/passwd/audit.jsonl: Not a directory\n");
    const Outcome nowhere = cli({"events", "--follow", "--file", "/nowhere/audit.jsonl"});
    EXPECT_EQ(nowhere.exit_code, 1);
    EXPECT_NE(nowhere.err.find("/nowhere/audit.jsonl: its directory is not there"),
              std::string::npos)
        << nowhere.text();
    write_file(scratch_.path() / "audit.jsonl", "nonsense\n\n{}\n[]\n");
    const Outcome foreign = cli({"events"});
    EXPECT_EQ(foreign.exit_code, 1);
    EXPECT_NE(foreign.err.find("3 lines are no events"), std::string::npos) << foreign.text();
    EXPECT_EQ(cli({"events", "--since", "tomorrow"}).exit_code, 2);
    node_.settings()["audit"] = {{"file", ""}, {"syslog", true}};
    node_.write();
    EXPECT_NE(cli({"events"}).err.find("/audit/file: events go to syslog only"), std::string::npos);
    write_file(node_.settings_path(), "{");
    EXPECT_NE(cli({"events"}).err.find("execseal.json: line 1"), std::string::npos);
}

TEST_F(Cli, PolicyCheckNamesEveryFileThatIsWrong) {
    const auto bad = scratch_.path() / "bad.json";
    write_file(bad, R"({"apiVersion": "execseal/v1", "name": "bad", "default": "maybe"})");
    const Outcome checked = cli({"policy", "check", policy_file(), bad, "/nowhere.json"});
    EXPECT_EQ(checked.exit_code, 1);
    EXPECT_EQ(checked.out, policy_file().string() + ": ok, policy small, 2 rules, default allow\n");
    EXPECT_NE(checked.err.find(bad.string() + ": /default: expected"), std::string::npos);
    EXPECT_NE(checked.err.find("/nowhere.json: No such file"), std::string::npos) << checked.err;
    EXPECT_EQ(std::count(checked.err.begin(), checked.err.end(), '\n'), 2) << checked.err;
    EXPECT_EQ(cli({"policy", "check"}).exit_code, 0);
    node_.policy("other", small_policy());
    const Outcome misnamed = cli({"policy", "check"});
    EXPECT_EQ(misnamed.exit_code, 1);
    EXPECT_NE(misnamed.err.find("other.json: /name: expected \"other\""), std::string::npos);
    EXPECT_EQ(cli({"policy", "explain", "other", "--", "/bin/id"}).err, "execseal: " + misnamed.err)
        << "as the start of a container";
}

// The README's second step is typed anywhere, about a policy of the node.
TEST_F(Cli, ABarePolicyFileIsLookedForHereAndThenInTheNodesFolder) {
    const auto here = scratch_.path() / "here";
    std::filesystem::create_directory(here);
    const auto cli_here = [&](const std::vector<std::string>& words) {
        Command typed = command(words);
        typed.cwd = here;
        return run(typed, scratch_.path());
    };
    const auto explain = [&](const char* file) {
        return cli_here({"policy", "explain", file, "--via", "exec", "--", "/bin/sh"});
    };
    EXPECT_EQ(explain("small.json").exit_code, 1) << "the node's denies";
    EXPECT_EQ(cli_here({"policy", "check", "small.json"}).exit_code, 0);
    const Outcome none = explain("none.json");
    EXPECT_NE(none.exit_code, 0);
    EXPECT_NE(none.err.find("none.json: No such file"), std::string::npos) << none.err;
    write_file(here / "small.json",
               R"({"apiVersion": "execseal/v1", "name": "small", "default": "allow"})");
    EXPECT_EQ(explain("small.json").exit_code, 0) << "what lies here comes first";
    EXPECT_EQ(explain("small").exit_code, 1) << "a name is always the node's";
}

TEST_F(Cli, PolicyExplainSaysWhatTheContainerThenGets) {
    const Outcome denied = cli({"policy", "explain", "small", "--via", "exec", "--", "/bin/sh"});
    EXPECT_EQ(denied.exit_code, 1);
    EXPECT_NE(denied.out.find("verdict   deny (EACCES), small: rule no-shell-by-exec"),
              std::string::npos)
        << denied.text();
    EXPECT_EQ(cli({"policy", "explain", policy_file(), "--", "/bin/sh", "-c", "--help"}).exit_code,
              0);
    Container container(node_.runtime(), sleeper(), scratch_);
    ASSERT_EQ(container.create().exit_code, 0);
    ASSERT_EQ(container.start().exit_code, 0);
    EXPECT_NE(container.exec({"/bin/sh", "-c", "true"}).exit_code, 0);
}

TEST_F(Cli, PolicyExplainAsksTheFloorToo) {
    node_.policy("base", ordered_json::parse(R"({"apiVersion": "execseal/v1", "name": "base",
        "default": "allow", "rules": [{"id": "no-id", "verdict": "kill", "exe": "/bin/id"}]})"));
    node_.settings()["floor_policy"] = "base";
    node_.write();
    const Outcome killed = cli({"policy", "explain", "small", "--format", "json", "--", "/bin/id"});
    EXPECT_EQ(killed.exit_code, 1);
    const ordered_json json = parse(killed);
    EXPECT_EQ(json["verdict"], "kill");
    EXPECT_EQ(json["decided_by"], "base");
    EXPECT_EQ(json["policies"].size(), 2U);
    EXPECT_EQ(cli({"policy", "explain", "small", "--", "/bin/true"}).exit_code, 0);
}

TEST_F(Cli, PolicyExplainTakesWhatStandsAboveFromTheCommandLine) {
    const std::string file = scratch_.path() / "below.json";
    write_file(file, R"({"apiVersion": "execseal/v1", "name": "below", "default": "allow", "rules":
        [{"id": "of-nginx", "verdict": "deny", "exe": "/bin/sh", "ancestor": "/usr/sbin/nginx"}]})");
    const auto explain = [&](const std::vector<std::string>& options) {
        std::vector<std::string> words{"policy", "explain", file, "--format", "json"};
        words.insert(words.end(), options.begin(), options.end());
        words.insert(words.end(), {"--", "/bin/sh"});
        return cli(words);
    };
    const Outcome below = explain({"--parent", "/usr/bin/php", "--parent", "/usr/sbin/nginx"});
    EXPECT_EQ(below.exit_code, 1) << below.text();
    EXPECT_EQ(parse(below)["above"], (ordered_json{"/usr/bin/php", "/usr/sbin/nginx"}));
    EXPECT_EQ(parse(below)["depth"], 2);
    EXPECT_EQ(explain({"--parent", "/usr/bin/php"}).exit_code, 0) << "the control";
    EXPECT_EQ(explain({"--via", "exec"}).exit_code, 0) << "nothing stands above it";
    const Outcome unknown = explain({});
    EXPECT_EQ(unknown.exit_code, 1) << unknown.text();
    EXPECT_EQ(parse(unknown)["above_unknown"], true);
}

// The same names that the supervisor's resolver gives in a container.
TEST_F(Cli, PolicyExplainLooksProgramsUpInARootfs) {
    bundle_.file("/app/run.sh", "#!/bin/sh -e\necho\n", 0755);
    const auto explain = [&](std::vector<std::string> command) {
        std::vector<std::string> words{"policy",         "explain",  "small", "--rootfs",
                                       bundle_.rootfs(), "--format", "json",  "--"};
        words.insert(words.end(), command.begin(), command.end());
        return cli(words);
    };
    const ordered_json applet = parse(explain({"wget", "x"}));  // by PATH, a link to busybox
    EXPECT_EQ(applet["programs"][0]["exe"], "/bin/wget");
    EXPECT_EQ(applet["programs"][1]["exe"], "/bin/busybox");
    EXPECT_EQ(applet["rule"], "no-wget");
    const ordered_json script = parse(explain({"/app/run.sh", "a"}));
    EXPECT_EQ(script["programs"][0]["exe"], "/app/run.sh");
    EXPECT_EQ(script["programs"][1]["exe"], "/bin/sh");
    EXPECT_EQ(script["programs"][1]["argv"], (ordered_json{"/bin/sh", "-e", "/app/run.sh", "a"}))
        << script.dump();
    const Outcome none = explain({"/bin/none"});
    EXPECT_EQ(none.exit_code, 1);
    EXPECT_NE(none.err.find("/bin/none"), std::string::npos) << none.text();
}

TEST_F(Cli, DoctorIsContentWithThisNodeAndSaysWhatIsWrongWithAnother) {
    const auto failed = [](const ordered_json& findings) {
        std::vector<std::string> subjects;
        for (const auto& finding : findings) {
            if (finding["health"] == "fail") {
                subjects.push_back(finding["subject"]);
            }
        }
        return subjects;
    };
    const std::vector<std::string> words{"doctor", "--root", scratch_.path() / "root", "--format",
                                         "json"};
    const Outcome well = cli(words);
    EXPECT_EQ(well.exit_code, 0) << well.text();
    EXPECT_EQ(failed(parse(well)), std::vector<std::string>{});
    node_.settings()["hook"] = "/nowhere/execseal-hook";
    node_.settings()["runtimes"] = {"/nowhere/runc"};
    node_.write();
    const Outcome ill = cli(words);
    EXPECT_EQ(ill.exit_code, 1);
    EXPECT_EQ(failed(parse(ill)), (std::vector<std::string>{"runtime", "hook"})) << ill.out;
    write_file(node_.settings_path(), "{");
    EXPECT_EQ(failed(parse(cli(words))), std::vector<std::string>{"settings"});
}

TEST_F(Cli, WhatCannotBeWrittenIsAFailure) {
    write_file(scratch_.path() / "audit.jsonl", "");
    for (const std::string command : {"events", "policy check", "--help"}) {
        const Outcome full =
            run({.argv = {"sh", "-c", "exec " EXECSEAL_CLI " " + command + " >/dev/full"},
                 .env = {{"EXECSEAL_CONFIG", node_.settings_path()}}},
                scratch_.path());
        EXPECT_EQ(full.exit_code, 1) << command << full.text();
        EXPECT_EQ(full.err, "execseal: writing to stdout failed\n") << command;
    }
}

TEST_F(Cli, WrongUsageIsSaidAndExits2) {
    EXPECT_EQ(cli({"policy", "explain", "small", "/bin/sh"}).exit_code, 2);
    EXPECT_EQ(cli({"nothing"}).exit_code, 2);
    const Outcome relative = cli({"policy", "explain", "small", "--", "sh"});
    EXPECT_EQ(relative.exit_code, 2);
    EXPECT_NE(relative.err.find("sh: expected the absolute path"), std::string::npos);
    const Outcome env = cli({"policy", "explain", "small", "--env", "A", "--", "/bin/sh"});
    EXPECT_NE(env.err.find("--env: A: expected NAME=VALUE"), std::string::npos) << env.text();
}

}  // namespace
}  // namespace execseal::e2e
