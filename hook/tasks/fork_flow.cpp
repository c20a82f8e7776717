#include "hook/tasks/fork_flow.h"

namespace execseal {
namespace {

using enum ForkAction;
using enum ForkInput;
using enum ForkState;

template <typename... States>
constexpr std::uint16_t in(States... states) {
    return static_cast<std::uint16_t>(((1U << static_cast<unsigned>(states)) | ...));
}

template <typename... Actions>
constexpr ForkActions all(Actions... actions) {
    return {actions...};
}

constexpr std::optional<ForkState> kStays = std::nullopt;

// The kernel is at work for the caller.
constexpr std::uint16_t kInCall = in(kAnswered, kInterrupted);
// The caller runs, and is attached.
constexpr std::uint16_t kRuns = in(kKept, kRecalled);
// They are passed within one call, but for kBirth: there the child owes its first stop to the
// kernel alone.
constexpr std::uint16_t kNoDeadline = in(kReceived, kSeized, kBirth, kAsking);

// clang-format off
constexpr std::array kRows{
    // In these states      this           leads to       and does
    ForkRow{in(kReceived),  kSeizeDone,    kSeized,       all(kAnswerContinue)},
    ForkRow{in(kReceived),  kSeizeRefused, kDone,         all(kAnswerErrno)},
    ForkRow{in(kReceived),  kGone,         kDone,         all()},

    ForkRow{in(kSeized),    kAnswerDone,   kAnswered,     all(kStartGrace)},
    // Alive and about to stop for a signal, dead, or (its number recycled) somebody else: the
    // interrupt ends all three.
    ForkRow{in(kSeized),    kAnswerGone,   kInterrupted,  all(kInterrupt, kStartGrace)},
    ForkRow{in(kSeized),    kAnswerFailed, kInterrupted,  all(kAnswerErrno, kInterrupt, kStartGrace)},
    ForkRow{in(kSeized),    kGone,         kDone,         all()},

    ForkRow{kInCall,        kBorn,         kBirth,        all(kRegisterChild)},
    // A signal or a freeze has made it back out, and it starts again.
    ForkRow{kInCall,        kPassingStop,  kAsking,       all(kAskCaller)},
    ForkRow{kInCall,        kGroupStop,    kDone,         all(kReleaseCaller)},
    // The call has failed, and here is the next.
    ForkRow{kInCall,        kNotifiedAnew, kSeized,       all(kAnswerContinue)},
    // No event: it has failed, or is slow. An interrupt more does nothing in the kernel.
    ForkRow{kInCall,        kDeadline,     kInterrupted,  all(kInterrupt, kStartGrace)},
    ForkRow{kInCall,        kYield,        kRecalled,     all(kInterrupt)},
    ForkRow{kInCall,        kGone,         kDone,         all()},

    ForkRow{in(kBirth),     kChildStop,    kAsking,       all(kReleaseChild, kAskCaller)},
    ForkRow{in(kBirth),     kChildGone,    kAsking,       all(kForgetChild, kAskCaller)},

    ForkRow{in(kAsking),    kCatchesChild, kKept,         all(kKeepCaller, kResumeCaller)},
    ForkRow{in(kAsking),    kCatchesNone,  kDone,         all(kReleaseCaller)},

    // A child's end, say, or a freeze.
    ForkRow{in(kKept),      kPassingStop,  kStays,        all(kResumeCaller)},
    ForkRow{in(kRecalled),  kPassingStop,  kDone,         all(kReleaseCaller)},
    ForkRow{kRuns,          kGroupStop,    kDone,         all(kReleaseCaller)},
    ForkRow{kRuns,          kNotifiedAnew, kSeized,       all(kAnswerContinue)},
    // A thread, which is not notified.
    ForkRow{kRuns,          kBorn,         kBirth,        all(kRegisterChild)},
    ForkRow{kRuns,          kDeadline,     kRecalled,     all(kInterrupt)},
    ForkRow{kRuns,          kYield,        kRecalled,     all(kInterrupt)},
    ForkRow{kRuns,          kGone,         kDone,         all()},

    ForkRow{kNoDeadline,    kDeadline,     kStays,        all()},
    ForkRow{kNoDeadline,    kYield,        kStays,        all()},
};
// clang-format on

}  // namespace

std::span<const ForkRow> fork_rows() {
    return kRows;
}

ForkStep fork_step(ForkState state, ForkInput input) {
    for (const ForkRow& row : kRows) {
        if ((row.states & in(state)) != 0 && row.input == input) {
            return {row.next.value_or(state), row.actions, false};
        }
    }
    return {kDone, all(kAbandon), true};
}

const char* fork_state_name(ForkState state) {
    static constexpr std::array<const char*, kForkStates> kNames{
        "received", "seized", "answered", "interrupted", "birth",
        "asking",   "kept",   "recalled", "done"};
    return kNames.at(static_cast<std::size_t>(state));
}

const char* fork_input_name(ForkInput input) {
    static constexpr std::array<const char*, kForkInputs> kNames{"seize refused",
                                                                 "seized",
                                                                 "answer failed",
                                                                 "answer stale",
                                                                 "answered",
                                                                 "born",
                                                                 "passing stop",
                                                                 "group stop",
                                                                 "notified anew",
                                                                 "child's stop",
                                                                 "child gone",
                                                                 "catches SIGCHLD",
                                                                 "does not catch SIGCHLD",
                                                                 "deadline",
                                                                 "yield",
                                                                 "gone"};
    return kNames.at(static_cast<std::size_t>(input));
}

}  // namespace execseal
