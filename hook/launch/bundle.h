// A container as a hook finds it: settings, config.json and the plan that follows from both.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "config/plan.h"
#include "config/settings.h"
#include "hook/os/result.h"

namespace execseal {

// The whole of stdin, within bounds.
Result<std::string> read_stdin();

// Reads BUNDLE/config.json and plans by it; nullopt for a container that is not ours. Sets `spec`
// to the document.
Result<std::optional<Plan>> plan_bundle(const std::string& container_id, const std::string& bundle,
                                        const Settings& settings, nlohmann::ordered_json& spec);

}  // namespace execseal
