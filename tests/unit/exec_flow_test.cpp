#include "hook/gate/exec_flow.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

namespace execseal {
namespace {

using A = ExecAction;
using I = ExecInput;
using S = ExecState;

std::vector<S> all_states() {
    std::vector<S> states;
    for (std::size_t i = 0; i < kExecStates; ++i) {
        states.push_back(static_cast<S>(i));
    }
    return states;
}

std::vector<I> all_inputs() {
    std::vector<I> inputs;
    for (std::size_t i = 0; i < kExecInputs; ++i) {
        inputs.push_back(static_cast<I>(i));
    }
    return inputs;
}

std::vector<ExecTraits> all_traits() {
    std::vector<ExecTraits> traits;
    for (const bool freeze : {false, true}) {
        for (const bool verify : {false, true}) {
            for (const auto failure : {OnFreezeFailure::kDeny, OnFreezeFailure::kVerify}) {
                for (const bool arm : {false, true}) {
                    traits.push_back({freeze, verify, failure, arm});
                }
            }
        }
    }
    return traits;
}

const std::vector<S> kStates = all_states();
const std::vector<I> kInputs = all_inputs();
const std::vector<ExecTraits> kTraits = all_traits();
constexpr ExecTraits kFull{true, true, OnFreezeFailure::kDeny};

bool has(const ExecStep& step, ExecAction action) {
    return std::find(step.actions.begin(), step.actions.end(), action) != step.actions.end();
}

bool answers(const ExecStep& step) {
    return has(step, A::kAnswerErrno) || has(step, A::kAnswerContinue);
}

std::string pair_name(S state, I input) {
    return std::string(exec_state_name(state)) + " + " + exec_input_name(input);
}

// One input after the other, each of which must be possible; gives all actions.
std::vector<A> walk(const ExecTraits& traits, const std::vector<std::pair<I, S>>& way,
                    std::optional<Outcome> outcome) {
    std::vector<A> actions;
    S state = S::kReading;
    std::optional<Outcome> last;
    for (const auto& [input, next] : way) {
        const ExecStep step = exec_step(state, input, traits);
        EXPECT_FALSE(step.impossible) << pair_name(state, input);
        EXPECT_EQ(step.next, next) << pair_name(state, input);
        std::copy_if(step.actions.begin(), step.actions.end(), std::back_inserter(actions),
                     [](A action) { return action != A::kNothing; });
        state = step.next;
        last = step.outcome;
    }
    EXPECT_EQ(last, outcome);
    return actions;
}

TEST(ExecFlow, TakesAnAllowedExecThroughFreezeAndVerification) {
    EXPECT_EQ(walk(kFull,
                   {{I::kStudied, S::kWaiting},
                    {I::kAllowed, S::kFreezing},
                    {I::kFrozen, S::kRereading},
                    {I::kAllowed, S::kBinding},
                    {I::kBound, S::kContinuing},
                    {I::kAnswered, S::kExecuting},
                    {I::kDeadline, S::kInterrupted},
                    {I::kExecuted, S::kVerifying},
                    {I::kSame, S::kDone}},
                   Outcome::kExecuted),
              (std::vector<A>{A::kQueue, A::kFreeze, A::kReread, A::kBind, A::kAnswerContinue,
                              A::kStartGrace, A::kHurry, A::kMarkExecuted, A::kVerify,
                              A::kReleaseCaller, A::kThaw}));
}

TEST(ExecFlow, DoesOnlyWhatTheTraitsAskFor) {
    const std::vector<std::pair<I, S>> bound{
        {I::kStudied, S::kWaiting},    {I::kAllowed, S::kBinding},    {I::kBound, S::kContinuing},
        {I::kAnswered, S::kExecuting}, {I::kExecuted, S::kVerifying}, {I::kDifferent, S::kDone}};
    const auto verified = walk({false, true, OnFreezeFailure::kDeny}, bound, Outcome::kKilled);
    EXPECT_EQ(verified.back(), A::kThaw);
    EXPECT_EQ(*(verified.end() - 2), A::kKillCaller);
    EXPECT_EQ(
        walk({false, false, OnFreezeFailure::kDeny},
             {{I::kStudied, S::kWaiting}, {I::kAllowed, S::kContinuing}, {I::kAnswered, S::kDone}},
             Outcome::kExecuted),
        (std::vector<A>{A::kQueue, A::kAnswerContinue, A::kMarkExecuted}));
    EXPECT_EQ(walk({true, false, OnFreezeFailure::kVerify},
                   {{I::kStudied, S::kWaiting},
                    {I::kAllowed, S::kFreezing},
                    {I::kFrozen, S::kRereading},
                    {I::kAllowed, S::kBinding},
                    {I::kBound, S::kContinuing},
                    {I::kAnswered, S::kExecuting},
                    {I::kExecuted, S::kDone}},
                   Outcome::kExecuted)
                  .back(),
              A::kThaw);
}

TEST(ExecFlow, AFailedFreezeIsVerifiedInsteadOnlyWhereThatWasAskedForAndIsDone) {
    for (const ExecTraits& traits : kTraits) {
        const ExecStep step = exec_step(S::kFreezing, I::kFreezeFailed, traits);
        const bool instead = traits.verify && traits.on_freeze_failure == OnFreezeFailure::kVerify;
        EXPECT_EQ(step.next, instead ? S::kBinding : S::kRefusing);
        EXPECT_EQ(has(step, A::kAnswerErrno), !instead);
    }
}

TEST(ExecFlow, ARefusalIsAnsweredAndAKillVerdictKills) {
    for (const ExecTraits& traits : kTraits) {
        for (const S state : {S::kWaiting, S::kRereading}) {
            const ExecStep refused = exec_step(state, I::kRefused, traits);
            EXPECT_EQ(refused.next, S::kRefusing);
            EXPECT_TRUE(has(refused, A::kAnswerErrno));
            const ExecStep killed = exec_step(state, I::kKillVerdict, traits);
            EXPECT_EQ(killed.outcome, Outcome::kKilled);
            EXPECT_TRUE(has(killed, A::kKillCaller) && has(killed, A::kThaw));
        }
        EXPECT_EQ(exec_step(S::kBinding, I::kBindFailed, traits).next, S::kRefusing);
        EXPECT_EQ(exec_step(S::kRefusing, I::kAnswered, traits).outcome, Outcome::kRefused);
    }
}

TEST(ExecFlow, EveryStateAnswersGoneDeadlineAndEnd) {
    for (const ExecTraits& traits : kTraits) {
        for (const S state : kStates) {
            if (state == S::kDone) {
                continue;
            }
            for (const I input : {I::kGone, I::kEnd}) {
                const ExecStep step = exec_step(state, input, traits);
                EXPECT_FALSE(step.impossible) << pair_name(state, input);
                EXPECT_EQ(step.next, S::kDone) << pair_name(state, input);
                EXPECT_FALSE(answers(step)) << pair_name(state, input);
                EXPECT_TRUE(has(step, A::kThaw)) << pair_name(state, input);
                EXPECT_TRUE(has(step, A::kReleaseCaller) || has(step, A::kKillCaller))
                    << pair_name(state, input);
            }
            EXPECT_FALSE(exec_step(state, I::kDeadline, traits).impossible)
                << pair_name(state, I::kDeadline);
        }
    }
}

// From there on, without what is impossible.
std::set<S> reached_from(S state, const ExecTraits& traits) {
    std::set<S> reached{state};
    for (std::size_t before = 0; before != reached.size();) {
        before = reached.size();
        for (const S from : std::set<S>(reached)) {
            for (const I input : kInputs) {
                const ExecStep step = exec_step(from, input, traits);
                if (!step.impossible) {
                    reached.insert(step.next);
                }
            }
        }
    }
    return reached;
}

TEST(ExecFlow, EveryStateIsReachedAndNoneIsWithoutAWayOut) {
    EXPECT_EQ(reached_from(S::kReading, kFull).size(), kExecStates);
    for (const ExecTraits& traits : kTraits) {
        for (const S state : kStates) {
            EXPECT_TRUE(reached_from(state, traits).contains(S::kDone)) << exec_state_name(state);
        }
    }
    EXPECT_EQ(reached_from(S::kDone, kFull).size(), 1U);
}

// Whatever happens in whatever order, impossible things too.
TEST(ExecFlow, NothingIsAnsweredTwice) {
    for (const ExecTraits& traits : kTraits) {
        std::set<std::pair<S, bool>> seen{{S::kReading, false}};
        for (std::size_t before = 0; before != seen.size();) {
            before = seen.size();
            for (const auto& [state, answered] : std::set<std::pair<S, bool>>(seen)) {
                for (const I input : kInputs) {
                    const ExecStep step = exec_step(state, input, traits);
                    EXPECT_FALSE(answered && answers(step)) << pair_name(state, input);
                    EXPECT_FALSE(has(step, A::kAnswerErrno) && has(step, A::kAnswerContinue));
                    seen.emplace(step.next, answered || answers(step));
                }
            }
        }
        EXPECT_FALSE(seen.contains({S::kExecuting, false}));
        EXPECT_FALSE(seen.contains({S::kWaiting, true}));
    }
}

TEST(ExecFlow, EveryRowCountsSomewhere) {
    for (const ExecRow& row : exec_rows()) {
        bool counts = false;
        for (const S state : kStates) {
            if ((row.states & (1U << static_cast<unsigned>(state))) == 0) {
                continue;
            }
            for (const ExecTraits& traits : kTraits) {
                const auto first =
                    std::find_if(exec_rows().begin(), exec_rows().end(), [&](const ExecRow& other) {
                        return (other.states & (1U << static_cast<unsigned>(state))) != 0 &&
                               other.input == row.input && other.condition(traits);
                    });
                counts = counts || &*first == &row;
            }
        }
        EXPECT_TRUE(counts) << "row " << &row - exec_rows().data() << ": "
                            << exec_input_name(row.input);
    }
}

TEST(ExecFlow, EveryOtherPairIsImpossibleAndEndsWithNobodyHeldOrAllowed) {
    int impossible = 0;
    for (const S state : kStates) {
        for (const I input : kInputs) {
            const ExecStep step = exec_step(state, input, kFull);
            if (!step.impossible || state == S::kDone) {
                continue;
            }
            ++impossible;
            if (step.next == S::kRefusing) {
                EXPECT_TRUE(has(step, A::kAnswerErrno));
            } else {
                EXPECT_EQ(step.next, S::kDone);
                EXPECT_TRUE(has(step, A::kKillCaller) && has(step, A::kThaw));
            }
            EXPECT_FALSE(has(step, A::kAnswerContinue) || has(step, A::kBind));
        }
    }
    EXPECT_EQ(impossible, 10 * 23 - 67);  // states x inputs, less what is possible
}

TEST(ExecFlow, NobodyIsThawedBetweenTheAnswerAndTheCallersStop) {
    for (const S state : {S::kExecuting, S::kInterrupted}) {
        for (const I input : kInputs) {
            const ExecStep step = exec_step(state, input, kFull);
            const bool stopped_or_gone = input == I::kReturned || input == I::kChecked ||
                                         input == I::kBackedOut || input == I::kCalledOther ||
                                         input == I::kGone || input == I::kEnd;
            EXPECT_EQ(has(step, A::kThaw) && !step.impossible, stopped_or_gone)
                << pair_name(state, input);
        }
    }
    EXPECT_FALSE(has(exec_step(S::kContinuing, I::kAnswered, kFull), A::kThaw));
}

TEST(ExecFlow, NobodyIsReleasedBeforeWhatTheKernelTookIsCompared) {
    for (const ExecTraits& traits : kTraits) {
        for (const S state : {S::kExecuting, S::kInterrupted}) {
            const ExecStep step = exec_step(state, I::kExecuted, traits);
            EXPECT_EQ(step.next == S::kVerifying, traits.verify);
            EXPECT_EQ(has(step, A::kVerify), traits.verify);
            EXPECT_EQ(has(step, A::kReleaseCaller), !traits.verify);
        }
        for (const I input : kInputs) {
            const ExecStep step = exec_step(S::kVerifying, input, traits);
            EXPECT_EQ(has(step, A::kReleaseCaller), input == I::kSame || input == I::kGone)
                << exec_input_name(input);
        }
    }
}

TEST(ExecFlow, AFlowThatFrozeThawsOnEveryWayToItsEnd) {
    for (const S state : {S::kFreezing, S::kRereading, S::kBinding, S::kContinuing, S::kRefusing,
                          S::kExecuting, S::kInterrupted, S::kVerifying}) {
        for (const I input : kInputs) {
            const ExecStep step = exec_step(state, input, kFull);
            if (step.next == S::kDone) {
                EXPECT_TRUE(has(step, A::kThaw)) << pair_name(state, input);
            }
        }
    }
}

// Whoever has the answer "continue" and does not start its call again is told of.
TEST(ExecFlow, WhatWasAnsweredEndsWithAnEvent) {
    for (const ExecTraits& traits : kTraits) {
        for (const S state : {S::kExecuting, S::kInterrupted, S::kVerifying}) {
            for (const I input : kInputs) {
                const ExecStep step = exec_step(state, input, traits);
                if (step.next == S::kDone) {
                    EXPECT_EQ(step.outcome.has_value(),
                              state == S::kVerifying || input != I::kBackedOut)
                        << pair_name(state, input);
                }
            }
        }
        EXPECT_FALSE(exec_step(S::kWaiting, I::kGone, traits).outcome.has_value());
        EXPECT_FALSE(exec_step(S::kReading, I::kEnd, traits).outcome.has_value());
    }
}

}  // namespace
}  // namespace execseal
