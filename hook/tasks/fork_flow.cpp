#include "hook/tasks/fork_flow.h"

namespace execseal {
namespace {

using State = ForkState;
using Input = ForkInput;
using Action = ForkAction;

ForkStep impossible() {
    return {State::kDone, {Action::kAbandon}, true};
}

ForkStep from_received(Input input) {
    switch (input) {
        case Input::kSeizeDone:
            return {State::kSeized, {Action::kAnswerContinue}};
        case Input::kSeizeRefused:
            return {State::kDone, {Action::kAnswerErrno}};
        case Input::kGone:
            return {State::kDone, {}};
        case Input::kDeadline:
        case Input::kYield:
            return {State::kReceived, {}};
        default:
            return impossible();
    }
}

ForkStep from_seized(Input input) {
    switch (input) {
        case Input::kAnswerDone:
            return {State::kAnswered, {Action::kStartGrace}};
        case Input::kAnswerGone:
            // Alive and about to stop for a signal, dead, or (its number recycled) somebody else:
            // the interrupt ends all three.
            return {State::kInterrupted, {Action::kInterrupt, Action::kStartGrace}};
        case Input::kAnswerFailed:
            return {State::kInterrupted,
                    {Action::kAnswerErrno, Action::kInterrupt, Action::kStartGrace}};
        case Input::kGone:
            return {State::kDone, {}};
        case Input::kDeadline:
        case Input::kYield:
            return {State::kSeized, {}};
        default:
            return impossible();
    }
}

// kAnswered and kInterrupted: the kernel is at work for the caller.
ForkStep from_answered(Input input) {
    switch (input) {
        case Input::kBorn:
            return {State::kBirth, {Action::kRegisterChild}};
        case Input::kPassingStop:
            return {State::kAsking, {Action::kAskCaller}};
        case Input::kGroupStop:
            return {State::kDone, {Action::kReleaseCaller}};
        case Input::kNotifiedAnew:
            return {State::kSeized, {Action::kAnswerContinue}};
        case Input::kDeadline:
            return {State::kInterrupted, {Action::kInterrupt, Action::kStartGrace}};
        case Input::kYield:
            return {State::kRecalled, {Action::kInterrupt}};
        case Input::kGone:
            return {State::kDone, {}};
        default:
            return impossible();
    }
}

ForkStep from_birth(Input input) {
    switch (input) {
        case Input::kChildStop:
            return {State::kAsking, {Action::kReleaseChild, Action::kAskCaller}};
        case Input::kChildGone:
            return {State::kAsking, {Action::kForgetChild, Action::kAskCaller}};
        case Input::kDeadline:
        case Input::kYield:
            return {State::kBirth, {}};
        default:
            return impossible();
    }
}

ForkStep from_asking(Input input) {
    switch (input) {
        case Input::kCatchesChild:
            return {State::kKept, {Action::kKeepCaller, Action::kResumeCaller}};
        case Input::kCatchesNone:
            return {State::kDone, {Action::kReleaseCaller}};
        case Input::kDeadline:
        case Input::kYield:
            return {State::kAsking, {}};
        default:
            return impossible();
    }
}

// kKept and kRecalled: the caller runs.
ForkStep from_kept(State state, Input input) {
    switch (input) {
        case Input::kPassingStop:
            if (state == State::kKept) {
                return {State::kKept, {Action::kResumeCaller}};
            }
            return {State::kDone, {Action::kReleaseCaller}};
        case Input::kGroupStop:
            return {State::kDone, {Action::kReleaseCaller}};
        case Input::kNotifiedAnew:
            return {State::kSeized, {Action::kAnswerContinue}};
        case Input::kDeadline:
        case Input::kYield:
            return {State::kRecalled, {Action::kInterrupt}};
        case Input::kBorn:
            return {State::kBirth, {Action::kRegisterChild}};
        case Input::kGone:
            return {State::kDone, {}};
        default:
            return impossible();
    }
}

}  // namespace

ForkStep fork_step(ForkState state, ForkInput input) {
    switch (state) {
        case State::kReceived:
            return from_received(input);
        case State::kSeized:
            return from_seized(input);
        case State::kAnswered:
        case State::kInterrupted:
            return from_answered(input);
        case State::kBirth:
            return from_birth(input);
        case State::kAsking:
            return from_asking(input);
        case State::kKept:
        case State::kRecalled:
            return from_kept(state, input);
        case State::kDone:
            break;
    }
    return impossible();
}

const char* fork_state_name(ForkState state) {
    switch (state) {
        case State::kReceived:
            return "received";
        case State::kSeized:
            return "seized";
        case State::kAnswered:
            return "answered";
        case State::kInterrupted:
            return "interrupted";
        case State::kBirth:
            return "birth";
        case State::kAsking:
            return "asking";
        case State::kKept:
            return "kept";
        case State::kRecalled:
            return "recalled";
        case State::kDone:
            return "done";
    }
    return "?";
}

const char* fork_input_name(ForkInput input) {
    switch (input) {
        case Input::kSeizeRefused:
            return "seize refused";
        case Input::kSeizeDone:
            return "seized";
        case Input::kAnswerFailed:
            return "answer failed";
        case Input::kAnswerGone:
            return "answer stale";
        case Input::kAnswerDone:
            return "answered";
        case Input::kBorn:
            return "born";
        case Input::kPassingStop:
            return "passing stop";
        case Input::kGroupStop:
            return "group stop";
        case Input::kNotifiedAnew:
            return "notified anew";
        case Input::kChildStop:
            return "child's stop";
        case Input::kChildGone:
            return "child gone";
        case Input::kCatchesChild:
            return "catches SIGCHLD";
        case Input::kCatchesNone:
            return "does not catch SIGCHLD";
        case Input::kDeadline:
            return "deadline";
        case Input::kYield:
            return "yield";
        case Input::kGone:
            return "gone";
    }
    return "?";
}

}  // namespace execseal
