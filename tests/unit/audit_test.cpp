#include "hook/gate/audit.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <regex>

#include "tests/unit/folder_test.h"

namespace execseal {
namespace {

using nlohmann::json;

class Audit : public FolderTest {
  protected:
    void SetUp() override {
        plan_.container_id = "web";
        plan_.container_name = "front";
        plan_.policy.name = "small";
        plan_.annotations = {{"io.execseal.policy", "small"}};
        settings_.file = directory_ + "/audit.jsonl";
    }
    json write(const ExecEvent& event) { return json::parse(write_text(event)); }
    std::string write_text(const ExecEvent& event) {
        auto log = AuditLog::open(settings_, plan_);
        EXPECT_TRUE(log.has_value());
        log->exec(event);
        std::ifstream file(settings_.file);
        std::string last;
        for (std::string line; std::getline(file, line);) {
            last = line;
        }
        return last;
    }
    // What follows the time and the container's members, which open every line.
    std::string members(const ExecEvent& event) {
        static const std::regex opening(
            R"(\{"time":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z","event":"exec",)"
            R"("container":\{"id":"web","name":"front"\},"policy":"small",)"
            R"("annotations":\{"io\.execseal\.policy":"small"\},(.*)\})");
        const std::string line = write_text(event);
        std::smatch parts;
        EXPECT_TRUE(std::regex_match(line, parts, opening)) << line;
        return parts.size() == 2 ? parts[1].str() : "";
    }

    static ExecEvent event() {
        ExecEvent event;
        event.host_pid = 100;
        event.container_pid = 7;
        event.ppid = 99;
        ExecFacts facts;
        facts.views = {{ViewRole::kProgram, "/app/run.sh", {"/app/run.sh", "a b"}},
                       {ViewRole::kInterpreter, "/bin/sh", {"/bin/sh", "/app/run.sh", "a b"}}};
        facts.requested_path = "run.sh";
        facts.cwd = "/app";
        facts.uid = 1000;
        facts.gid = 1001;
        facts.via = Via::kExec;
        event.facts = facts;
        event.judgement = {Verdict::kAllow, 0, "small", "app", "exe matches /app/*", {}};
        event.outcome = Outcome::kExecuted;
        event.latency = std::chrono::microseconds(123);
        return event;
    }

    Plan plan_;
    AuditSettings settings_;
};

TEST_F(Audit, ThePodStandsWithTheContainerWhereThereIsOne) {
    plan_.pod = "shop/front-0";
    EXPECT_EQ(write(event())["container"]["pod"], "shop/front-0");
}

TEST_F(Audit, ALineHoldsAllThatTheReadmePromises) {
    const json line = write(event());
    EXPECT_EQ(line["event"], "exec");
    EXPECT_TRUE(line["time"].get<std::string>().ends_with("Z"));
    EXPECT_EQ(line["container"], (json{{"id", "web"}, {"name", "front"}}));
    EXPECT_EQ(line["policy"], "small");
    EXPECT_EQ(line["annotations"]["io.execseal.policy"], "small");
    EXPECT_EQ(line["host_pid"], 100);
    EXPECT_EQ(line["container_pid"], 7);
    EXPECT_EQ(line["ppid"], 99);
    EXPECT_EQ(line["uid"], 1000);
    EXPECT_EQ(line["gid"], 1001);
    EXPECT_EQ(line["exe"], "/app/run.sh");
    EXPECT_EQ(line["argv"], (json{"/app/run.sh", "a b"}));
    EXPECT_EQ(line["through"], json{"/bin/sh"});
    EXPECT_EQ(line["requested"], "run.sh");
    EXPECT_EQ(line["cwd"], "/app");
    EXPECT_EQ(line["via"], "exec");
    EXPECT_EQ(line["verdict"], "allow");
    EXPECT_EQ(line["rule"], "app");
    EXPECT_EQ(line["decided_by"], "small");
    EXPECT_EQ(line["outcome"], "executed");
    EXPECT_EQ(line["latency_us"], 123);
    EXPECT_FALSE(line.contains("errno"));
    EXPECT_FALSE(line.contains("raced"));
    EXPECT_FALSE(line.contains("race_detected"));
}

// Whoever reads these lines may do so without a JSON parser (grep, awk): their very bytes are kept.
TEST_F(Audit, TheTextOfALineIsKeptByteForByte) {
    EXPECT_EQ(members(event()),
              R"("host_pid":100,"container_pid":7,"ppid":99,"uid":1000,"gid":1001,)"
              R"("exe":"/app/run.sh","argv":["/app/run.sh","a b"],"through":["/bin/sh"],)"
              R"("requested":"run.sh","cwd":"/app","via":"exec","verdict":"allow","rule":"app",)"
              R"("reason":"exe matches /app/*","decided_by":"small","outcome":"executed",)"
              R"("latency_us":123)");

    ExecEvent raced = event();
    raced.facts->views.pop_back();
    raced.facts->views[0].argv.clear();
    raced.facts->cwd = "/\xff";
    raced.judgement.verdict = Verdict::kAudit;
    raced.judgement.softened = Verdict::kKill;
    raced.judgement.policy.clear();
    raced.outcome = Outcome::kKilled;
    raced.error = 2;
    raced.latency = std::chrono::microseconds(-1);
    raced.gate.freeze = "failed: \xff \xc3\xbc";
    raced.gate.raced = true;
    raced.gate.race_detected = true;
    raced.gate.race_field = "env[0]";
    raced.gate.race_judged = "\x80";
    raced.gate.race_taken = "/a";
    EXPECT_EQ(members(raced),
              R"("host_pid":100,"container_pid":7,"ppid":99,"uid":1000,"gid":1001,)"
              R"("exe":"/app/run.sh","argv":[],"requested":"run.sh","cwd":{"hex":"2fff"},)"
              R"("via":"exec","verdict":"audit","would_be":"kill","rule":"app",)"
              R"("reason":"exe matches /app/*","outcome":"killed","errno":2,"latency_us":-1,)"
              "\"freeze\":\"failed: \xef\xbf\xbd \xc3\xbc\","
              R"("frozen_tasks":0,"frozen_us":0,"raced":true,)"
              R"("race_detected":{"field":"env[0]","judged":{"hex":"80"},"taken":"/a"})");

    ExecEvent blind;
    blind.requested = "x";
    EXPECT_EQ(members(blind),
              R"("host_pid":0,"container_pid":0,"ppid":0,"requested":"x","verdict":"deny",)"
              R"("rule":"","reason":"","outcome":"refused","latency_us":0)");
}

// Every byte as the only one of an argument, and between two letters: which of them are escaped,
// and how, and which make bytes that are no text.
TEST_F(Audit, EachByteIsEscapedAsJsonAsksOrShownAsHex) {
    for (int value = 1; value < 256; ++value) {
        const std::string byte(1, static_cast<char>(value));
        ExecEvent odd = event();
        odd.facts->views[0].argv = {byte, "a" + byte + "z"};
        const std::string text = write_text(odd);
        const json argv = json::parse(text)["argv"];
        if (value >= 0x80) {
            EXPECT_TRUE(argv[0].contains("hex") && argv[1].contains("hex")) << text;
            continue;
        }
        const std::string dumped = json(odd.facts->views[0].argv).dump();
        EXPECT_NE(text.find("\"argv\":" + dumped + ","), std::string::npos) << text;
    }
}

TEST_F(Audit, BytesThatAreNotTextStandAsHexAndNothingIsCut) {
    ExecEvent odd = event();
    const std::string long_text(200000, 'x');
    odd.facts->views[0].argv = {std::string("\xff\n\"", 3), long_text, "tab\t\"quote\" \\ \x01",
                                "\xc3\xbc", ""};
    const json line = write(odd);
    EXPECT_EQ(line["argv"][0], (json{{"hex", "ff0a22"}}));
    EXPECT_EQ(line["argv"][1], long_text);
    EXPECT_EQ(line["argv"][2], "tab\t\"quote\" \\ \x01");
    EXPECT_EQ(line["argv"][3], "\xc3\xbc");
    EXPECT_EQ(line["argv"][4], "");
}

TEST_F(Audit, ARaceIsToldWithBothValues) {
    ExecEvent raced = event();
    raced.outcome = Outcome::kKilled;
    raced.gate.freeze = "pidns";
    raced.gate.frozen_tasks = 3;
    raced.gate.frozen_for = std::chrono::microseconds(250);
    raced.gate.raced = true;
    raced.gate.race_detected = true;
    raced.gate.race_field = "argv[1]";
    raced.gate.race_judged = "good";
    raced.gate.race_taken = "evil";
    const json line = write(raced);
    EXPECT_EQ(line["outcome"], "killed");
    EXPECT_EQ(line["race_detected"],
              (json{{"field", "argv[1]"}, {"judged", "good"}, {"taken", "evil"}}));
    EXPECT_EQ(line["raced"], true);
    EXPECT_EQ(line["frozen_tasks"], 3);
    EXPECT_EQ(line["frozen_us"], 250);
}

TEST_F(Audit, WhatCouldNotBeReadIsStillAnEvent) {
    ExecEvent blind;
    blind.host_pid = 5;
    blind.judgement = {Verdict::kDeny, EFAULT, "", "unreadable", "argv[2] at 0x1000", {}};
    blind.error = EFAULT;
    blind.requested = "/bin/x";
    const json line = write(blind);
    EXPECT_EQ(line["verdict"], "deny");
    EXPECT_EQ(line["errno"], EFAULT);
    EXPECT_EQ(line["requested"], "/bin/x");
    EXPECT_FALSE(line.contains("argv"));
}

TEST_F(Audit, AFileThatCannotBeOpenedIsAnErrorAtTheStart) {
    settings_.file = "/proc/nowhere/audit.jsonl";
    EXPECT_FALSE(AuditLog::open(settings_, plan_).has_value());
}

}  // namespace
}  // namespace execseal
