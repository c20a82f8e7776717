// `execseal-hook profile`: a ready seccomp profile for `podman --security-opt seccomp=FILE`, for
// the image label io.containers.seccomp.profile and for Kubernetes' seccompProfile Localhost; the
// node agent judges the containers that run under it.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "config/settings.h"
#include "hook/agent/base_profile.h"
#include "hook/os/result.h"

namespace execseal {

// `base` (null: a container that is otherwise unconfined) with our calls handed to the agent and
// `policy` as listenerMetadata. Forks are in it whatever the policy says now: the policy may
// change, the profile stays. Pure.
Result<nlohmann::ordered_json> make_profile(const nlohmann::ordered_json& base,
                                            const std::string& policy, const Settings& settings,
                                            const ProfileTarget& target);

// Prints to stdout; returns the exit code.
int run_profile(const std::vector<std::string>& arguments);

}  // namespace execseal
