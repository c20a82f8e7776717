// `execseal policy test`: what another policy changes of a recording, and what a record cannot
// tell.
#include "hook/cli/policy_changes.h"

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <map>
#include <sstream>

#include "hook/cli/policy_test.h"
#include "hook/cli/recordings.h"
#include "tests/unit/policy_facts.h"
#include "tests/unit/recorded_lines.h"

namespace execseal {
namespace {

using test::Folder;
using test::Line;

RecordedExec recorded(const Line& line) {
    RecordedLine read = read_recorded_line(line.json().dump());
    EXPECT_EQ(read.kind, LineKind::kExec);
    return std::move(read.exec);
}

Policy policy_with(const std::string& rules, const std::string& fallback = "deny") {
    auto policy = test::policy_of(rules, fallback);
    EXPECT_TRUE(policy.has_value()) << policy.error().text();
    return std::move(policy).value();
}

// "allow r" or "? what is lacking".
std::string answer(const std::string& rules, const Line& line,
                   const std::string& fallback = "deny") {
    const Policy policy = policy_with(rules, fallback);
    const RecordedJudgement judged = RecordedJudge(policy, nullptr).judge(recorded(line));
    return judged.lacking.empty()
               ? std::string(verdict_name(judged.judgement.verdict)) + " " + judged.judgement.rule
               : "? " + judged.lacking;
}

TEST(PolicyChanges, AnEventIsWhatWasJudged) {
    Line line{
        .exe = "/srv/run.sh",
        .arguments = {"a", "b"},
        .via = "exec",
        .more = {{"names", {"/run.sh"}},
                 {"cwd", "/srv"},
                 {"uid", 7},
                 {"gid", 8},
                 {"through", {"/usr/bin/dash"}},
                 {"views",
                  {{{"role", "interpreter"}, {"head", {"/bin/sh", "/srv/run.sh"}}, {"rest", 2}}}}}};
    const RecordedExec exec = recorded(line);
    ASSERT_TRUE(exec.facts.has_value());
    EXPECT_EQ(exec.facts->via, Via::kExec);
    EXPECT_EQ(exec.facts->uid, 7U);
    EXPECT_EQ(exec.facts->gid, 8U);
    EXPECT_EQ(exec.facts->cwd, "/srv");
    EXPECT_EQ(exec.facts->env, line.env);
    ASSERT_EQ(exec.facts->views.size(), 2U);
    EXPECT_EQ(exec.facts->views[0].argv, (std::vector<std::string>{"run.sh", "a", "b"}));
    EXPECT_EQ(exec.facts->views[0].names, std::vector<std::string>{"/run.sh"});
    EXPECT_EQ(exec.facts->views[1].role, ViewRole::kInterpreter);
    EXPECT_EQ(exec.facts->views[1].argv,
              (std::vector<std::string>{"/bin/sh", "/srv/run.sh", "a", "b"}));
    EXPECT_EQ(exec.container_name, "web");
}

TEST(PolicyChanges, LinesThatAreNoEventsAreForeign) {
    for (const char* const text : {"", "x", "{}", "[]", R"({"time":"t"})", R"({"event":"exec")",
                                   R"({"time":"t","event":"exec","container":7})"}) {
        EXPECT_EQ(read_recorded_line(text).kind, LineKind::kForeign) << text;
    }
    const std::string start = R"({"time":"t","event":"start","container":{"id":"c"}})";
    EXPECT_EQ(read_recorded_line(start).kind, LineKind::kOther);
}

constexpr const char* kByArgument =
    R"([{"id": "exe", "verdict": "deny", "exe": "/usr/bin/nc"},
        {"id": "arg", "verdict": "allow", "argv": {"contains": ["status"]}}])";

TEST(PolicyChanges, ShortenedArgumentsAreSaidWhereTheyMatter) {
    Line line{.exe = "/usr/bin/git", .arguments = {"status"}};
    EXPECT_EQ(answer(kByArgument, line), "allow arg");
    line.more["argv_cut"] = {{"count", 900}, {"bytes", 9000}, {"sha256", "00"}};
    EXPECT_EQ(answer(kByArgument, line), "? rule arg: the record has only the first bytes of argv");
    line.exe = "/usr/bin/nc";  // decided before anybody asks for an argument
    EXPECT_EQ(answer(kByArgument, line), "deny exe");
}

TEST(PolicyChanges, VariablesThatWereNotRecordedAreSaid) {
    const std::string rules = R"([{"id": "env", "verdict": "deny", "env": {"LD_*": true}}])";
    Line line{.exe = "/x"};
    EXPECT_EQ(answer(rules, line, "allow"), "allow default");
    line.more["env_of"] = {"LD_*"};
    EXPECT_EQ(answer(rules, line, "allow"), "allow default");
    line.more["env_of"] = {"PATH"};
    EXPECT_EQ(answer(rules, line, "allow"),
              "? rule env: the record does not have the environment (LD_*)");
    const std::string by_list =
        R"([{"id": "list", "verdict": "deny", "not": {"env_names": ["PATH", "HOME"]}}])";
    EXPECT_EQ(answer(by_list, line, "allow"),
              "? rule list: the record does not have the environment (**)");
    line.more["env_of"] = {"**"};
    EXPECT_EQ(answer(by_list, line, "allow"), "allow default");
}

TEST(PolicyChanges, ASecretMayBeAnything) {
    const std::string mark = "<secret: 6 bytes, sha256 00>";
    const Line line{
        .exe = "/usr/bin/psql", .arguments = {"--password=" + mark}, .more = {{"redacted", true}}};
    const auto rule = [](const std::string& pattern) {
        return R"([{"id": "r", "verdict": "allow", "exe": "/usr/bin/psql", "argv": {"exact": [)" +
               pattern + "]}}]";
    };
    EXPECT_EQ(answer(rule(R"({"glob": "--password=**"})"), line), "allow r");
    EXPECT_EQ(answer(rule(R"("--dbname=x")"), line), "deny default");
    EXPECT_EQ(answer(rule(R"({"regex": "--dbname=.*"})"), line), "deny default");
    const std::string unknown = "? rule r: a secret in argv is not in the record";
    EXPECT_EQ(answer(rule(R"("--password=hunter")"), line), unknown);
    EXPECT_EQ(answer(rule(R"({"regex": "--password=[a-z]*"})"), line), unknown);
}

TEST(PolicyChanges, OldEventsWithoutTheInterpretersArgumentsAreSaid) {
    const Line line{.exe = "/srv/run.sh", .more = {{"through", {"/usr/bin/dash"}}}};
    const std::string no_dash = R"([{"id": "dash", "verdict": "deny", "exe": "/usr/bin/dash"}])";
    EXPECT_EQ(answer(no_dash, line, "allow"), "deny dash");
    const std::string argument =
        R"([{"id": "c", "verdict": "deny", "argv": {"contains": ["-c"]}}])";
    EXPECT_EQ(answer(argument, line, "allow"),
              "? rule c: the record does not have the arguments of what runs the program");
}

struct Testing {
    int code = -1;
    std::string out;
    std::string told;
    std::string error;
};

Testing run_test(const Folder& folder, const std::string& policy, const std::string& with = "",
                 Format format = Format::kTable) {
    TestCommand command;
    command.policy = policy;
    command.with = with;
    command.query.settings = folder.at("config.json");
    command.query.files = {folder.at("events.jsonl")};
    command.format = format;
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    const auto code = run_policy_test(command);
    Testing result;
    result.out = testing::internal::GetCapturedStdout();
    result.told = testing::internal::GetCapturedStderr();
    if (code) {
        result.code = *code;
    } else {
        result.error = code.error().text();
    }
    return result;
}

std::string policy_file_of(const Folder& folder, const std::string& name,
                           const std::string& rules) {
    return folder.put(name + ".json", R"({"apiVersion": "execseal/v1", "name": ")" + name +
                                          R"(", "default": "deny", "rules": )" + rules + "}");
}

TEST(PolicyChanges, GroupsWhatChangesByRule) {
    const Folder folder;
    std::vector<Line> lines(3, {.exe = "/usr/bin/git", .arguments = {"push"}, .verdict = "allow"});
    lines.push_back({.exe = "/usr/bin/git", .arguments = {"status"}, .verdict = "allow"});
    lines.push_back({.exe = "/usr/bin/nc", .verdict = "deny"});
    lines.push_back({.exe = "/usr/bin/make", .verdict = "audit", .more = {{"would_be", "deny"}}});
    lines.push_back({.exe = "/none", .verdict = "deny", .rule = "kernel"});
    folder.put("events.jsonl", lines);
    const std::string policy = policy_file_of(
        folder, "n",
        R"([{"id": "s", "verdict": "allow", "exe": "/usr/bin/git", "argv": {"prefix": ["status"]}},
            {"id": "nc", "verdict": "allow", "exe": "/usr/bin/nc"},
            {"id": "make", "verdict": "allow", "exe": "/usr/bin/make"}])");
    const Testing told = run_test(folder, policy, "", Format::kJson);
    EXPECT_EQ(told.code, 1) << told.error;
    const auto json = nlohmann::json::parse(told.out);
    EXPECT_EQ(json["judged"], 6);
    EXPECT_EQ(json["changed"], 4);
    EXPECT_EQ(json["not_judged"]["kernel"], 1);
    ASSERT_EQ(json["changes"].size(), 2U);
    EXPECT_EQ(json["changes"][0]["before"], "allow");
    EXPECT_EQ(json["changes"][0]["after"], "deny");
    EXPECT_EQ(json["changes"][0]["rule"], "default");
    EXPECT_EQ(json["changes"][0]["count"], 3);
    EXPECT_EQ(json["changes"][0]["example"]["argv"][1], "push");
    EXPECT_EQ(json["changes"][1]["rule"], "nc");
    const Testing table = run_test(folder, policy);
    EXPECT_NE(table.out.find("allow -> deny  default"), std::string::npos) << table.out;
}

TEST(PolicyChanges, NothingChangesIsExitCodeZero) {
    const Folder folder;
    folder.put("events.jsonl", std::vector<Line>{{.exe = "/usr/bin/git", .verdict = "allow"},
                                                 {.exe = "/usr/bin/nc", .verdict = "deny"}});
    const std::string git =
        policy_file_of(folder, "g", R"([{"id": "g", "verdict": "allow", "exe": "/usr/bin/git"}])");
    const std::string all =
        policy_file_of(folder, "a", R"([{"id": "a", "verdict": "allow", "exe": "/**"}])");
    EXPECT_EQ(run_test(folder, git).code, 0);
    EXPECT_EQ(run_test(folder, git, git).code, 0);
    EXPECT_EQ(run_test(folder, git, all).code, 1);
    EXPECT_EQ(run_test(folder, all).code, 1);
    folder.put("events.jsonl", std::string("no event\n"));
    EXPECT_NE(run_test(folder, git).error.find("no exec to judge"), std::string::npos);
}

// What reading costs stands for what the machine can do just now.
TEST(PolicyChanges, JudgingCostsNoMoreThanAFewReadings) {
    const std::string line =
        Line{.exe = "/usr/bin/git", .arguments = {"-C", "/work/x", "status"}}.json().dump();
    const Policy policy = policy_with(
        R"([{"id": "s", "verdict": "audit", "exe": "/usr/bin/git", "argv": {"contains": ["status"]}}])");
    const RecordedJudge judge(policy, nullptr);
    static constexpr int kLines = 300;
    const auto seconds_of = [&](const auto& work) {
        auto least = std::chrono::steady_clock::duration::max();
        for (int round = 0; round < 5; ++round) {
            const auto start = std::chrono::steady_clock::now();
            for (int i = 0; i < kLines; ++i) {
                work();
            }
            least = std::min(least, std::chrono::steady_clock::now() - start);
        }
        return least;
    };
    std::size_t members = 0;
    const auto parsing = seconds_of([&] { members += nlohmann::ordered_json::parse(line).size(); });
    EXPECT_GT(members, 0U);
    PolicyChanges changes(judge, nullptr);
    const auto judging = seconds_of([&] { changes.take(read_recorded_line(line).exec); });
    EXPECT_EQ(changes.judged(), 5U * kLines);
    EXPECT_LT(judging, parsing * 3);
}

// Reading alone, line by line, stands for what the machine can do just now.
struct Costs {
    std::chrono::steady_clock::duration parsing{};
    std::chrono::steady_clock::duration judging{};
    std::uint64_t changed = 0;
    std::string last_id;
};

constexpr int kLines = 4000;

// Of a file whose line i has `arguments(i)`.
Costs costs_of(const std::function<std::vector<std::string>(int)>& arguments) {
    const Folder folder;
    std::string text;
    for (int i = 0; i < kLines; ++i) {
        Line line{.exe = "/usr/bin/git",
                  .arguments = arguments(i),
                  .more = {{"time", "2026-11-28T10:00:00." + std::to_string(100000 + i) + "Z"},
                           {"host_pid", 1000 + i},
                           {"latency_us", i % 977},
                           {"id", "0123456789-" + std::to_string(i)}}};
        text += line.text();
    }
    const std::string events = folder.put("events.jsonl", text);
    const auto seconds_of = [&](const auto& work) {
        auto least = std::chrono::steady_clock::duration::max();
        for (int round = 0; round < 5; ++round) {
            const auto start = std::chrono::steady_clock::now();
            work();
            least = std::min(least, std::chrono::steady_clock::now() - start);
        }
        return least;
    };
    Costs costs;
    std::size_t lines = 0;
    costs.parsing = seconds_of([&] {
        std::istringstream stream(text);
        for (std::string line; std::getline(stream, line);) {
            lines += nlohmann::json::accept(line) ? 1 : 0;
        }
    });
    EXPECT_EQ(lines, 5U * kLines);
    const Policy policy = policy_with(
        R"([{"id": "s", "verdict": "audit", "exe": "/usr/bin/git", "argv": {"contains": ["status"]}}])");
    const RecordedJudge judge(policy, nullptr);
    RecordingQuery query;
    query.files = {events};
    costs.judging = seconds_of([&] {
        PolicyChanges changes(judge, nullptr);
        const auto counts = read_grouped(query, [&](const RecordedExec& exec, std::size_t group) {
            changes.take(exec, group);
            costs.last_id = exec.id;
        });
        EXPECT_TRUE(counts && counts->execs == kLines);
        costs.changed = changes.changed();
    });
    return costs;
}

TEST(PolicyChanges, ManyEventsOfFewKindsCostLittleMoreThanReadingThem) {
    const Costs costs = costs_of([](int i) {
        return std::vector<std::string>{"-C", "/work/x", i % 3 == 0 ? "push" : "status"};
    });
    EXPECT_EQ(costs.changed, (kLines + 2) / 3U);
    EXPECT_EQ(costs.last_id, "0123456789-" + std::to_string(kLines - 1)) << "each as itself";
    EXPECT_LT(costs.judging, costs.parsing) << "a kind is parsed once";
}

TEST(PolicyChanges, EventsThatAllDifferCostNoMoreThanTwoReadings) {
    const Costs costs = costs_of([](int i) {
        return std::vector<std::string>{"-C", "/work/" + std::to_string(i),
                                        i % 3 == 0 ? "push" : "status"};
    });
    EXPECT_EQ(costs.changed, (kLines + 2) / 3U);
    EXPECT_EQ(costs.last_id, "0123456789-" + std::to_string(kLines - 1)) << "in their order";
    EXPECT_LT(costs.judging, costs.parsing * 2);
}

// Many threads look at them; what is told of them is what one by one gives.
TEST(PolicyChanges, BatchesTellWhatExecsOneByOneTell) {
    const Folder folder;
    std::vector<Line> lines;
    for (int i = 0; i < 5000; ++i) {
        const bool repeated = i % 7 == 0;
        lines.push_back({.exe = "/usr/bin/git",
                         .arguments = {i % 3 == 0 ? "push" : "status",
                                       repeated ? "again" : "/work/" + std::to_string(i)},
                         .rule = i % 11 == 0 ? "kernel" : "default",
                         .more = {{"id", "e-" + std::to_string(i)}}});
    }
    RecordingQuery query;
    query.files = {folder.put("events.jsonl", lines)};
    const Policy policy = policy_with(
        R"([{"id": "s", "verdict": "audit", "exe": "/usr/bin/git", "argv": {"contains": ["status"]}}])");
    const RecordedJudge judge(policy, nullptr);
    PolicyChanges one_by_one(judge, nullptr);
    const auto take = [&](PolicyChanges& changes) {
        return
            [&changes](const RecordedExec& exec, std::size_t group) { changes.take(exec, group); };
    };
    ASSERT_TRUE(read_grouped(query, take(one_by_one)).has_value());
    PolicyChanges batches(judge, nullptr);
    std::size_t most = 0;
    std::vector<std::string> ids;
    const auto counts = read_grouped(
        query,
        [&](const RecordedExec& exec, std::size_t group) {
            ids.push_back(exec.id);
            batches.take(exec, group);
        },
        [&](std::span<const RecordedExec* const> execs) {
            most = std::max(most, execs.size());
            for (const RecordedExec* const exec : execs) {
                ids.push_back(exec->id);
            }
            batches.take_batch(execs);
        });
    ASSERT_TRUE(counts.has_value());
    EXPECT_EQ(counts->execs, 5000U);
    EXPECT_GT(most, 100U) << "nothing came as a batch";
    ASSERT_EQ(ids.size(), 5000U);
    for (std::size_t i = 0; i < ids.size(); ++i) {
        ASSERT_EQ(ids[i], "e-" + std::to_string(i)) << "in their order";
    }
    EXPECT_EQ(changes_json(batches), changes_json(one_by_one));
    EXPECT_GT(batches.changed(), 1000U);
}

// What differs in more than time and processes is another kind.
TEST(PolicyChanges, ExecsOfOneGroupAreEqual) {
    const Folder folder;
    std::vector<Line> lines;
    for (const char* const word : {"a", "b", "a"}) {
        for (const char* const via : {"child", "exec"}) {
            lines.push_back({.exe = "/bin/x", .arguments = {word}, .via = via});
        }
    }
    lines.push_back(
        {.exe = "/bin/x", .arguments = {R"(,"ppid":1,"latency_us":2,"id":"x")"}, .via = "child"});
    RecordingQuery query;
    query.files = {folder.put("events.jsonl", lines)};
    std::map<std::size_t, std::string> groups;
    std::size_t told = 0;
    const auto counts = read_grouped(query, [&](const RecordedExec& exec, std::size_t group) {
        const std::string what =
            exec.facts->views[0].argv.back() + std::to_string(static_cast<int>(exec.facts->via));
        const auto [at, made] = groups.try_emplace(group, what);
        EXPECT_EQ(at->second, what);
        ++told;
    });
    ASSERT_TRUE(counts.has_value());
    EXPECT_EQ(told, 7U);
    EXPECT_EQ(groups.size(), 5U);
}

}  // namespace
}  // namespace execseal
