// A Plan as JSON and back: how the hook hands it to the supervisor it starts, and how the two
// compare.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "config/plan.h"
#include "hook/os/result.h"

namespace execseal {

nlohmann::ordered_json plan_to_json(const Plan& plan);
// `origin` names the source in errors.
Result<Plan> plan_from_json(const nlohmann::ordered_json& json, const std::string& origin);

}  // namespace execseal
