// policy_text: a policy as a person would write it down, and rules put into one that is there.
// Pure.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "hook/os/result.h"

namespace execseal {

// With four spaces, what fits into a line on one line. Ends with a newline.
std::string policy_text(const nlohmann::ordered_json& policy);

// `text` (a policy that the loader takes) with `rules` behind its own; every byte of it stays.
Result<std::string> with_rules(std::string_view text,
                               const std::vector<nlohmann::ordered_json>& rules);

}  // namespace execseal
