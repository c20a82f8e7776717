// What `execseal ps` shows of the supervisors' answers. Pure.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "hook/cli/container_names.h"
#include "hook/os/result.h"

namespace execseal {

// Of an answer to "status".
ContainerNames names_of(const nlohmann::ordered_json& status);

// Of answers to "status".
std::string containers_text(const std::vector<nlohmann::ordered_json>& statuses);
// Of an answer to "tasks".
std::string tasks_text(const nlohmann::ordered_json& tasks);

// The place in `statuses` of the container that a person means: choose_container().
Result<std::size_t> find_container(const std::vector<nlohmann::ordered_json>& statuses,
                                   const std::string& wanted);

}  // namespace execseal
