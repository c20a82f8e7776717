// ForkFlow: the path of one fork-class call from its notification to the release, as a pure state
// machine.
//
// Takes what happened (ForkInput), gives what to do next (actions, in order); fork_tracking.cpp
// performs them. The promise: no child is released before it was registered. The caller is never
// sent a signal, and no state waits for ever: where the kernel owes no event, a deadline
// interrupts, and an interrupt always ends in a stop. The child is let go first, so that a caller
// that attaches to it at once (a debugger) finds it untraced.
//
//   state      input          what it is                     next          actions
//   kReceived  kSeizeDone     attached                       kSeized       continue
//              kSeizeRefused  traced by another, say         kDone         errno
//              kGone          the caller has died            kDone
//   kSeized    kAnswerDone    the caller goes on             kAnswered     grace
//              kAnswerGone    stale: a signal, or its death  kInterrupted  interrupt, grace
//              kAnswerFailed  our own failure                kInterrupted  errno, then as above
//              kGone          the caller has died            kDone
//   kAnswered  kBorn          fork, vfork or clone event     kBirth        register child
//              kOtherStop     a signal made it back out      kDone         release caller
//              kNotifiedAnew  the call failed, here is more  kSeized       continue
//              kDeadline      no event: failed, or slow      kInterrupted  interrupt, grace
//              kYield         somebody needs the caller      kInterrupted  interrupt, grace
//              kGone          the caller has died            kDone
//   kInterrupted: as kAnswered; an interrupt more does nothing in the kernel
//   kBirth     kChildStop     the child's first stop         kDone         release child,
//                                                                          release caller
//              kChildGone     killed before it ever ran      kDone         release caller,
//                                                                          forget child
//
// Elsewhere kDeadline and kYield change nothing: kReceived and kSeized do not wait, and a child in
// kBirth owes its first stop to the kernel alone. Anything else is impossible: the flow ends, the
// caller is released when it stops, and fork_tracking.cpp says so in the log.
#pragma once

#include <cstdint>
#include <vector>

namespace execseal {

enum class ForkState : std::uint8_t { kReceived, kSeized, kAnswered, kInterrupted, kBirth, kDone };

enum class ForkInput : std::uint8_t {
    kSeizeRefused,
    kSeizeDone,
    kAnswerFailed,
    kAnswerGone,
    kAnswerDone,
    kBorn,
    kOtherStop,
    kNotifiedAnew,
    kChildStop,
    kChildGone,
    kDeadline,
    kYield,
    kGone,
};

enum class ForkAction : std::uint8_t {
    kAnswerErrno,
    kAnswerContinue,
    kStartGrace,
    kInterrupt,
    kReleaseCaller,
    kRegisterChild,
    kReleaseChild,
    kForgetChild,
    kAbandon,  // release whatever is attached as soon as it stops
};

struct ForkStep {
    ForkState next = ForkState::kDone;
    std::vector<ForkAction> actions;
    bool impossible = false;
};

ForkStep fork_step(ForkState state, ForkInput input);

const char* fork_state_name(ForkState state);
const char* fork_input_name(ForkInput input);

}  // namespace execseal
