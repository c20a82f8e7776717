// ExecFlow: the path of one exec from its notification to the thaw, as a pure state machine.
//
// Takes what happened (ExecInput), gives what to do next (actions, in order); exec_gate.cpp
// performs them. No side effects here, so that every transition is a row of a table test. The
// promise hangs on two orders: nobody is thawed between the answer and the caller's stop, and no
// caller is released before the verification has compared what the kernel took.
//
//   state       input          what it is                         next         actions
//   kJudging    kAllowed       by the policy: freeze is on        kFreezing    freeze
//                              only verify is on                  kArmed       arm
//                              neither is                         kDone        continue
//   kFreezing   kFrozen        every task of the domain is held   kRereading   reread
//               kFreezeFailed  on_freeze_failure is "verify"      kArmed       thaw, arm
//                              it is "deny"                       kDone        errno
//   kRereading  kAllowed       unchanged, or judged again         kArmed       arm
//   kArmed      kArmFailed     the caller cannot be seized        kDone        errno
//               kGraceOver     the caller shows nothing           kInterrupted interrupt
//               kExecStop      the new image has not run yet      kVerifying   verify
//               kReturnStop    failed, or backed out              kDone
//               kAnswerStale   it had backed out before           kDone
//               kBudgetOver    bystanders were held too long      (stays)      give up the freeze
//   kInterrupted: as kArmed
//   kVerifying  kSame          the kernel took what was judged    kDone
//               kDifferent     it did not                         kDone        kill
//               kBudgetOver                                       (stays)      give up the freeze
//
// In kJudging and kRereading kRefused answers with an errno, kKillVerdict kills. kGone ends a flow
// everywhere. Before kDone whoever is still attached is released or killed, then the domain is
// thawed, then the event is written. Anything else is impossible: it is refused, or killed where it
// has been answered, and nothing stays held.
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
