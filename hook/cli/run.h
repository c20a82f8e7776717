// `execseal run`: a command in a throw-away container, under a policy.
#pragma once

#include <string>
#include <vector>

#include "hook/os/result.h"

namespace execseal {

struct RunCommand {
    std::string settings;  // path of the settings file
    std::string policy;    // a file, or a name in policies_dir; empty: the settings' default
    bool learn = false;    // nothing is refused, and what was run is printed as a policy
    std::string rootfs;    // empty: the host's /usr and /etc, read-only
    std::vector<std::string> binds;
    std::vector<std::string> environment;  // "NAME=value"
    bool net = false;                      // the host's network instead of none
    std::vector<std::string> command;
};

// The command's exit code. Blocks until it ends. An Error where it was not
// started.
Result<int> run_command(const RunCommand& command);

}  // namespace execseal
