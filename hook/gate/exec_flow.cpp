#include "hook/gate/exec_flow.h"

namespace execseal {
namespace {

using enum ExecAction;
using enum ExecInput;
using enum ExecState;
using Traits = ExecTraits;

template <typename... States>
constexpr std::uint16_t in(States... states) {
    return static_cast<std::uint16_t>(((1U << static_cast<unsigned>(states)) | ...));
}

template <typename... Actions>
constexpr ExecStep to(ExecState next, Actions... actions) {
    return {next, std::nullopt, {actions...}, false};
}

// Nobody is told: nothing was decided.
template <typename... Actions>
constexpr ExecStep drop(Actions... actions) {
    return {kDone, std::nullopt, {actions...}, false};
}

template <typename... Actions>
constexpr ExecStep done(Outcome outcome, Actions... actions) {
    return {kDone, outcome, {actions...}, false};
}

constexpr ExecStep stay(ExecState state, ExecAction action = kNothing) {
    return {state, std::nullopt, {action}, false};
}

constexpr bool always(const Traits& /*traits*/) {
    return true;
}
constexpr bool freezes(const Traits& traits) {
    return traits.freeze;
}
constexpr bool binds(const Traits& traits) {
    return traits.verify || traits.freeze || traits.arm;
}
constexpr bool verifies(const Traits& traits) {
    return traits.verify;
}
constexpr bool verifies_instead(const Traits& traits) {
    return traits.on_freeze_failure == OnFreezeFailure::kVerify && traits.verify;
}

constexpr std::uint16_t kUnanswered =
    in(kReading, kWaiting, kFreezing, kRereading, kBinding, kContinuing, kRefusing);
constexpr std::uint16_t kInKernel = in(kExecuting, kInterrupted);

// clang-format off
constexpr std::array kRows{
    // In these states         this           where             leads to
    ExecRow{in(kReading),      kStudied,      always,           to(kWaiting, kQueue)},
    ExecRow{in(kReading),      kDeadline,     always,           stay(kReading, kCollect)},
    // The caller's next call takes over what is attached.
    ExecRow{in(kReading, kWaiting), kBackedOut,   always,       drop()},
    ExecRow{in(kReading, kWaiting), kCalledOther, always,       drop()},

    ExecRow{in(kWaiting),      kAllowed,      freezes,          to(kFreezing, kFreeze)},
    ExecRow{in(kWaiting),      kAllowed,      binds,            to(kBinding, kBind)},
    ExecRow{in(kWaiting),      kAllowed,      always,           to(kContinuing, kAnswerContinue)},
    ExecRow{in(kWaiting, kRereading), kRefused,     always,     to(kRefusing, kAnswerErrno)},
    ExecRow{in(kWaiting, kRereading), kKillVerdict, always,     done(Outcome::kKilled, kKillCaller, kThaw)},
    ExecRow{in(kWaiting),      kDeadline,     always,           stay(kWaiting)},

    ExecRow{in(kFreezing),     kFrozen,       always,           to(kRereading, kReread)},
    ExecRow{in(kFreezing),     kFreezeFailed, verifies_instead, to(kBinding, kThaw, kBind)},
    ExecRow{in(kFreezing),     kFreezeFailed, always,           to(kRefusing, kAnswerErrno)},
    ExecRow{in(kFreezing),     kDeadline,     always,           stay(kFreezing)},

    ExecRow{in(kRereading),    kAllowed,      always,           to(kBinding, kBind)},
    ExecRow{in(kRereading),    kMustWiden,    always,           to(kFreezing, kThaw, kFreeze)},
    ExecRow{in(kRereading),    kDeadline,     always,           stay(kRereading)},

    ExecRow{in(kBinding),      kBound,        always,           to(kContinuing, kAnswerContinue)},
    ExecRow{in(kBinding),      kBindFailed,   always,           to(kRefusing, kAnswerErrno)},
    ExecRow{in(kBinding),      kHeld,         always,           to(kWaiting, kThaw, kQueue)},
    ExecRow{in(kBinding),      kAnswerStale,  always,           drop(kReleaseCaller, kThaw)},
    ExecRow{in(kBinding),      kDeadline,     always,           stay(kBinding)},

    ExecRow{in(kContinuing),   kAnswered,     binds,            to(kExecuting, kStartGrace)},
    ExecRow{in(kContinuing),   kAnswered,     always,           done(Outcome::kExecuted, kMarkExecuted)},
    ExecRow{in(kContinuing),   kAnswerStale,  always,           drop(kReleaseCaller, kThaw)},
    ExecRow{in(kContinuing),   kDeadline,     always,           stay(kContinuing)},

    ExecRow{in(kRefusing),     kAnswered,     always,           done(Outcome::kRefused, kReleaseCaller, kThaw)},
    ExecRow{in(kRefusing),     kAnswerStale,  always,           drop(kReleaseCaller, kThaw)},
    ExecRow{in(kRefusing),     kDeadline,     always,           stay(kRefusing)},

    ExecRow{in(kExecuting),    kDeadline,     always,           to(kInterrupted, kHurry)},
    ExecRow{in(kExecuting),    kBudgetOver,   always,           stay(kExecuting, kGiveUpFreeze)},
    ExecRow{in(kInterrupted),  kDeadline,     always,           stay(kInterrupted)},
    ExecRow{in(kInterrupted),  kBudgetOver,   always,           stay(kInterrupted, kGiveUpFreeze)},
    ExecRow{kInKernel,         kExecuted,     verifies,         to(kVerifying, kMarkExecuted, kVerify)},
    ExecRow{kInKernel,         kExecuted,     always,           done(Outcome::kExecuted, kMarkExecuted, kReleaseCaller, kThaw)},
    ExecRow{kInKernel,         kReturned,     always,           done(Outcome::kFailed, kReleaseCaller, kThaw)},
    ExecRow{kInKernel,         kCalledOther,  always,           done(Outcome::kFailed, kReleaseCaller, kThaw)},
    ExecRow{kInKernel,         kChecked,      always,           done(Outcome::kChecked, kReleaseCaller, kThaw)},
    ExecRow{kInKernel,         kBackedOut,    always,           drop(kReleaseCaller, kThaw)},
    ExecRow{kInKernel,         kGone,         always,           done(Outcome::kGone, kEndUnverified, kReleaseCaller, kThaw)},
    ExecRow{kInKernel,         kEnd,          always,           done(Outcome::kGone, kReleaseCaller, kThaw)},

    ExecRow{in(kVerifying),    kSame,         always,           done(Outcome::kExecuted, kReleaseCaller, kThaw)},
    ExecRow{in(kVerifying),    kDifferent,    always,           done(Outcome::kKilled, kKillCaller, kThaw)},
    ExecRow{in(kVerifying),    kDeadline,     always,           stay(kVerifying)},
    ExecRow{in(kVerifying),    kBudgetOver,   always,           stay(kVerifying, kGiveUpFreeze)},
    ExecRow{in(kVerifying),    kGone,         always,           done(Outcome::kGone, kReleaseCaller, kThaw)},
    ExecRow{in(kVerifying),    kEnd,          always,           done(Outcome::kGone, kKillCaller, kThaw)},

    ExecRow{kUnanswered,       kGone,         always,           drop(kReleaseCaller, kThaw)},
    ExecRow{kUnanswered,       kEnd,          always,           drop(kReleaseCaller, kThaw)},
};
// clang-format on

// Ends an exec where it must not be: who waits is refused, who may have been answered is killed.
ExecStep impossible(ExecState state) {
    ExecStep step;
    step.impossible = true;
    switch (state) {
        case kDone:
            return step;
        case kReading:
        case kWaiting:
        case kFreezing:
        case kRereading:
        case kBinding:
            step.next = kRefusing;
            step.actions = {kAnswerErrno};
            return step;
        case kContinuing:
        case kExecuting:
        case kInterrupted:
        case kVerifying:
        case kRefusing:
            step.outcome = Outcome::kKilled;
            step.actions = {kKillCaller, kThaw};
            return step;
    }
    return step;
}

}  // namespace

std::span<const ExecRow> exec_rows() {
    return kRows;
}

ExecStep exec_step(ExecState state, ExecInput input, const ExecTraits& traits) {
    for (const ExecRow& row : kRows) {
        if ((row.states & in(state)) != 0 && row.input == input && row.condition(traits)) {
            return row.step;
        }
    }
    return impossible(state);
}

const char* exec_state_name(ExecState state) {
    static constexpr std::array<const char*, kExecStates> kNames{
        "reading",   "waiting",     "freezing",  "rereading", "binding", "continuing",
        "executing", "interrupted", "verifying", "refusing",  "done"};
    return kNames.at(static_cast<std::size_t>(state));
}

const char* exec_input_name(ExecInput input) {
    static constexpr std::array<const char*, kExecInputs> kNames{
        "studied",       "refused",  "kill verdict", "allowed",    "frozen",       "must widen",
        "freeze failed", "bound",    "bind failed",  "held",       "answered",     "answer stale",
        "executed",      "returned", "checked",      "backed out", "called other", "same",
        "different",     "deadline", "budget over",  "gone",       "end"};
    return kNames.at(static_cast<std::size_t>(input));
}

}  // namespace execseal
