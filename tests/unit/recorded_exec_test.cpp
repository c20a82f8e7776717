// RecordedExec: an event of the audit file, read back, is what was judged.
#include "hook/cli/recorded_exec.h"

#include <gtest/gtest.h>

#include <fstream>

#include "hook/cli/recorded_judge.h"
#include "hook/gate/audit.h"
#include "tests/unit/folder_test.h"
#include "tests/unit/policy_facts.h"
#include "tests/unit/recorded_lines.h"

namespace execseal {
namespace {

class Recorded : public FolderTest {
  protected:
    // What a supervisor in this mode writes of the exec, read back.
    RecordedExec after_the_file(const ExecFacts& facts, Mode mode) {
        AuditSettings settings;
        settings.file = directory_ + "/audit.jsonl";
        Plan plan;
        plan.container_id = "web";
        plan.mode = mode;
        auto log = AuditLog::open(settings, plan);
        EXPECT_TRUE(log.has_value());
        ExecEvent event;
        event.facts = facts;
        event.judgement = {Verdict::kAllow, 0, "p", "r", "why", {}};
        event.outcome = Outcome::kExecuted;
        log->exec(event);
        std::ifstream file(settings.file);
        std::string last;
        for (std::string line; std::getline(file, line);) {
            last = line;
        }
        RecordedLine read = read_recorded_line(last);
        EXPECT_EQ(read.kind, LineKind::kExec) << last;
        EXPECT_TRUE(read.exec.facts.has_value()) << last;
        return std::move(read.exec);
    }

    // Every member of the facts has something in it.
    static ExecFacts full() {
        ExecFacts facts;
        facts.views = {{ViewRole::kProgram,
                        "/srv/app\xff",
                        {"app", "a", "\xfe", "c"},
                        {"/bin/app", "/l\xff"},
                        "/tmp/link"},
                       {ViewRole::kInterpreter,
                        "/usr/bin/dash",
                        {"/bin/sh", "-e", "/srv/app", "a", "\xfe", "c"},
                        {"/bin/sh", "/usr/bin/sh"},
                        "/tmp/sh"},
                       {ViewRole::kLoader,
                        "/lib/ld.so",
                        {"ld.so", "--preload", "x", "app", "a", "\xfe", "c"},
                        {"/lib64/ld.so"}},
                       {ViewRole::kMultiCall, "/bin/busybox", {"busybox", "app"}, {}},
                       {ViewRole::kPossible, "/tmp/x", {"x"}, {"/tmp/y"}},
                       {ViewRole::kElfInterpreter, "/tmp/interpreter", {}, {}, "/tmp/z"}};
        facts.requested_path = "../app";
        facts.env = {"PATH=/bin", "ODD", "B=\xff", "PATH=/again"};
        facts.cwd = "other-mounts:/srv";
        facts.cwd_names = {"/srv", "/mnt/srv"};
        facts.uid = 12;
        facts.gid = 34;
        facts.via = Via::kExec;
        facts.lineage = below({"/srv/daemon", {}, false}, Lineage::start());
        facts.lineage = below({"/usr/bin/d\xff", {"/bin/sh", "/n\xfe"}, true}, facts.lineage);
        facts.lineage.depth = 7;
        return facts;
    }
};

TEST_F(Recorded, AnEventOfTheModeLearnHasAllThatWasJudged) {
    const ExecFacts judged = full();
    const RecordedExec exec = after_the_file(judged, Mode::kLearn);
    const ExecFacts& read = *exec.facts;
    EXPECT_FALSE(exec.arguments_cut || exec.programs_unknown || exec.names_cut ||
                 exec.environment_cut || exec.redacted);
    EXPECT_EQ(read.requested_path, judged.requested_path);
    EXPECT_EQ(read.env, judged.env);
    EXPECT_EQ(read.cwd, judged.cwd);
    EXPECT_EQ(read.cwd_names, judged.cwd_names);
    EXPECT_EQ(read.uid, judged.uid);
    EXPECT_EQ(read.gid, judged.gid);
    EXPECT_EQ(read.via, judged.via);
    EXPECT_FALSE(exec.lineage_missing || exec.lineage_cut);
    EXPECT_EQ(read.lineage.depth, 7U);
    EXPECT_TRUE(read.lineage.whole);
    ASSERT_TRUE(read.lineage.nearest && read.lineage.nearest->above);
    EXPECT_EQ(*read.lineage.nearest->program, *judged.lineage.nearest->program);
    EXPECT_EQ(*read.lineage.nearest->above->program, *judged.lineage.nearest->above->program);
    ASSERT_EQ(read.views.size(), judged.views.size());
    for (std::size_t i = 0; i < read.views.size(); ++i) {
        EXPECT_EQ(read.views[i].role, judged.views[i].role) << i;
        EXPECT_EQ(read.views[i].exe, judged.views[i].exe) << i;
        EXPECT_EQ(read.views[i].argv, judged.views[i].argv) << i;
        EXPECT_EQ(read.views[i].names, judged.views[i].names) << i;
        EXPECT_EQ(read.views[i].loose_link, judged.views[i].loose_link) << i;
    }
}

// "deny r", "allow r" or "? what is lacking".
std::string answer(const std::string& rules, const RecordedExec& exec) {
    auto policy = test::policy_of("[" + rules + "]", "deny");
    EXPECT_TRUE(policy.has_value()) << policy.error().text();
    const RecordedJudgement judged = RecordedJudge(*policy, nullptr).judge(exec);
    return judged.lacking.empty()
               ? std::string(verdict_name(judged.judgement.verdict)) + " " + judged.judgement.rule
               : "? " + judged.lacking;
}

TEST_F(Recorded, NamesThatAShortEventLacksAreSaid) {
    const std::string refuses = R"({"id": "r", "verdict": "deny", "exe": "/last"})";
    const std::string by_cwd = R"({"id": "r", "verdict": "deny", "cwd": "/last"})";
    const std::string lets_pass = R"({"id": "r", "verdict": "allow", "exe": "/srv/app"})";
    ExecFacts many = full();
    many.views.resize(1);
    many.views[0].exe = "/srv/app";
    many.views[0].loose_link.clear();
    many.views[0].names = {std::string(5000, 'n'), "/last"};
    const RecordedExec exec = after_the_file(many, Mode::kEnforce);
    EXPECT_TRUE(exec.names_cut);
    EXPECT_EQ(answer(refuses, exec), "? rule r: the record has only the first of its other names");
    EXPECT_EQ(answer(lets_pass, exec), "allow r") << "it looks at none of them";
    many.views[0].names = {};
    many.cwd_names = {std::string(5000, 'n'), "/last"};
    EXPECT_EQ(answer(by_cwd, after_the_file(many, Mode::kEnforce)),
              "? rule r: the record has only the first of its other names");
    // The control.
    EXPECT_EQ(answer(by_cwd, after_the_file(many, Mode::kLearn)), "deny r");
    many.cwd_names = {};
    many.views[0].names = {"/last"};
    EXPECT_EQ(answer(refuses, after_the_file(many, Mode::kEnforce)), "deny r");
}

TEST_F(Recorded, ArgumentsOfAnotherProgramThatWereCutAreSaid) {
    ExecFacts facts = full();
    facts.views.resize(2);
    facts.views[0].argv = {"app", "c"};
    facts.views[1].argv = {"/bin/sh", std::string(5000, 'x'), "c"};
    const RecordedExec exec = after_the_file(facts, Mode::kEnforce);
    EXPECT_TRUE(exec.arguments_cut);
    EXPECT_EQ(answer(R"({"id": "r", "verdict": "deny", "argv": {"contains": ["-c"]}})", exec),
              "? rule r: the record has only the first bytes of argv");
}

// Environments that were read before are remembered; one that only begins like another is its own.
TEST(RecordedLines, TextsAndEnvironmentsAreReadAsTheyWereWritten) {
    const std::vector<std::vector<std::string>> lists{
        {}, {"A=1"}, {"A=1", "B=2"}, {"A=1", "B=\"\\"}, {"A=1]", "B"}, {"A=\n\t\x01\xc3\xa6/"}};
    for (int round = 0; round < 2; ++round) {
        for (const auto& list : lists) {
            const test::Line line{.exe = "/usr/bin/x", .arguments = list, .env = list};
            const RecordedLine read = read_recorded_line(line.json().dump());
            ASSERT_EQ(read.kind, LineKind::kExec) << line.text();
            ASSERT_TRUE(read.exec.facts.has_value()) << line.text();
            EXPECT_EQ(read.exec.facts->env, list) << line.text();
            const auto& argv = read.exec.facts->views.front().argv;
            EXPECT_EQ(std::vector<std::string>(argv.begin() + 1, argv.end()), list) << line.text();
        }
    }
    for (const char* const bad : {R"({"time":"a)", R"({"time":"a\)", R"({"time":"\x"})"}) {
        EXPECT_EQ(read_recorded_line(bad).kind, LineKind::kForeign) << bad;
    }
}

// What a rule of lineage says of a record, "lacking" where the record does not have it.
std::string judged_again(const RecordedExec& exec, const std::string& conditions) {
    const auto policy = test::policy_of(R"([{"id": "r", "verdict": "deny", )" + conditions + "}]");
    EXPECT_TRUE(policy.has_value()) << (policy ? "" : policy.error().text());
    const RecordedJudgement judged = RecordedJudge(*policy, nullptr).judge(exec);
    return judged.lacking.empty() ? verdict_name(judged.judgement.verdict) : "lacking";
}

TEST_F(Recorded, WhatStandsAboveIsJudgedAgainWhereItIsInTheRecord) {
    ExecFacts facts = full();
    const RecordedExec whole = after_the_file(facts, Mode::kLearn);
    EXPECT_EQ(judged_again(whole, R"("parent": "**/sh")"), "deny");
    EXPECT_EQ(judged_again(whole, R"("parent": "/srv/daemon")"), "allow");
    EXPECT_EQ(judged_again(whole, R"("ancestor": "/srv/daemon")"), "deny");
    EXPECT_EQ(judged_again(whole, R"("depth": 7)"), "deny");
    EXPECT_EQ(judged_again(whole, R"("depth": 6)"), "allow");
    facts.lineage.whole = false;
    const RecordedExec half = after_the_file(facts, Mode::kLearn);
    EXPECT_EQ(judged_again(half, R"("ancestor": "/srv/other")"), "deny") << "it was not known";
    EXPECT_EQ(judged_again(half, R"("parent": "/srv/other")"), "allow");
    const RecordedExec without = after_the_file(facts, Mode::kAudit);
    EXPECT_EQ(judged_again(without, R"("parent": "/srv/other")"), "lacking");
    EXPECT_EQ(judged_again(without, R"("exe": "/other", "parent": "/srv/other")"), "allow");
    for (int i = 0; i < 40; ++i) {
        facts.lineage =
            below({"/" + std::string(1000, 'x') + std::to_string(i), {}, true}, facts.lineage);
    }
    const RecordedExec cut = after_the_file(facts, Mode::kLearn);
    EXPECT_TRUE(cut.lineage_cut);
    EXPECT_EQ(judged_again(cut, R"("ancestor": "/srv/daemon")"), "lacking");
}

}  // namespace
}  // namespace execseal
