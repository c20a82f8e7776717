#include "hook/gate/exec.h"

#include <utility>

namespace execseal {
namespace {

int error_of(const Exec& exec, Outcome outcome) {
    switch (outcome) {
        case Outcome::kRefused:
            return exec.decision.error;
        case Outcome::kFailed:
            return exec.kernel_error;
        case Outcome::kKilled:
        case Outcome::kExecuted:
        case Outcome::kChecked:
        case Outcome::kGone:
            return 0;
    }
    return 0;
}

}  // namespace

ExecEvent event_of(Exec&& exec, Outcome outcome) {
    const bool known = exec.ids.tgid.value != 0;
    ExecEvent event;
    event.host_pid = known ? exec.ids.tgid.value : exec.caller.tid().value;
    event.container_pid = exec.container_pid;
    event.ppid = exec.ids.parent.value;
    event.outcome = outcome;
    event.error = error_of(exec, outcome);
    event.latency = exec.answered.value_or(exec.received) - exec.received;
    event.facts = std::move(exec.decision.facts);
    event.requested = std::move(exec.decision.requested);
    event.judgement = std::move(exec.decision.judgement);
    event.policy_sha256 = exec.terms->policy_sha256;
    event.gate = std::move(exec.gate);
    event.id = std::move(exec.event_id);
    return event;
}

}  // namespace execseal
