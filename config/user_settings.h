// Settings of a user who is not root of the node: rootless podman's.
#pragma once

#include <string>

#include "config/settings.h"
#include "hook/os/result.h"

namespace execseal {

// What settings_path() is where HOME is `home`: EXECSEAL_CONFIG; else, for who is not root of the
// node, HOME/.config/execseal/config.json where it is there; else the node's. Not by
// XDG_CONFIG_HOME, which conmon takes out of a runtime's environment.
std::string settings_path_at(const std::string& home);

// Why a container of a user was refused under the node's settings, with what to do.
Error with_users_way(const Settings& settings, Error error);

}  // namespace execseal
