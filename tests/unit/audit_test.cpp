#include "hook/gate/audit.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>

#include "config/built_in_rules.h"
#include "config/digest.h"
#include "hook/cli/event.h"
#include "tests/unit/folder_test.h"

namespace execseal {
namespace {

using nlohmann::json;

class Audit : public FolderTest {
  protected:
    void SetUp() override {
        plan_.container_id = "web";
        plan_.container_name = "front";
        plan_.bundle = "/run/containerd/io.containerd.runtime.v2.task/k8s.io/web";
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
    std::vector<json> lines() {
        std::ifstream file(settings_.file);
        std::vector<json> all;
        for (std::string line; std::getline(file, line);) {
            all.push_back(json::parse(line, nullptr, false));
        }
        return all;
    }
    // What follows the time and the container's members, which open every line.
    std::string members(const ExecEvent& event) {
        static const std::regex opening(
            R"(\{"time":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z","event":"exec",)"
            R"("container":\{"id":"web","name":"front"\},"policy":"small",)"
            R"("annotations":\{"io\.execseal\.policy":"small"\},(.*),"id":"[0-9a-f]{10}-1"\})");
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

TEST_F(Audit, ANameThatOnlyTheAuthorVouchesForIsMarkedAsAClaim) {
    EXPECT_FALSE(write(event())["container"].contains("claimed"));
    plan_.bundle = "/var/lib/containers/storage/overlay-containers/web/userdata";
    EXPECT_EQ(write(event())["container"]["claimed"], true);
    plan_.container_name.clear();
    EXPECT_FALSE(write(event())["container"].contains("claimed")) << "nothing is claimed";
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
              R"("latency_us":123,)"
              R"("views":[{"role":"interpreter","head":["/bin/sh"],"rest":2}])");

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
        const std::string dumped =
            value == 0x7f ? R"(["\u007f","a\u007fz"])" : json(odd.facts->views[0].argv).dump();
        EXPECT_NE(text.find("\"argv\":" + dumped + ","), std::string::npos) << text;
    }
}

TEST_F(Audit, BytesThatAreNotTextStandAsHexAndNothingIsCut) {
    settings_.keep_all = true;
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

// All that a terminal obeys or that turns text around, as bytes of an argument and of a reason.
TEST_F(Audit, NoCharacterThatMovesATerminalStandsInALine) {
    const std::vector<std::string> bad{"\xc2\x9b",     "\xc2\x85",     "\xe2\x80\xae",
                                       "\xe2\x81\xa6", "\xe2\x80\x8f", "\xd8\x9c",
                                       "\xe2\x80\xa8", "\x7f",         "\x1b"};
    ExecEvent odd = event();
    odd.facts->views[0].argv = bad;
    odd.facts->views[0].argv.emplace_back("\xc3\xbc");  // the control: other text stays
    odd.judgement.reason = bad[0];
    odd.gate.freeze = "failed: " + bad[2];
    const std::string text = write_text(odd);
    for (const std::string& bytes : bad) {
        EXPECT_EQ(text.find(bytes), std::string::npos) << text;
    }
    EXPECT_NE(text.find("\xc3\xbc"), std::string::npos) << text;
    const json line = json::parse(text);
    EXPECT_EQ(line["argv"], json(odd.facts->views[0].argv)) << "nothing is lost";
    EXPECT_EQ(line["reason"], bad[0]);
}

TEST_F(Audit, AnEventHoldsTheFirstOfManyArgumentsTheirNumberLengthAndDigest) {
    ExecEvent large = event();
    large.facts->views.pop_back();
    large.facts->views[0].argv = {"prog", std::string(3000, 'a'), std::string(3000, 'b'), "last"};
    const json line = write(large);
    ASSERT_EQ(line["argv"].size(), 3U) << line;
    EXPECT_EQ(line["argv"][1], std::string(3000, 'a'));
    EXPECT_EQ(line["argv"][2], std::string(4096 - 5 - 3001, 'b'));
    EXPECT_EQ(line["argv_cut"]["count"], 4);
    EXPECT_EQ(line["argv_cut"]["bytes"], 5 + 3001 + 3001 + 5);
    const std::string nul(1, '\0');
    const std::string block =
        "prog" + nul + std::string(3000, 'a') + nul + std::string(3000, 'b') + nul + "last" + nul;
    EXPECT_EQ(line["argv_cut"]["sha256"], sha256_hex(block));
    EXPECT_FALSE(write(event()).contains("argv_cut")) << "the control: few arguments";

    settings_.keep_all = true;
    EXPECT_EQ(write(large)["argv"], json(large.facts->views[0].argv));
    settings_.keep_all = false;
    plan_.mode = Mode::kLearn;
    EXPECT_EQ(write(large)["argv"], json(large.facts->views[0].argv)) << "a recording keeps all";
}

// The worst that a container can have in one exec: every string as long as it may be, of bytes that
// JSON writes with six.
TEST_F(Audit, NoEventIsLargerThanItsBound) {
    const std::string odd(131071, '\x01');
    ExecEvent large = event();
    large.facts->views.assign(
        6, {ViewRole::kInterpreter, std::string(4095, '\x01'), std::vector<std::string>(46, odd)});
    large.facts->requested_path = std::string(4095, '\x01');
    large.facts->cwd = std::string(4095, '\x01');
    large.facts->env.assign(40, "X=" + odd);
    large.judgement.reason = odd;
    large.gate.freeze = "failed: " + odd;
    large.gate.race_detected = true;
    large.gate.race_field = "argv[1]";
    large.gate.race_judged = odd;
    large.gate.race_taken = odd;
    auto log = AuditLog::open(settings_, plan_);
    ASSERT_TRUE(log.has_value());
    log->record_env({"*"});
    log->exec(large);
    EXPECT_LT(std::filesystem::file_size(settings_.file), std::size_t{512} << 10U);
}

// Where all is kept: the longest strings of bytes that JSON writes with most, and the number of
// strings that makes most of 6 MiB (262,144); a sixteenth of the arguments that a kernel takes, in
// a sixteenth of the bound.
TEST_F(Audit, ALineThatKeepsAllHasAllThatAKernelTakesWithinItsBound) {
    plan_.mode = Mode::kLearn;
    settings_.events_per_second = 0;
    const std::vector<std::pair<std::string, std::size_t>> cases{{"\x01", 131'070}, {"\xff", 22}};
    for (const auto& [odd, length] : cases) {
        std::string text;
        while (text.size() < length) {
            text += odd;
        }
        ExecEvent large = event();
        large.facts->views.pop_back();
        large.facts->views[0].argv.assign(
            std::max((6U << 20U) / 16 / (length + 2) / 2, std::size_t{1}), text);
        large.facts->env = large.facts->views[0].argv;
        const std::string line = write_text(large);
        EXPECT_LT(line.size(), std::size_t{1} << 20U);
        const auto read = parse_event(line);
        ASSERT_TRUE(read.has_value());
        EXPECT_EQ(read->json["argv"].size(), large.facts->views[0].argv.size());
        EXPECT_EQ(read->json["env"].size(), large.facts->env.size());
        EXPECT_FALSE(read->json.contains("argv_cut") || read->json.contains("env_cut"));
        EXPECT_EQ(bytes_from_json(read->json["argv"].back()), text);
        std::filesystem::remove(settings_.file);
    }
}

// Several programs with arguments of their own.
TEST_F(Audit, ALineThatKeepsAllIsCutAtItsBoundAndSaysSo) {
    settings_.keep_all = true;
    ExecEvent large = event();
    const std::vector<std::string> argv(46, std::string(131'071, '"'));
    large.facts->views.assign(3, {ViewRole::kLoader, "/lib/ld.so", argv});
    large.facts->views[1].argv.back() = "last";
    large.facts->views[2].argv.back() = "end";
    const std::string line = write_text(large);
    EXPECT_LT(line.size(), (std::size_t{16} << 20U) + (std::size_t{64} << 10U));
    EXPECT_GT(line.size(), std::size_t{15} << 20U);
    const json parsed = json::parse(line);
    EXPECT_FALSE(parsed.contains("argv_cut"));
    EXPECT_EQ(parsed["views"][0]["head_cut"]["count"], 46);
    EXPECT_EQ(parsed["views"][1]["head_cut"]["count"], 46);
    EXPECT_EQ(parsed["rule"], "app");
}

TEST_F(Audit, WhatALineCostsIsItsLengthAsItIsWritten) {
    plan_.mode = Mode::kLearn;
    settings_.events_per_second = 10;
    auto log = AuditLog::open(settings_, plan_);
    ASSERT_TRUE(log.has_value());
    ExecEvent large = event();
    large.facts->env.assign(10, "X=" + std::string(100'000, 'x'));
    for (int i = 0; i < 5; ++i) {
        log->exec(large);
    }
    EXPECT_EQ(lines().size(), 1U) << "1 MB of environment is worth more than 100 lines";
    EXPECT_EQ(log->next_deadline().has_value(), true) << "the others are counted";
}

TEST_F(Audit, OverTheRateARecordBeforeTheAnswerIsShort) {
    settings_.events_per_second = 1;
    settings_.on_failure = AuditSettings::OnFailure::kDeny;
    auto log = AuditLog::open(settings_, plan_);
    ASSERT_TRUE(log.has_value());
    std::size_t first = 0;
    std::size_t before = 0;
    for (int i = 0; i < 40; ++i) {
        ExecEvent large = event();
        large.facts->views[0].argv.assign(50, std::string(100, 'x'));
        before = std::filesystem::file_size(settings_.file);
        ASSERT_TRUE(log->exec_first(large).has_value());
        first = first == 0 ? std::filesystem::file_size(settings_.file) : first;
        log->exec(large);
    }
    log->note("end", json::object());
    std::size_t pending = 0;
    for (const json& line : lines()) {
        pending += line.value("outcome", "") == "pending" ? 1 : 0;
    }
    EXPECT_EQ(pending, 40U) << "each exec stands there";
    EXPECT_GT(first, 4096U) << "the control: the first in full";
    EXPECT_LT(std::filesystem::file_size(settings_.file) - before, 4096U * 2);
}

TEST_F(Audit, ANameOfTheContainerThatItsAuthorMadeLongDoesNotFillEachLine) {
    plan_.container_name = std::string(1U << 20U, 'x');
    plan_.pod = "shop/" + std::string(1U << 20U, 'x');
    const std::string line = write_text(event());
    EXPECT_LT(line.size(), 4096U);
    EXPECT_NE(line.find("1048576 bytes, sha256"), std::string::npos);
}

TEST_F(Audit, OfTheEnvironmentTheVariablesThatDecideAreShown) {
    ExecEvent decided = event();
    decided.facts->env = {"HOME=/root", "LD_PRELOAD=/x.so", "LD_DEBUG=all"};
    {
        auto log = AuditLog::open(settings_, plan_);
        ASSERT_TRUE(log.has_value());
        log->record_env({"LD_*"});
        log->exec(decided);
    }
    const json line = lines().back();
    EXPECT_EQ(line["env"], (json{"LD_PRELOAD=/x.so", "LD_DEBUG=all"}));
    EXPECT_EQ(line["env_of"], json{"LD_*"});
    EXPECT_FALSE(write(decided).contains("env")) << "no rule looks at it";
    plan_.mode = Mode::kLearn;
    EXPECT_EQ(write(decided)["env"].size(), 3U);
}

TEST_F(Audit, SecretsAreShownByLengthAndDigest) {
    ExecEvent secret = event();
    secret.facts->views[0].argv = {"/app/run.sh", "--password=hunter2", "--token",
                                   "abcdef",      "--verbose",          "yes"};
    secret.facts->views[1].argv = {
        "/bin/sh", "/app/run.sh", "--password=hunter2", "--token", "abcdef", "--verbose", "yes"};
    secret.judgement.reason = "argv contains \"--password=hunter2\"";
    secret.gate.race_detected = true;
    secret.gate.race_field = "argv[3]";
    secret.gate.race_judged = "abcdef";
    secret.gate.race_taken = "abcdeg";
    const std::string text = write_text(secret);
    for (const char* const value : {"hunter2", "abcdef", "abcdeg"}) {
        EXPECT_EQ(text.find(value), std::string::npos) << text;
    }
    const json line = json::parse(text);
    EXPECT_EQ(line["argv"][1], "--password=" + secret_mark("hunter2"));
    EXPECT_EQ(line["argv"][3], secret_mark("abcdef"));
    EXPECT_EQ(line["argv"][5], "yes");
    EXPECT_EQ(line["redacted"], true);
    EXPECT_FALSE(write(event()).contains("redacted"));
}

TEST_F(Audit, EqualKernelMissesAreSummedUp) {
    ExecEvent miss;
    miss.requested = "/usr/local/bin/ls";
    miss.judgement = {Verdict::kDeny, ENOENT, "", built_in_rule::kKernel, "no such file", {}};
    miss.error = ENOENT;
    auto log = AuditLog::open(settings_, plan_);
    ASSERT_TRUE(log.has_value());
    for (int i = 0; i < 100; ++i) {
        log->exec(miss);
    }
    log->exec(event());
    EXPECT_EQ(lines().size(), 2U) << "the first miss, and what is no miss";
    ASSERT_TRUE(log->next_deadline().has_value());
    log->on_deadline(*log->next_deadline());
    ASSERT_EQ(lines().size(), 3U);
    const json summary = lines().back();
    EXPECT_EQ(summary["event"], "summary");
    EXPECT_EQ(summary["count"], 99);
    EXPECT_EQ(summary["kinds"][0]["exe"], "/usr/local/bin/ls");
    EXPECT_EQ(summary["kinds"][0]["rule"], "kernel");
    EXPECT_EQ(summary["kinds"][0]["count"], 99);
}

// A flood of what is allowed must not hide one denial of another kind.
TEST_F(Audit, OverTheRateEachKindIsCountedWithItsFirstExample) {
    settings_.events_per_second = 2;
    auto log = AuditLog::open(settings_, plan_);
    ASSERT_TRUE(log.has_value());
    for (int i = 0; i < 1000; ++i) {
        log->exec(event());
    }
    ExecEvent denied = event();
    denied.facts->views = {{ViewRole::kProgram, "/bin/rare", {"rare", "one"}}};
    denied.judgement = {Verdict::kDeny, EPERM, "small", "no-rare", "exe is /bin/rare", {}};
    denied.outcome = Outcome::kRefused;
    denied.error = EPERM;
    log->exec(denied);
    log->note("end", json::object());
    const auto all = lines();
    ASSERT_LT(all.size(), 40U);
    const json& summary = all[all.size() - 2];
    ASSERT_EQ(summary["event"], "summary") << summary;
    std::uint64_t counted = 0;
    json rare;
    for (const json& kind : summary["kinds"]) {
        counted += kind["count"].get<std::uint64_t>();
        rare = kind["rule"] == "no-rare" ? kind : rare;
    }
    EXPECT_EQ(counted + all.size() - 2, 1001U) << "each event is written or counted";
    EXPECT_EQ(rare["verdict"], "deny");
    EXPECT_EQ(rare["errno"], EPERM);
    EXPECT_EQ(rare["first"]["argv"], (json{"rare", "one"}));
    EXPECT_EQ(all.back()["event"], "end");
}

TEST_F(Audit, NoDeniedKindIsMissingHoweverManyThereAre) {
    settings_.events_per_second = 1;
    auto log = AuditLog::open(settings_, plan_);
    ASSERT_TRUE(log.has_value());
    ExecEvent denied = event();
    denied.judgement = {Verdict::kDeny, EPERM, "small", "none", "", {}};
    denied.outcome = Outcome::kRefused;
    constexpr int kKinds = 2000;
    for (int i = 0; i < kKinds; ++i) {
        denied.facts->views[0].exe = "/bin/p" + std::to_string(i);
        log->exec(denied);
    }
    log->note("end", json::object());
    std::set<std::string> told;
    for (const json& line : lines()) {
        if (line["event"] == "exec") {
            told.insert(line["exe"].get<std::string>());
        }
        for (const json& kind : line.value("kinds", json::array())) {
            told.insert(kind["exe"].get<std::string>());
        }
    }
    EXPECT_EQ(told.size(), static_cast<std::size_t>(kKinds));
    EXPECT_LT(std::filesystem::file_size(settings_.file), std::size_t{1} << 20U);
}

TEST_F(Audit, WithoutALimitEachEventIsALine) {
    settings_.events_per_second = 0;
    auto log = AuditLog::open(settings_, plan_);
    ASSERT_TRUE(log.has_value());
    for (int i = 0; i < 1000; ++i) {
        log->exec(event());
    }
    EXPECT_EQ(lines().size(), 1000U);
    EXPECT_FALSE(log->next_deadline().has_value());
}

TEST_F(Audit, ATornTailDoesNotTakeTheNextEventWithIt) {
    std::ofstream(settings_.file) << R"({"time":"2026-01-31T00:00:00.000000Z","event":"ex)";
    (void)write_text(event());
    std::ifstream file(settings_.file);
    std::string torn;
    std::string next;
    std::getline(file, torn);
    std::getline(file, next);
    EXPECT_TRUE(torn.ends_with("\"ex")) << torn;
    EXPECT_EQ(json::parse(next, nullptr, false).value("event", ""), "exec") << next;
}

// The limit makes write(2) write a part, as a disk that becomes full does.
TEST_F(Audit, ALostEventIsCountedAndToldOfAsSoonAsThereIsRoom) {
    (void)std::signal(SIGXFSZ, SIG_IGN);
    auto log = AuditLog::open(settings_, plan_);
    ASSERT_TRUE(log.has_value());
    log->exec(event());
    rlimit before{};
    ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
    rlimit full = before;
    full.rlim_cur = std::filesystem::file_size(settings_.file) + 50;
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &full), 0);
    log->exec(event());
    log->exec(event());
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
    EXPECT_EQ(log->lost(), 2U);
    EXPECT_EQ(lines().size(), 1U) << "no torn line is left";
    ASSERT_TRUE(log->next_deadline().has_value()) << "nobody waits for the next exec";
    log->on_deadline(*log->next_deadline());
    const json told = lines().back();
    EXPECT_EQ(told["event"], "lost");
    EXPECT_EQ(told["count"], 2);
    log->exec(event());
    EXPECT_EQ(lines().size(), 3U);
    EXPECT_EQ(log->lost(), 2U);
}

TEST_F(Audit, WhereItMustBeRecordedTheEventStandsBeforeTheAnswer) {
    ExecEvent first = event();
    {
        auto log = AuditLog::open(settings_, plan_);
        ASSERT_TRUE(log.has_value());
        EXPECT_TRUE(log->exec_first(first).has_value());
        EXPECT_TRUE(lines().empty()) << "the control: nobody asked for it";
    }
    settings_.on_failure = AuditSettings::OnFailure::kDeny;
    auto log = AuditLog::open(settings_, plan_);
    ASSERT_TRUE(log.has_value());
    ASSERT_TRUE(log->exec_first(first).has_value());
    ASSERT_EQ(lines().size(), 1U);
    EXPECT_EQ(lines()[0]["outcome"], "pending");
    log->exec(first);
    EXPECT_EQ(lines()[1]["outcome"], "executed");
    EXPECT_EQ(lines()[0]["id"], lines()[1]["id"]);

    (void)std::signal(SIGXFSZ, SIG_IGN);
    rlimit before{};
    ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
    rlimit full = before;
    full.rlim_cur = std::filesystem::file_size(settings_.file);
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &full), 0);
    EXPECT_FALSE(log->exec_first(first).has_value());
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
}

// A log daemon that takes what it is sent.
class AuditSyslog : public Audit {
  protected:
    void SetUp() override {
        Audit::SetUp();
        settings_.syslog = true;
    }
    void listen() {
        daemon_.reset(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        socket_.copy(&address.sun_path[0], sizeof address.sun_path - 1);
        ASSERT_EQ(
            ::bind(daemon_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    }
    AuditLog open() { return AuditLog::open(settings_, plan_, Syslog(socket_)).value(); }
    // What came since the last time, each without the head that syslog wants.
    std::vector<std::string> messages() {
        static const std::regex head(R"(<85>execseal\[\d+\]: (\{.*\}))");
        std::vector<std::string> all;
        std::array<char, 65536> text{};
        for (;;) {
            const ssize_t size = ::recv(daemon_.get(), text.data(), text.size(), MSG_DONTWAIT);
            if (size <= 0) {
                return all;
            }
            EXPECT_LE(size, 8192) << "rsyslog cuts it";
            std::smatch parts;
            const std::string message(text.data(), static_cast<std::size_t>(size));
            EXPECT_TRUE(std::regex_match(message, parts, head)) << message;
            all.push_back(parts.size() == 2 ? parts[1].str() : "");
        }
    }
    std::string last_of_the_file() {
        std::ifstream file(settings_.file);
        std::string last;
        for (std::string line; std::getline(file, line);) {
            last = line;
        }
        return last;
    }

    std::string socket_ = directory_ + "/log";
    UniqueFd daemon_;
};

TEST_F(AuditSyslog, GetsTheLineOrWhereThatIsTooLongAShortFormOfIt) {
    listen();
    AuditLog log = open();
    log.exec(event());
    EXPECT_EQ(messages(), (std::vector<std::string>{last_of_the_file()}));

    ExecEvent many = event();
    many.facts->views[0].argv.insert(many.facts->views[0].argv.end(), 50, std::string(200, '\xff'));
    log.exec(many);
    ASSERT_GT(last_of_the_file().size(), 8192U) << "the control";
    auto sent = messages();
    ASSERT_EQ(sent.size(), 1U);
    json shown = json::parse(sent[0]);
    EXPECT_EQ(shown["id"], json::parse(last_of_the_file())["id"]);
    EXPECT_EQ(shown["argv_cut"]["count"], 52);
    EXPECT_EQ(shown["rule"], "app");

    // Nothing of it is short: the container chooses names and folders.
    ExecEvent names = event();
    names.facts->views[0].exe = "/" + std::string(4000, '\xff');
    names.facts->requested_path = names.facts->views[0].exe;
    names.facts->cwd = "/" + std::string(4000, '\xfe');
    names.judgement = {Verdict::kDeny, EPERM, "small", "none", std::string(2000, '\xff'), {}};
    names.outcome = Outcome::kRefused;
    names.error = EPERM;
    log.exec(names);
    sent = messages();
    ASSERT_EQ(sent.size(), 1U);
    shown = json::parse(sent[0]);
    EXPECT_EQ(shown["id"], json::parse(last_of_the_file())["id"]);
    EXPECT_EQ(shown["rule"], "none");
    EXPECT_EQ(shown["verdict"], "deny");
    EXPECT_EQ(shown["outcome"], "refused");
    EXPECT_EQ(shown["errno"], EPERM);
    EXPECT_EQ(shown["container"]["id"], "web");
    EXPECT_TRUE(shown.contains("exe"));
    EXPECT_EQ(shown["line_cut"]["bytes"], last_of_the_file().size() + 1);
    EXPECT_EQ(shown["line_cut"]["sha256"], sha256_hex(last_of_the_file() + "\n"));
}

TEST_F(AuditSyslog, GetsALongSummaryAsSeveralAndNoKindIsMissing) {
    listen();
    settings_.events_per_second = 1;
    AuditLog log = open();
    ExecEvent denied = event();
    denied.judgement = {Verdict::kDeny, EPERM, "small", "none", "", {}};
    denied.outcome = Outcome::kRefused;
    constexpr int kKinds = 30;
    std::set<std::string> told;
    std::uint64_t counted = 0;
    const auto look = [&] {
        for (const std::string& text : messages()) {
            const json line = json::parse(text);
            if (line["event"] == "exec") {
                told.insert(line["exe"].get<std::string>());
                ++counted;
            }
            std::uint64_t sum = 0;
            for (const json& kind : line.value("kinds", json::array())) {
                told.insert(kind["exe"].get<std::string>());
                sum += kind["count"].get<std::uint64_t>();
            }
            EXPECT_EQ(sum, line.value("count", std::uint64_t{0}));
            counted += sum;
        }
    };
    for (int i = 0; i < kKinds; ++i) {
        denied.facts->views[0].exe = "/bin/" + std::string(200, 'x') + std::to_string(i);
        log.exec(denied);
        look();
    }
    log.note("end", {{"long", std::string(9000, 'x')}, {"events_lost", 0}});
    const auto sent = messages();
    ASSERT_FALSE(sent.empty());
    EXPECT_EQ(json::parse(sent.back())["event"], "end");
    EXPECT_EQ(json::parse(sent.back())["events_lost"], 0);
    EXPECT_TRUE(json::parse(sent.back()).contains("line_cut"));
    for (const std::string& text : sent) {
        const json line = json::parse(text);
        for (const json& kind : line.value("kinds", json::array())) {
            told.insert(kind["exe"].get<std::string>());
            counted += kind["count"].get<std::uint64_t>();
        }
    }
    EXPECT_EQ(told.size(), static_cast<std::size_t>(kKinds));
    EXPECT_EQ(counted, static_cast<std::uint64_t>(kKinds));
}

TEST_F(AuditSyslog, WhatNobodyTakesIsLostOnlyWhereThereIsNoFile) {
    {
        AuditLog log = open();
        log.exec(event());
        EXPECT_EQ(log.lost(), 0U);
        EXPECT_EQ(lines().size(), 1U);
    }
    settings_.file.clear();
    AuditLog log = open();
    log.exec(event());
    log.exec(event());
    EXPECT_EQ(log.lost(), 2U);
    listen();
    std::vector<std::string> sent;
    for (int tries = 0; tries < 1000 && sent.empty(); ++tries) {
        ASSERT_TRUE(log.next_deadline().has_value());
        log.on_deadline(*log.next_deadline());
        pollfd wait{.fd = daemon_.get(), .events = POLLIN, .revents = 0};
        (void)::poll(&wait, 1, 20);  // for a second it leaves the daemon alone
        sent = messages();
    }
    ASSERT_EQ(sent.size(), 1U);
    EXPECT_EQ(json::parse(sent[0])["event"], "lost");
    EXPECT_EQ(json::parse(sent[0])["count"], 2);
}

// A daemon that is stopped must not stop who judges a container.
TEST_F(AuditSyslog, ADaemonThatDoesNotReadIsWaitedForOnceASecondAtMost) {
    listen();
    settings_.file.clear();
    AuditLog log = open();
    const auto start = std::chrono::steady_clock::now();
    std::uint64_t events = 0;
    // The socket's queue, and then nothing for a second.
    while (log.lost() == 0 && events < 100'000) {
        log.exec(event());
        ++events;
    }
    const auto full = std::chrono::steady_clock::now();
    ASSERT_GT(log.lost(), 0U) << "the control: its queue has an end";
    constexpr std::uint64_t kMore = 50;
    for (std::uint64_t i = 0; i < kMore; ++i) {
        log.exec(event());
    }
    const auto end = std::chrono::steady_clock::now();
    EXPECT_LT(end - full, (full - start) + std::chrono::seconds(5)) << "50 waits are 10 s";
}

TEST_F(Audit, AFileThatCannotBeOpenedIsAnErrorAtTheStart) {
    settings_.file = "/proc/nowhere/audit.jsonl";
    EXPECT_FALSE(AuditLog::open(settings_, plan_).has_value());
}

}  // namespace
}  // namespace execseal
