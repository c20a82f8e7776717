#include "hook/tasks/fork_flow.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <set>
#include <string>
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

bool has(const ForkStep& step, A action) {
    return std::find(step.actions.begin(), step.actions.end(), action) != step.actions.end();
}

bool is(const ForkStep& step, const ForkActions& actions) {
    return step.actions == actions;
}

// Asks every state for every input.
template <class Ask>
void for_each_pair(Ask ask) {
    for (const S state : kStates) {
        for (const I input : kInputs) {
            SCOPED_TRACE(name_of(state, input));
            ask(state, input, fork_step(state, input));
        }
    }
}

TEST(ForkFlow, NoTwoRowsAnswerOnePair) {
    std::set<std::pair<S, I>> seen;
    for (const ForkRow& row : fork_rows()) {
        for (const S state : kStates) {
            if ((row.states & (1U << static_cast<unsigned>(state))) != 0) {
                EXPECT_TRUE(seen.emplace(state, row.input).second) << name_of(state, row.input);
            }
        }
    }
    for_each_pair([&](S state, I input, const ForkStep& step) {
        EXPECT_EQ(step.impossible, !seen.contains({state, input}));
    });
}

TEST(ForkFlow, WhatIsImpossibleLeavesNobodyAttached) {
    for_each_pair([](S /*state*/, I /*input*/, const ForkStep& step) {
        if (step.impossible) {
            EXPECT_EQ(step.next, S::kDone);
            EXPECT_TRUE(is(step, {A::kAbandon}));
        } else {
            EXPECT_FALSE(has(step, A::kAbandon));
        }
    });
    EXPECT_TRUE(fork_step(S::kDone, I::kGone).impossible);
}

TEST(ForkFlow, EveryStateAnswersGoneDeadlineAndYield) {
    for (const S state : kStates) {
        if (state == S::kDone) {
            continue;
        }
        EXPECT_FALSE(fork_step(state, I::kDeadline).impossible) << fork_state_name(state);
        EXPECT_FALSE(fork_step(state, I::kYield).impossible) << fork_state_name(state);
        // The caller is stopped in kBirth and kAsking, and asked about there: nobody tells its end.
        const bool told = state != S::kBirth && state != S::kAsking;
        EXPECT_EQ(fork_step(state, I::kGone).impossible, !told) << fork_state_name(state);
    }
}

TEST(ForkFlow, NoStateIsWithoutAWayOut) {
    std::set<S> ends{S::kDone};
    for (std::size_t before = 0; before != ends.size();) {
        before = ends.size();
        for_each_pair([&](S state, I /*input*/, const ForkStep& step) {
            if (!step.impossible && ends.contains(step.next)) {
                ends.insert(state);
            }
        });
    }
    EXPECT_EQ(ends.size(), kStates.size());
}

TEST(ForkFlow, WhoStaysAttachedIsNotDone) {
    for_each_pair([](S state, I input, const ForkStep& step) {
        if (step.impossible || step.next != S::kDone || input == I::kGone ||
            state == S::kReceived) {
            return;
        }
        EXPECT_TRUE(has(step, A::kReleaseCaller));
    });
}

// A notification is answered by the step that it leads to, and by a second one only where the
// first could not be sent.
TEST(ForkFlow, NothingIsAnsweredTwice) {
    for_each_pair([](S state, I input, const ForkStep& step) {
        EXPECT_EQ(has(step, A::kAnswerContinue), step.next == S::kSeized && state != S::kSeized);
        EXPECT_EQ(has(step, A::kAnswerErrno),
                  input == I::kAnswerFailed ? state == S::kSeized
                                            : state == S::kReceived && input == I::kSeizeRefused);
        if (has(step, A::kAnswerContinue)) {
            EXPECT_TRUE(input == I::kSeizeDone || input == I::kNotifiedAnew);
        }
    });
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
        EXPECT_TRUE(is(yielded, {A::kInterrupt})) << fork_state_name(state);
        EXPECT_TRUE(is(fork_step(yielded.next, I::kPassingStop), {A::kReleaseCaller}))
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
        EXPECT_TRUE(is(step, waits ? ForkActions{A::kInterrupt, A::kStartGrace} : ForkActions{}))
            << fork_state_name(state);
    }
}

// The promise: a child is registered by the step that leads to kBirth, and released only from it.
TEST(ForkFlow, NoChildIsReleasedUnregistered) {
    for_each_pair([](S state, I /*input*/, const ForkStep& step) {
        EXPECT_EQ(has(step, A::kRegisterChild), step.next == S::kBirth && state != S::kBirth);
        EXPECT_TRUE(!has(step, A::kReleaseChild) || state == S::kBirth);
    });
}

}  // namespace
}  // namespace execseal
