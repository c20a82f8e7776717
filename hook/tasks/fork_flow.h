// ForkFlow: the path of one fork-class call from its notification to the release, as a pure state
// machine.
//
// Takes what happened (ForkInput), gives what to do next (actions, in order); fork_tracking.cpp
// performs them. The promise: no child is released before it was registered. The caller is never
// sent a signal, and no state waits for ever: where the kernel owes no event, a deadline
// interrupts, and an interrupt always ends in a stop. The child is let go first, so that a caller
// that attaches to it at once (a debugger) finds it untraced.
//
// A caller that catches SIGCHLD stays attached for a while (kKept). A signal that comes between its
// next call and the supervisor's look at it would end that call with EINTR, which fork(2) does not
// have: the end of the first process of a pipeline while the shell makes the next. Attached, it
// stops for the signal first, and its call is made to start again (Tracer::resume()).
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
//              kPassingStop   a signal or a freeze made it   kAsking       ask caller
//                             back out, and it starts again
//              kGroupStop     job control made it            kDone         release caller
//              kNotifiedAnew  the call failed, here is more  kSeized       continue
//              kDeadline      no event: failed, or slow      kInterrupted  interrupt, grace
//              kYield         somebody needs the caller      kRecalled     interrupt
//              kGone          the caller has died            kDone
//   kInterrupted: as kAnswered; an interrupt more does nothing in the kernel
//   kBirth     kChildStop     the child's first stop         kAsking       release child,
//                                                                          ask caller
//              kChildGone     killed before it ever ran      kAsking       forget child,
//                                                                          ask caller
//   kAsking    kCatchesChild  it catches SIGCHLD             kKept         keep, resume caller
//              kCatchesNone   it does not, or is no process  kDone         release caller
//   kKept      kPassingStop   a child's end, say; a freeze   kKept         resume caller
//              kGroupStop     job control                    kDone         release caller
//              kNotifiedAnew  its next call                  kSeized       continue
//              kBorn          a thread, which is not told    kBirth        register child
//              kDeadline      no call for long               kRecalled     interrupt
//              kYield         somebody needs the caller      kRecalled     interrupt
//              kGone          it has ended                   kDone
//   kRecalled: as kKept, but at the first stop it is released
//
// Elsewhere kDeadline and kYield change nothing: kReceived, kSeized and kAsking do not wait, and a
// child in kBirth owes its first stop to the kernel alone. Anything else is impossible: the flow
// ends, the caller is released when it stops, and fork_tracking.cpp says so in the log.
#pragma once

#include <cstdint>
#include <vector>

namespace execseal {

enum class ForkState : std::uint8_t {
    kReceived,
    kSeized,
    kAnswered,
    kInterrupted,
    kBirth,
    kAsking,
    kKept,
    kRecalled,
    kDone
};

enum class ForkInput : std::uint8_t {
    kSeizeRefused,
    kSeizeDone,
    kAnswerFailed,
    kAnswerGone,
    kAnswerDone,
    kBorn,
    kPassingStop,  // any but job control's and those of births
    kGroupStop,
    kNotifiedAnew,
    kChildStop,
    kChildGone,
    kCatchesChild,
    kCatchesNone,
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
    kAskCaller,     // whether it is one to keep: kCatchesChild or kCatchesNone
    kResumeCaller,  // it goes on attached, with the signal of its stop
    kKeepCaller,    // start the time that it may stay attached without a call
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
