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
// kInterrupted is kAnswered after an interrupt, kRecalled is kKept after one.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

namespace execseal {

inline constexpr std::size_t kForkStates = 9;
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

inline constexpr std::size_t kForkInputs = 16;
enum class ForkInput : std::uint8_t {
    kSeizeRefused,  // traced by another, say
    kSeizeDone,
    kAnswerFailed,
    kAnswerGone,  // nobody waits for it any more
    kAnswerDone,
    kBorn,         // fork, vfork or clone event
    kPassingStop,  // any but job control's and those of births
    kGroupStop,
    kNotifiedAnew,
    kChildStop,
    kChildGone,  // killed before it ever ran
    kCatchesChild,
    kCatchesNone,
    kDeadline,
    kYield,  // somebody needs the caller unattached
    kGone
};

enum class ForkAction : std::uint8_t {
    kNothing,
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
    kAbandon  // release whatever is attached as soon as it stops
};

inline constexpr std::size_t kMostForkActions = 3;
using ForkActions = std::array<ForkAction, kMostForkActions>;

struct ForkStep {
    ForkState next = ForkState::kDone;
    ForkActions actions{};
    // No such row: the flow ends, and the caller is released when it stops.
    bool impossible = false;
};

// One row of the table; no two have a state and an input in common.
struct ForkRow {
    std::uint16_t states;  // a bit each
    ForkInput input;
    std::optional<ForkState> next;  // nullopt: it stays
    ForkActions actions;
};
std::span<const ForkRow> fork_rows();

ForkStep fork_step(ForkState state, ForkInput input);

const char* fork_state_name(ForkState state);
const char* fork_input_name(ForkInput input);

}  // namespace execseal
