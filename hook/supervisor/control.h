// Control: the socket beside listenerPath where the hook, the shim and `execseal` ask the
// supervisor.
//
// One line of JSON in ({"command": NAME}), one line of JSON out, then the connection closes. Only
// root (or the supervisor's own user) gets an answer.
#pragma once

#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "hook/launch/request_server.h"

namespace execseal {

// Answers a command; {"error": TEXT} for one it does not know.
using OnCommand = std::function<nlohmann::ordered_json(const std::string& command)>;

Result<std::unique_ptr<RequestServer>> open_control(EventLoop& loop, const std::string& path,
                                                    OnCommand on_command);

}  // namespace execseal
