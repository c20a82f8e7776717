// ExecFlow: the life of one exec from its notification to its event, as one table.
//
// Takes what happened (ExecInput), gives the next state, what has become of the exec if that ends
// it, and what is to be done (actions, in order); exec_gate.cpp does it. No side effects here, so
// that tests ask the whole table for its properties. The promise hangs on two orders: nobody is
// thawed between the answer "continue" and the caller's stop, and no caller is released before the
// verification has compared what the kernel took.
//
//   kReading -> kWaiting -> kFreezing -> kRereading -> kBinding -> kContinuing -> kExecuting
//                  |            |             |            |                          |
//                  kInterrupted
//                  +--------- kRefusing <-----+------------+                          v
//                                 |                                               kVerifying
//                                 +------------------> kDone <------------------------+
//
// An exec rests in kReading, kWaiting, kExecuting and kInterrupted; it passes the others within one
// call.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "config/policy.h"
#include "hook/gate/audit.h"

namespace execseal {

inline constexpr std::size_t kExecStates = 11;
enum class ExecState : std::uint8_t {
    kReading,      // the first read has not come back yet
    kWaiting,      // judged; for its turn, while somebody else has frozen the domain
    kFreezing,     // the domain is being stopped
    kRereading,    // under the freeze
    kBinding,      // so that what the kernel takes can be compared before it runs
    kContinuing,   // being answered "continue"
    kExecuting,    // the kernel has the call
    kInterrupted,  // the same, and the caller was asked to stop
    kVerifying,    // the new image is there and has not run
    kRefusing,     // being answered with an errno
    kDone
};

inline constexpr std::size_t kExecInputs = 23;
enum class ExecInput : std::uint8_t {
    kStudied,       // the first read is judged
    kRefused,       // the policy denies, the kernel would, or something could not be read whole
    kKillVerdict,   // the policy says kill
    kAllowed,       // after the first read, or after the second one under the freeze
    kFrozen,        // everybody who could write is held
    kMustWiden,     // under the freeze: others could write than those who are held
    kFreezeFailed,  // budget passed, or a task that cannot be seized
    kBound,         // what the kernel takes will be compared
    kBindFailed,    // the caller cannot be bound: somebody else traces it
    kHeld,          // another container's supervisor does, for a moment
    kAnswered,      // the caller has the answer
    kAnswerStale,   // nobody waits for it any more: a signal made the caller back out
    kExecuted,      // the new image is there and has not run
    kReturned,      // the kernel's execve has failed
    kChecked,       // AT_EXECVE_CHECK: it says that it would have succeeded
    kBackedOut,     // the caller left its call for a signal, and starts it again
    kCalledOther,   // the caller makes another call: this one has failed, nobody saw how
    kSame,          // the kernel took what was judged
    kDifferent,     // it did not, or what it took cannot be read
    kDeadline,      // of the state: of the read; the grace in which an exec mostly ends by itself
    kBudgetOver,    // bystanders have been held for freeze_budget
    kGone,          // the caller has ended
    kEnd            // of the session: nobody waits for its answers
};

enum class ExecAction : std::uint8_t {
    kNothing,
    kCollect,  // end a read that is late, or give it more time
    kQueue,    // for its turn
    kFreeze,
    kReread,
    kBind,
    kAnswerContinue,
    kAnswerErrno,
    kStartGrace,
    kHurry,         // make the caller show what has become of its exec
    kMarkExecuted,  // the caller runs its new program, or will at once
    kVerify,
    kKillCaller,
    kEndUnverified,  // a process that goes on where the end of its exec was missed
    kReleaseCaller,  // one that is not stopped yet is let go when it stops
    kThaw,           // nothing where this exec has not frozen
    kGiveUpFreeze    // thaw, and say in the event that the freeze ended early
};

// What the policy's "protect" and the mode ask of this exec.
struct ExecTraits {
    bool freeze = true;
    bool verify = true;
    OnFreezeFailure on_freeze_failure = OnFreezeFailure::kDeny;
    bool arm = false;  // although nobody verifies: an exec that is not armed dies
};

inline constexpr std::size_t kMostActions = 3;

struct ExecStep {
    ExecState next = ExecState::kDone;
    // Where `next` is kDone: what the event says. nullopt: nothing was decided, so there is none.
    std::optional<Outcome> outcome;
    std::array<ExecAction, kMostActions> actions{};
    // No such row: the exec is refused, or killed where it may have been answered; nothing stays
    // held.
    bool impossible = false;
};

// One row of the table; the first that fits counts.
struct ExecRow {
    std::uint16_t states;  // a bit each
    ExecInput input;
    bool (*condition)(const ExecTraits& traits);
    ExecStep step;
};
std::span<const ExecRow> exec_rows();

ExecStep exec_step(ExecState state, ExecInput input, const ExecTraits& traits);

const char* exec_state_name(ExecState state);
const char* exec_input_name(ExecInput input);

}  // namespace execseal
