#include "hook/gate/study_judge.h"

#include <gtest/gtest.h>

#include "tests/unit/policy_facts.h"

namespace execseal {
namespace {

IdMaps host_ids() {
    const auto all = IdMap::parse("0 0 4294967295\n", MapReader::kOutside);
    return {all.value(), all.value()};
}

// A whole one of /bin/ls, that every policy below allows.
ExecStudy study_of_ls() {
    ExecStudy study;
    study.snapshot.outcome = SnapshotOutcome::kComplete;
    study.snapshot.path = "ls";
    study.snapshot.argv = make_block({"ls"});
    study.program.outcome = ProgramOutcome::kFound;
    study.program.views.push_back({ViewRole::kProgram, "/bin/ls", {"ls"}});
    study.program.root.directory.inode = 7;
    study.program.cwd = "/";
    return study;
}

class StudyJudgeTest : public ::testing::Test {
  protected:
    StudyJudgeTest() { judge.set_id_maps(host_ids()); }

    Ruling ruling_on(ExecStudy&& study) { return ruling_on(study); }
    Ruling ruling_on(ExecStudy& study) {
        decision = judge.judge(study, Via::kChild, {}, *terms);
        return decision.ruling;
    }
    // `rule` and `reason` of the decision, the errno and nothing that a policy has said.
    void expect_refused(ExecStudy& study, const char* rule, int error) {
        EXPECT_EQ(ruling_on(study), Ruling::kRefuse);
        EXPECT_EQ(decision.judgement.verdict, Verdict::kDeny);
        EXPECT_EQ(decision.judgement.rule, rule);
        EXPECT_FALSE(decision.judgement.reason.empty());
        EXPECT_EQ(decision.error, error);
        EXPECT_FALSE(decision.facts.has_value());
    }

    Policy policy =
        test::policy_of(R"([{"id": "other", "verdict": "deny", "exe": "/bin/other"}])", "allow")
            .value();
    SharedTerms terms = make_terms(policy, std::nullopt, Mode::kEnforce, "", true);
    StudyJudge judge;
    Decision decision;
};

TEST_F(StudyJudgeTest, AWholeStudyComesBeforeThePolicy) {
    EXPECT_EQ(ruling_on(study_of_ls()), Ruling::kAllow);
    ASSERT_TRUE(decision.facts.has_value());
    EXPECT_EQ(decision.facts->views.at(0).exe, "/bin/ls");
    EXPECT_EQ(decision.judgement.verdict, Verdict::kAllow);
    EXPECT_EQ(decision.judgement.rule, "default");
}

TEST_F(StudyJudgeTest, ThePolicysRefusalIsAnsweredWithItsErrno) {
    const Policy strict =
        test::policy_of(R"([{"id": "no", "verdict": "deny", "errno": "EPERM", "exe": "/bin/ls"},
                            {"id": "never", "verdict": "kill", "exe": "/bin/sh"}])")
            .value();
    StudyJudge by_rule;
    const auto under = make_terms(strict, std::nullopt, Mode::kEnforce, "", true);
    by_rule.set_id_maps(host_ids());
    ExecStudy study = study_of_ls();
    decision = by_rule.judge(study, Via::kChild, {}, *under);
    EXPECT_EQ(decision.ruling, Ruling::kRefuse);
    EXPECT_EQ(decision.error, EPERM);
    ExecStudy other = study_of_ls();
    other.program.views[0].exe = "/bin/sh";
    EXPECT_EQ(by_rule.judge(other, Via::kChild, {}, *under).ruling, Ruling::kKill);
}

TEST_F(StudyJudgeTest, WhatCouldNotBeReadIsRefusedWhateverThePolicySays) {
    ExecStudy study = study_of_ls();
    study.snapshot.reason = "an argument";
    study.snapshot.outcome = SnapshotOutcome::kUnreadable;
    expect_refused(study, "unreadable", EACCES);
    study.snapshot.outcome = SnapshotOutcome::kBlocked;
    expect_refused(study, "blocked", EACCES);
    study.snapshot.outcome = SnapshotOutcome::kGone;
    EXPECT_EQ(ruling_on(study), Ruling::kGone);
}

TEST_F(StudyJudgeTest, TheKernelsOwnRefusalIsGivenOn) {
    ExecStudy study = study_of_ls();
    study.snapshot.outcome = SnapshotOutcome::kRefused;
    study.snapshot.error = ENOENT;
    study.snapshot.reason = "no such file";
    expect_refused(study, "kernel", ENOENT);
    EXPECT_EQ(decision.requested, "ls");
    study = study_of_ls();
    study.program.outcome = ProgramOutcome::kRefused;
    study.program.error = ENOEXEC;
    study.program.reason = "no format";
    expect_refused(study, "kernel", ENOEXEC);
}

TEST_F(StudyJudgeTest, AProgramThatCannotBeNamedIsRefused) {
    ExecStudy study = study_of_ls();
    study.program = Program{};
    study.program.reason = "no name";
    expect_refused(study, "unresolved", EACCES);
    EXPECT_EQ(decision.requested, "ls");
}

TEST_F(StudyJudgeTest, WithoutIdMapsEverythingIsRefused) {
    StudyJudge early;
    ExecStudy study = study_of_ls();
    decision = early.judge(study, Via::kChild, {}, *terms);
    EXPECT_EQ(decision.ruling, Ruling::kRefuse);
    EXPECT_EQ(decision.error, EACCES);
    EXPECT_FALSE(decision.facts.has_value());
}

TEST_F(StudyJudgeTest, TheFirstExecSaysWhatTheRootIs) {
    EXPECT_FALSE(judge.root().has_value());
    (void)ruling_on(study_of_ls());
    ExecStudy elsewhere = study_of_ls();
    elsewhere.program.root.directory.inode = 8;
    (void)ruling_on(elsewhere);
    ASSERT_TRUE(judge.root().has_value());
    EXPECT_EQ(judge.root()->directory.inode, 7U);
}

TEST_F(StudyJudgeTest, ARootThatCouldNotBeLearntLeavesEverythingRefused) {
    ExecStudy failed;
    failed.program.reason = "gone";
    judge.learn_root(std::move(failed));
    ExecStudy study = study_of_ls();
    expect_refused(study, "unresolved", EACCES);
}

TEST_F(StudyJudgeTest, ALearntRootIsKept) {
    judge.learn_root(study_of_ls());
    ASSERT_TRUE(judge.root().has_value());
    EXPECT_EQ(judge.root()->directory.inode, 7U);
}

}  // namespace
}  // namespace execseal
