// `execseal why`: the way to a recorded decision, and the rule that would let exactly it pass.
#include "hook/cli/why.h"

#include <gtest/gtest.h>

#include "config/digest.h"
#include "hook/cli/recorded_exec.h"
#include "tests/unit/policy_facts.h"
#include "tests/unit/recorded_lines.h"

namespace execseal {
namespace {

using test::Folder;
using test::Line;

constexpr const char* kPolicy =
    R"({"apiVersion": "execseal/v1", "name": "p", "default": "deny", "rules": [
    {"id": "git", "verdict": "allow", "exe": "/usr/bin/git", "via": "child", "argv": {"prefix": ["status"]}},
    {"id": "other", "verdict": "allow", "exe": "/usr/bin/other"},
    {"id": "no-nc", "verdict": "kill", "exe": "**/nc"}]})";

struct Told {
    int code = -1;
    std::string out;
    std::string error;
};

Told why(const Folder& folder, const std::string& id = "", const std::string& container = "",
         Format format = Format::kTable) {
    WhyCommand command;
    command.id = id;
    command.query.settings = folder.at("config.json");
    if (!container.empty()) {
        command.query.containers = {container};
    }
    command.format = format;
    testing::internal::CaptureStdout();
    const auto code = run_why(command);
    Told told;
    told.out = testing::internal::GetCapturedStdout();
    if (code) {
        told.code = *code;
    } else {
        told.error = code.error().text();
    }
    return told;
}

std::vector<Line> lines() {
    return {{.exe = "/usr/bin/git",
             .arguments = {"push", "origin"},
             .verdict = "deny",
             .more = {{"id", "e-1"}}},
            {.exe = "/usr/bin/nc", .verdict = "kill", .rule = "no-nc", .more = {{"id", "e-2"}}},
            {.exe = "/usr/bin/git",
             .arguments = {"status"},
             .verdict = "allow",
             .rule = "git",
             .more = {{"id", "e-3"}, {"container", {{"id", "c2"}, {"name", "db"}}}}}};
}

TEST(Why, ShowsEachConditionAndTheRuleThatWouldLetItPass) {
    const Folder folder;
    folder.put("audit.jsonl", lines());
    folder.put("policies.d/p.json", kPolicy);
    const Told told = why(folder, "e-1");
    ASSERT_EQ(told.code, 0) << told.error;
    for (const char* const text :
         {"|- git (allow): does not match\n", "|    holds  exe is \"/usr/bin/git\"\n",
          "fails  argv begins with \"status\", but argv is [\"git\", \"push\", \"origin\"]\n",
          "`- default (deny): no rule matches, so it decides\n", "and 2 rules about other programs",
          "meaning   rule default:", "\"exact\": [\"push\", \"origin\"]"}) {
        EXPECT_NE(told.out.find(text), std::string::npos) << text << "\n" << told.out;
    }
}

TEST(Why, TheLastDenialIsMeantWhereNoneIsNamed) {
    const Folder folder;
    folder.put("audit.jsonl", lines());
    folder.put("policies.d/p.json", kPolicy);
    EXPECT_NE(why(folder).out.find("event     e-2"), std::string::npos);
    EXPECT_NE(why(folder, "", "web").out.find("event     e-2"), std::string::npos);
    EXPECT_NE(why(folder, "", "db").error.find("nothing that is asked for was refused"),
              std::string::npos);
    EXPECT_NE(why(folder, "e-9").error.find("no event of this record has this id"),
              std::string::npos);
    EXPECT_EQ(why(folder, "e-3").code, 0);
}

TEST(Why, TheRuleLetsExactlyThisPass) {
    for (const char* const id : {"e-1", "e-2"}) {
        const Folder folder;
        folder.put("audit.jsonl", lines());
        folder.put("policies.d/p.json", kPolicy);
        const auto json = nlohmann::ordered_json::parse(why(folder, id, "", Format::kJson).out);
        const auto& rule = json["let_pass"]["rule"];
        auto policy = nlohmann::ordered_json::parse(kPolicy);
        auto& rules = policy["rules"];
        const std::string before = json["let_pass"]["before"];
        auto at = rules.begin();
        while (at != rules.end() && (*at)["id"] != before) {
            ++at;
        }
        rules.insert(at, rule);
        const auto changed = Policy::parse(policy.dump(), "p");
        ASSERT_TRUE(changed.has_value()) << changed.error().text();
        const auto all = lines();
        ExecFacts facts =
            *read_recorded_line(all[id == std::string("e-1") ? 0 : 1].json().dump()).exec.facts;
        EXPECT_EQ(judge(*changed, facts).verdict, Verdict::kAllow);
        facts.views.front().argv.emplace_back("more");
        EXPECT_NE(judge(*changed, facts).verdict, Verdict::kAllow);
        facts.views.front().argv.pop_back();
        facts.uid = 1;
        EXPECT_NE(judge(*changed, facts).verdict, Verdict::kAllow);
    }
}

TEST(Why, SaysWhereThePolicyIsAnotherOneNow) {
    const Folder folder;
    auto all = lines();
    all[0].more["policy_sha256"] = sha256_hex(kPolicy);
    folder.put("audit.jsonl", all);
    folder.put("policies.d/p.json", kPolicy);
    EXPECT_EQ(why(folder, "e-1").out.find("has changed since"), std::string::npos);
    folder.put("policies.d/p.json", std::string(kPolicy) + "\n");
    EXPECT_NE(why(folder, "e-1").out.find("has changed since"), std::string::npos);
    std::filesystem::remove(folder.at("policies.d/p.json"));
    EXPECT_NE(why(folder, "e-1").out.find("rules     cannot be shown"), std::string::npos);
}

TEST(Why, SaysWhereNoRuleCan) {
    auto read = read_recorded_line(
        Line{.exe = "/srv/a", .more = {{"loose_link", "/srv/link"}}}.json().dump());
    std::string obstacle;
    const auto policy = test::policy_of("[]");
    EXPECT_FALSE(smallest_rule(*policy, read.exec, obstacle));
    EXPECT_NE(obstacle.find("/srv/link"), std::string::npos);
    read = read_recorded_line(Line{.exe = "/srv/a"}.json().dump());
    EXPECT_TRUE(smallest_rule(*policy, read.exec, obstacle));
    read.exec.arguments_cut = true;
    EXPECT_FALSE(smallest_rule(*policy, read.exec, obstacle));
}

}  // namespace
}  // namespace execseal
