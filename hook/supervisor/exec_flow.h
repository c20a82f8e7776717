// ExecFlow: the path of one exec from its notification to the thaw, as a pure state machine.
//
// Takes what happened (ExecEvent_), gives what to do next (actions, in order); exec_gate.cpp
// performs them. No side effects here, so that every transition is a row of a table test. The
// promise hangs on two orders: nobody is thawed between the answer and the caller's stop, and no
// caller is released before the verification has compared what the kernel took.
//
//   kJudging --allowed, freeze--> kFreezing --frozen--> kRereading --allowed--> kArmed --exec
//   stop--> kVerifying --> kDone
//        |                            |                     |                     |  ^
//        | refused, kill, gone        | failed: on_freeze_  | changed and refused | grace over:
//        interrupt, kInterrupted v                            v failure             v v failed
//        return, signal, gone
//      kDone                        kDone / kArmed        kDone                 kDone
#pragma once

#include <cstdint>
#include <vector>

#include "config/policy.h"

namespace execseal {

enum class ExecState : std::uint8_t {
    kJudging,
    kFreezing,
    kRereading,
    kArmed,
    kInterrupted,
    kVerifying,
    kDone
};

enum class ExecInput : std::uint8_t {
    kRefused,  // the policy denies, the target does not exist, or something could not be read whole
    kKillVerdict,   // the policy says kill
    kAllowed,       // after the first read, or after the re-read under the freeze
    kFrozen,        // every task of the domain is held
    kFreezeFailed,  // budget passed, or a task that cannot be seized
    kArmFailed,     // the caller cannot be seized: somebody else traces it
    kGraceOver,     // the caller has shown nothing for exec_grace since the answer
    kBudgetOver,    // bystanders have been held for freeze_budget
    kExecStop,      // PTRACE_EVENT_EXEC: the new image is there and has not run
    kReturnStop,    // any other stop of the armed caller: its execve failed or backed out for a
                    // signal
    kAnswerStale,   // the answer found no notification any more (ENOENT): a signal made the caller
                    // back out
    kSame,          // the kernel took what was judged
    kDifferent,     // it did not, or what it took cannot be read
    kGone,          // the caller has ended
};

enum class ExecAction : std::uint8_t {
    kAnswerErrno,
    kAnswerContinue,  // unbound: nothing is attached (mode audit, or protect off and verify off)
    kFreeze,
    kReread,
    kArm,  // seize the caller (TRACEEXEC, EXITKILL), answer "continue", start the grace
    kInterrupt,
    kVerify,
    kKillCaller,
    kReleaseCaller,  // detach with the signal it owes; one that is not stopped yet is released when
                     // it stops
    kThaw,
    kGiveUpFreeze,  // thaw, and say in the event that the freeze ended early
    kReport,        // write the audit event
};

// What the policy's "protect" and the mode ask of this exec.
struct ExecTraits {
    bool freeze = true;
    bool verify = true;
    OnFreezeFailure on_freeze_failure = OnFreezeFailure::kDeny;
};

struct ExecStep {
    ExecState next = ExecState::kDone;
    std::vector<ExecAction> actions;
    bool impossible =
        false;  // no such transition: refused and reported as state + input, nothing stays held
};

ExecStep exec_step(ExecState state, ExecInput input, const ExecTraits& traits);

const char* exec_state_name(ExecState state);
const char* exec_input_name(ExecInput input);

}  // namespace execseal
