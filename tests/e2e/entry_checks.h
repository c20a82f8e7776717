// What must be seen of a container under the small policy (small_policy.h), whichever program
// started it: podman, containerd, a pod's runtime, Docker.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/e2e/agents.h"
#include "tests/e2e/command.h"

namespace execseal::e2e {

// A container's command, what it prints, and its exit code.
std::vector<std::string> tour();
inline constexpr const char* kTourOutput = "hello\n126\n0\n";
inline constexpr int kTourExitCode = 42;
// The audit file has what the tour did; the event of the one that was denied.
nlohmann::json expect_tour_in_events(const Node& node);

// A container of /bin/wget, whose entrypoint the policy denies, and what its start came to.
void expect_denied_entrypoint(const Node& node, const Outcome& outcome);

// A container that must not start, since its policy cannot be used: the user reads `reason`.
void expect_not_started(const Node& node, const Outcome& outcome, const std::string& reason);

// The control: a container without a policy, whose config.json this is and whose command was
// `program`, has nothing of ours.
void expect_untouched(const Node& node, const std::string& config, const std::string& program);

// `exec ARGV` in a running container; its refusal is a non-zero exit code and no output.
void expect_execs_judged(const Node& node,
                         const std::function<Outcome(const std::vector<std::string>&)>& exec);

}  // namespace execseal::e2e
