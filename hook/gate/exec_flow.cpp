#include "hook/gate/exec_flow.h"

#include <array>

namespace execseal {
namespace {

using Action = ExecAction;
using Input = ExecInput;
using State = ExecState;

ExecStep to(State next, std::vector<Action> actions) {
    return ExecStep{next, std::move(actions), false};
}

ExecStep arm_or_continue(const ExecTraits& traits) {
    if (traits.verify || traits.freeze) {
        return to(State::kArmed, {Action::kArm});
    }
    return to(State::kDone, {Action::kAnswerContinue, Action::kReport});
}

// Ends a flow in a state where it must not be: whatever is held is let go, whoever waits is
// refused.
ExecStep impossible(State state) {
    ExecStep step;
    step.impossible = true;
    switch (state) {
        case State::kDone:
            return step;
        case State::kJudging:
        case State::kFreezing:
        case State::kRereading:
            step.actions = {Action::kAnswerErrno, Action::kReleaseCaller, Action::kThaw,
                            Action::kReport};
            return step;
        case State::kArmed:
        case State::kInterrupted:
        case State::kVerifying:
            step.actions = {Action::kKillCaller, Action::kThaw, Action::kReport};
            return step;
    }
    return step;
}

ExecStep judging(Input input, const ExecTraits& traits) {
    switch (input) {
        case Input::kRefused:
            return to(State::kDone,
                      {Action::kAnswerErrno, Action::kReleaseCaller, Action::kReport});
        case Input::kKillVerdict:
            return to(State::kDone, {Action::kKillCaller, Action::kReport});
        case Input::kAllowed:
            return traits.freeze ? to(State::kFreezing, {Action::kFreeze})
                                 : arm_or_continue(traits);
        case Input::kGone:
            return to(State::kDone, {Action::kReleaseCaller, Action::kReport});
        case Input::kFrozen:
        case Input::kFreezeFailed:
        case Input::kArmFailed:
        case Input::kGraceOver:
        case Input::kBudgetOver:
        case Input::kExecStop:
        case Input::kReturnStop:
        case Input::kAnswerStale:
        case Input::kSame:
        case Input::kDifferent:
            return impossible(State::kJudging);
    }
    return impossible(State::kJudging);
}

ExecStep freezing(Input input, const ExecTraits& traits) {
    switch (input) {
        case Input::kFrozen:
            return to(State::kRereading, {Action::kReread});
        case Input::kFreezeFailed:
            if (traits.on_freeze_failure == OnFreezeFailure::kVerify && traits.verify) {
                return to(State::kArmed, {Action::kThaw, Action::kArm});
            }
            return to(State::kDone, {Action::kAnswerErrno, Action::kReleaseCaller, Action::kThaw,
                                     Action::kReport});
        case Input::kGone:
            return to(State::kDone, {Action::kReleaseCaller, Action::kThaw, Action::kReport});
        case Input::kRefused:
        case Input::kKillVerdict:
        case Input::kAllowed:
        case Input::kArmFailed:
        case Input::kGraceOver:
        case Input::kBudgetOver:
        case Input::kExecStop:
        case Input::kReturnStop:
        case Input::kAnswerStale:
        case Input::kSame:
        case Input::kDifferent:
            return impossible(State::kFreezing);
    }
    return impossible(State::kFreezing);
}

ExecStep rereading(Input input) {
    switch (input) {
        case Input::kAllowed:
            return to(State::kArmed, {Action::kArm});
        case Input::kRefused:
            return to(State::kDone, {Action::kAnswerErrno, Action::kReleaseCaller, Action::kThaw,
                                     Action::kReport});
        case Input::kKillVerdict:
            return to(State::kDone, {Action::kKillCaller, Action::kThaw, Action::kReport});
        case Input::kGone:
            return to(State::kDone, {Action::kReleaseCaller, Action::kThaw, Action::kReport});
        case Input::kFrozen:
        case Input::kFreezeFailed:
        case Input::kArmFailed:
        case Input::kGraceOver:
        case Input::kBudgetOver:
        case Input::kExecStop:
        case Input::kReturnStop:
        case Input::kAnswerStale:
        case Input::kSame:
        case Input::kDifferent:
            return impossible(State::kRereading);
    }
    return impossible(State::kRereading);
}

ExecStep armed(State state, Input input, const ExecTraits& traits) {
    switch (input) {
        case Input::kGraceOver:
            return state == State::kArmed ? to(State::kInterrupted, {Action::kInterrupt})
                                          : to(state, {});
        case Input::kArmFailed:  // before the answer: the caller can still be refused
            return to(State::kDone, {Action::kAnswerErrno, Action::kReleaseCaller, Action::kThaw,
                                     Action::kReport});
        case Input::kBudgetOver:
            return to(state, {Action::kGiveUpFreeze});
        case Input::kExecStop:
            if (!traits.verify) {
                return to(State::kDone, {Action::kReleaseCaller, Action::kThaw, Action::kReport});
            }
            return to(State::kVerifying, {Action::kVerify});
        case Input::kReturnStop:
        case Input::kAnswerStale:
        case Input::kGone:
            return to(State::kDone, {Action::kReleaseCaller, Action::kThaw, Action::kReport});
        case Input::kRefused:
        case Input::kKillVerdict:
        case Input::kAllowed:
        case Input::kFrozen:
        case Input::kFreezeFailed:
        case Input::kSame:
        case Input::kDifferent:
            return impossible(state);
    }
    return impossible(state);
}

ExecStep verifying(Input input) {
    switch (input) {
        case Input::kSame:
        case Input::kGone:
            return to(State::kDone, {Action::kReleaseCaller, Action::kThaw, Action::kReport});
        case Input::kDifferent:
            return to(State::kDone, {Action::kKillCaller, Action::kThaw, Action::kReport});
        case Input::kBudgetOver:
            return to(State::kVerifying, {Action::kGiveUpFreeze});
        case Input::kRefused:
        case Input::kKillVerdict:
        case Input::kAllowed:
        case Input::kFrozen:
        case Input::kFreezeFailed:
        case Input::kArmFailed:
        case Input::kGraceOver:
        case Input::kExecStop:
        case Input::kReturnStop:
        case Input::kAnswerStale:
            return impossible(State::kVerifying);
    }
    return impossible(State::kVerifying);
}

}  // namespace

ExecStep exec_step(ExecState state, ExecInput input, const ExecTraits& traits) {
    switch (state) {
        case State::kJudging:
            return judging(input, traits);
        case State::kFreezing:
            return freezing(input, traits);
        case State::kRereading:
            return rereading(input);
        case State::kArmed:
        case State::kInterrupted:
            return armed(state, input, traits);
        case State::kVerifying:
            return verifying(input);
        case State::kDone:
            return impossible(State::kDone);
    }
    return impossible(State::kDone);
}

const char* exec_state_name(ExecState state) {
    static constexpr std::array<const char*, 7> kNames{
        "judging", "freezing", "rereading", "armed", "interrupted", "verifying", "done"};
    return kNames.at(static_cast<std::size_t>(state));
}

const char* exec_input_name(ExecInput input) {
    static constexpr std::array<const char*, 14> kNames{
        "refused",      "kill verdict", "allowed",     "frozen",    "freeze failed",
        "arm failed",   "grace over",   "budget over", "exec stop", "return stop",
        "answer stale", "same",         "different",   "gone"};
    return kNames.at(static_cast<std::size_t>(input));
}

}  // namespace execseal
