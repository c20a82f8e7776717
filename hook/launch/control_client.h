// One question to a supervisor's control socket: a line of JSON out, a line of JSON back.
#pragma once

#include <chrono>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "hook/os/result.h"

namespace execseal {

// Of the supervisor whose state directory this is.
std::string control_path_of(const std::string& directory);

// Sends {"command": COMMAND}. An answer with a member "error" is returned as that Error.
Result<nlohmann::ordered_json> ask_supervisor(const std::string& control_path,
                                              const std::string& command,
                                              std::chrono::milliseconds deadline);

}  // namespace execseal
