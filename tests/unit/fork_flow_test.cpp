#include "hook/tasks/fork_flow.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>
#include <utility>

namespace execseal {
namespace {

using A = ForkAction;
using I = ForkInput;
using S = ForkState;

constexpr std::array kStates{S::kReceived, S::kSeized, S::kAnswered, S::kInterrupted, S::kBirth,
                             S::kAsking,   S::kKept,   S::kRecalled, S::kDone};
constexpr std::array kInputs{I::kSeizeRefused, I::kSeizeDone, I::kAnswerFailed, I::kAnswerGone,
                             I::kAnswerDone,   I::kBorn,      I::kPassingStop,  I::kGroupStop,
                             I::kNotifiedAnew, I::kChildStop, I::kChildGone,    I::kCatchesChild,
                             I::kCatchesNone,  I::kDeadline,  I::kYield,        I::kGone};

std::string name_of(S state, I input) {
    return std::string(fork_state_name(state)) + " + " + fork_input_name(input);
}

struct Row {
    S state;
    I input;
    S next;
    std::vector<A> actions;
};

const std::vector<Row>& table() {
    static const std::vector<Row> kRows = [] {
        std::vector<Row> rows{
            {S::kReceived, I::kSeizeDone, S::kSeized, {A::kAnswerContinue}},
            {S::kReceived, I::kSeizeRefused, S::kDone, {A::kAnswerErrno}},
            {S::kReceived, I::kGone, S::kDone, {}},
            {S::kReceived, I::kDeadline, S::kReceived, {}},
            {S::kReceived, I::kYield, S::kReceived, {}},
            {S::kSeized, I::kAnswerDone, S::kAnswered, {A::kStartGrace}},
            {S::kSeized, I::kAnswerGone, S::kInterrupted, {A::kInterrupt, A::kStartGrace}},
            {S::kSeized,
             I::kAnswerFailed,
             S::kInterrupted,
             {A::kAnswerErrno, A::kInterrupt, A::kStartGrace}},
            {S::kSeized, I::kGone, S::kDone, {}},
            {S::kSeized, I::kDeadline, S::kSeized, {}},
            {S::kSeized, I::kYield, S::kSeized, {}},
            {S::kBirth, I::kChildStop, S::kAsking, {A::kReleaseChild, A::kAskCaller}},
            {S::kBirth, I::kChildGone, S::kAsking, {A::kForgetChild, A::kAskCaller}},
            {S::kBirth, I::kDeadline, S::kBirth, {}},
            {S::kBirth, I::kYield, S::kBirth, {}},
            {S::kAsking, I::kCatchesChild, S::kKept, {A::kKeepCaller, A::kResumeCaller}},
            {S::kAsking, I::kCatchesNone, S::kDone, {A::kReleaseCaller}},
            {S::kAsking, I::kDeadline, S::kAsking, {}},
            {S::kAsking, I::kYield, S::kAsking, {}},
            {S::kKept, I::kPassingStop, S::kKept, {A::kResumeCaller}},
            {S::kRecalled, I::kPassingStop, S::kDone, {A::kReleaseCaller}},
        };
        for (const S state : {S::kAnswered, S::kInterrupted}) {
            rows.push_back({state, I::kBorn, S::kBirth, {A::kRegisterChild}});
            rows.push_back({state, I::kPassingStop, S::kAsking, {A::kAskCaller}});
            rows.push_back({state, I::kGroupStop, S::kDone, {A::kReleaseCaller}});
            rows.push_back({state, I::kNotifiedAnew, S::kSeized, {A::kAnswerContinue}});
            rows.push_back({state, I::kGone, S::kDone, {}});
            rows.push_back({state, I::kDeadline, S::kInterrupted, {A::kInterrupt, A::kStartGrace}});
            rows.push_back({state, I::kYield, S::kRecalled, {A::kInterrupt}});
        }
        for (const S state : {S::kKept, S::kRecalled}) {
            rows.push_back({state, I::kBorn, S::kBirth, {A::kRegisterChild}});
            rows.push_back({state, I::kGroupStop, S::kDone, {A::kReleaseCaller}});
            rows.push_back({state, I::kNotifiedAnew, S::kSeized, {A::kAnswerContinue}});
            rows.push_back({state, I::kDeadline, S::kRecalled, {A::kInterrupt}});
            rows.push_back({state, I::kYield, S::kRecalled, {A::kInterrupt}});
            rows.push_back({state, I::kGone, S::kDone, {}});
        }
        return rows;
    }();
    return kRows;
}

TEST(ForkFlow, FollowsItsTable) {
    for (const Row& row : table()) {
        const ForkStep step = fork_step(row.state, row.input);
        EXPECT_FALSE(step.impossible) << name_of(row.state, row.input);
        EXPECT_EQ(step.next, row.next) << name_of(row.state, row.input);
        EXPECT_EQ(step.actions, row.actions) << name_of(row.state, row.input);
    }
}

TEST(ForkFlow, EveryOtherPairIsImpossibleAndLeavesNobodyAttached) {
    std::size_t impossible = 0;
    for (const S state : kStates) {
        for (const I input : kInputs) {
            const bool in_table = std::any_of(table().begin(), table().end(), [&](const Row& row) {
                return row.state == state && row.input == input;
            });
            const ForkStep step = fork_step(state, input);
            EXPECT_EQ(step.impossible, !in_table) << name_of(state, input);
            if (step.impossible) {
                ++impossible;
                EXPECT_EQ(step.next, S::kDone) << name_of(state, input);
                EXPECT_EQ(step.actions, std::vector{A::kAbandon}) << name_of(state, input);
            }
        }
    }
    EXPECT_EQ(impossible, kStates.size() * kInputs.size() - table().size());
}

// A caller that dies ends the flow wherever it is the caller that is waited for; in kBirth it is
// the child.
TEST(ForkFlow, GoneEndsEveryState) {
    for (const S state :
         {S::kReceived, S::kSeized, S::kAnswered, S::kInterrupted, S::kKept, S::kRecalled}) {
        EXPECT_EQ(fork_step(state, I::kGone).next, S::kDone) << fork_state_name(state);
    }
    EXPECT_EQ(fork_step(S::kBirth, I::kChildGone).next, S::kAsking);
}

// Whoever needs the caller unattached gets it so: the interrupt's stop releases it.
TEST(ForkFlow, AYieldedCallerIsKeptNoMore) {
    for (const S state : {S::kAnswered, S::kInterrupted, S::kKept}) {
        const ForkStep yielded = fork_step(state, I::kYield);
        EXPECT_EQ(yielded.actions, std::vector{A::kInterrupt}) << fork_state_name(state);
        EXPECT_EQ(fork_step(yielded.next, I::kPassingStop).actions, std::vector{A::kReleaseCaller})
            << fork_state_name(state);
    }
}

// A deadline never ends a flow, which would let its caller run attached; where the kernel may owe
// nothing it interrupts, and each interrupt has a grace of its own.
TEST(ForkFlow, DeadlineInterruptsWhereTheKernelMayOweNothing) {
    for (const S state : {S::kReceived, S::kSeized, S::kAnswered, S::kInterrupted, S::kBirth}) {
        const ForkStep step = fork_step(state, I::kDeadline);
        EXPECT_NE(step.next, S::kDone) << fork_state_name(state);
        const bool waits = state == S::kAnswered || state == S::kInterrupted;
        EXPECT_EQ(step.actions,
                  waits ? (std::vector{A::kInterrupt, A::kStartGrace}) : std::vector<A>{})
            << fork_state_name(state);
    }
}

// The promise: a child is registered by the step that leads to kBirth, and released only from it.
TEST(ForkFlow, NoChildIsReleasedUnregistered) {
    const auto has = [](const ForkStep& step, A action) {
        return std::find(step.actions.begin(), step.actions.end(), action) != step.actions.end();
    };
    for (const S state : kStates) {
        for (const I input : kInputs) {
            const ForkStep step = fork_step(state, input);
            EXPECT_EQ(has(step, A::kRegisterChild), step.next == S::kBirth && state != S::kBirth)
                << name_of(state, input);
            EXPECT_TRUE(!has(step, A::kReleaseChild) || state == S::kBirth)
                << name_of(state, input);
        }
    }
}

}  // namespace
}  // namespace execseal
