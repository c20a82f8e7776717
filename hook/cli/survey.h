// Survey: the supervisors of this node, asked for their status.
#pragma once

#include <chrono>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "hook/os/result.h"

namespace execseal {

// How long an answer is waited for.
inline constexpr std::chrono::seconds kAnswerDeadline{5};

struct Survey {
    std::vector<nlohmann::ordered_json> statuses;
    std::vector<std::string> controls;  // the control socket of each
    std::vector<std::string> troubles;  // a line for each directory without an answer
    std::vector<std::string> cleared;   // and for each whose container is gone, too
};

// Clears what dead supervisors of containers that are gone have left. Of the node of this settings
// file. An Error where that cannot be read or there is no run_dir.
Result<Survey> survey(const std::string& settings_file);

}  // namespace execseal
