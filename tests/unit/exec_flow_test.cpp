#include "hook/gate/exec_flow.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>

namespace execseal {
namespace {

using A = ExecAction;
using I = ExecInput;
using S = ExecState;

constexpr std::array kStates{S::kJudging, S::kFreezing,    S::kRereading,
                             S::kArmed,   S::kInterrupted, S::kVerifying};
constexpr std::array kInputs{I::kRefused,      I::kKillVerdict, I::kAllowed,     I::kFrozen,
                             I::kFreezeFailed, I::kArmFailed,   I::kGraceOver,   I::kBudgetOver,
                             I::kExecStop,     I::kReturnStop,  I::kAnswerStale, I::kSame,
                             I::kDifferent,    I::kGone};
constexpr ExecTraits kFull{true, true, OnFreezeFailure::kDeny};

bool has(const ExecStep& step, ExecAction action) {
    return std::find(step.actions.begin(), step.actions.end(), action) != step.actions.end();
}

struct Row {
    S state;
    I input;
    ExecTraits traits;
    S next;
    std::vector<A> actions;
};

TEST(ExecFlow, FollowsItsTable) {
    const ExecTraits verify_only{false, true, OnFreezeFailure::kDeny};
    const ExecTraits unbound{false, false, OnFreezeFailure::kDeny};
    const ExecTraits lenient{true, true, OnFreezeFailure::kVerify};
    const ExecTraits freeze_only{true, false, OnFreezeFailure::kVerify};
    const std::vector<A> refuse_thaw{A::kAnswerErrno, A::kReleaseCaller, A::kThaw, A::kReport};
    const std::vector<A> release_thaw{A::kReleaseCaller, A::kThaw, A::kReport};
    const std::vector<A> kill_thaw{A::kKillCaller, A::kThaw, A::kReport};
    const std::vector<Row> rows{
        {S::kJudging,
         I::kRefused,
         kFull,
         S::kDone,
         {A::kAnswerErrno, A::kReleaseCaller, A::kReport}},
        {S::kJudging, I::kKillVerdict, kFull, S::kDone, {A::kKillCaller, A::kReport}},
        {S::kJudging, I::kGone, kFull, S::kDone, {A::kReleaseCaller, A::kReport}},
        {S::kJudging, I::kAllowed, kFull, S::kFreezing, {A::kFreeze}},
        {S::kJudging, I::kAllowed, verify_only, S::kArmed, {A::kArm}},
        {S::kJudging, I::kAllowed, unbound, S::kDone, {A::kAnswerContinue, A::kReport}},
        {S::kFreezing, I::kFrozen, kFull, S::kRereading, {A::kReread}},
        {S::kFreezing, I::kFreezeFailed, kFull, S::kDone, refuse_thaw},
        {S::kFreezing, I::kFreezeFailed, lenient, S::kArmed, {A::kThaw, A::kArm}},
        {S::kFreezing, I::kFreezeFailed, freeze_only, S::kDone, refuse_thaw},
        {S::kFreezing, I::kGone, kFull, S::kDone, release_thaw},
        {S::kRereading, I::kAllowed, kFull, S::kArmed, {A::kArm}},
        {S::kRereading, I::kRefused, kFull, S::kDone, refuse_thaw},
        {S::kRereading, I::kKillVerdict, kFull, S::kDone, kill_thaw},
        {S::kRereading, I::kGone, kFull, S::kDone, release_thaw},
        {S::kArmed, I::kGraceOver, kFull, S::kInterrupted, {A::kInterrupt}},
        {S::kInterrupted, I::kGraceOver, kFull, S::kInterrupted, {}},
        {S::kArmed, I::kArmFailed, kFull, S::kDone, refuse_thaw},
        {S::kArmed, I::kBudgetOver, kFull, S::kArmed, {A::kGiveUpFreeze}},
        {S::kInterrupted, I::kBudgetOver, kFull, S::kInterrupted, {A::kGiveUpFreeze}},
        {S::kArmed, I::kExecStop, kFull, S::kVerifying, {A::kVerify}},
        {S::kInterrupted, I::kExecStop, kFull, S::kVerifying, {A::kVerify}},
        {S::kArmed, I::kExecStop, freeze_only, S::kDone, release_thaw},
        {S::kArmed, I::kReturnStop, kFull, S::kDone, release_thaw},
        {S::kInterrupted, I::kReturnStop, kFull, S::kDone, release_thaw},
        {S::kArmed, I::kAnswerStale, kFull, S::kDone, release_thaw},
        {S::kArmed, I::kGone, kFull, S::kDone, release_thaw},
        {S::kInterrupted, I::kGone, kFull, S::kDone, release_thaw},
        {S::kVerifying, I::kSame, kFull, S::kDone, release_thaw},
        {S::kVerifying, I::kDifferent, kFull, S::kDone, kill_thaw},
        {S::kVerifying, I::kBudgetOver, kFull, S::kVerifying, {A::kGiveUpFreeze}},
        {S::kVerifying, I::kGone, kFull, S::kDone, release_thaw},
    };
    for (const auto& row : rows) {
        const auto step = exec_step(row.state, row.input, row.traits);
        EXPECT_EQ(step.next, row.next)
            << exec_state_name(row.state) << " + " << exec_input_name(row.input);
        EXPECT_EQ(step.actions, row.actions)
            << exec_state_name(row.state) << " + " << exec_input_name(row.input);
        EXPECT_FALSE(step.impossible);
    }
}

TEST(ExecFlow, EveryOtherPairIsImpossibleAndEndsWithNobodyHeldOrAllowed) {
    int impossible = 0;
    for (const auto state : kStates) {
        for (const auto input : kInputs) {
            const auto step = exec_step(state, input, kFull);
            if (!step.impossible) {
                continue;
            }
            ++impossible;
            EXPECT_EQ(step.next, S::kDone);
            EXPECT_TRUE(has(step, A::kThaw));
            EXPECT_TRUE(has(step, A::kAnswerErrno) || has(step, A::kKillCaller));
            EXPECT_FALSE(has(step, A::kAnswerContinue) || has(step, A::kArm));
        }
    }
    EXPECT_EQ(impossible, 55);  // 6 states x 14 inputs, less the 29 that are possible
}

TEST(ExecFlow, NobodyIsThawedBetweenTheAnswerAndTheCallersStop) {
    for (const auto state : {S::kArmed, S::kInterrupted}) {
        for (const auto input : kInputs) {
            const auto step = exec_step(state, input, kFull);
            const bool stopped_or_gone = input == I::kReturnStop || input == I::kAnswerStale ||
                                         input == I::kGone || input == I::kArmFailed;
            EXPECT_EQ(has(step, A::kThaw) && !step.impossible, stopped_or_gone)
                << exec_input_name(input);
        }
    }
}

TEST(ExecFlow, AFlowThatFrozeThawsOnEveryWayToItsEnd) {
    for (const auto state :
         {S::kFreezing, S::kRereading, S::kArmed, S::kInterrupted, S::kVerifying}) {
        for (const auto input : kInputs) {
            const auto step = exec_step(state, input, kFull);
            if (step.next == S::kDone) {
                EXPECT_TRUE(has(step, A::kThaw))
                    << exec_state_name(state) << " + " << exec_input_name(input);
                EXPECT_TRUE(has(step, A::kReport))
                    << exec_state_name(state) << " + " << exec_input_name(input);
            }
        }
    }
}

}  // namespace
}  // namespace execseal
