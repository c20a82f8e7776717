// What `execseal install --user` makes for a user of rootless podman: settings of their own, and a
// file of containers.conf.d that names the runtime.
#pragma once

#include <string>
#include <vector>

#include "hook/cli/file_edit.h"
#include "hook/os/result.h"

namespace execseal {

// Where a user's files are, from the environment of the caller.
struct UserPlace {
    std::string home;
    std::string podman;   // the folder of containers.conf.d
    std::string run_dir;  // for sockets: gone with the user's last session
};

// An Error for root of the node, whose containers are the node's, and where HOME is not known.
Result<UserPlace> user_place();

// The settings are made once: they are the user's from then on, and stay where they were changed.
Result<std::vector<FileEdit>> user_edits(const NodePlace& place, const UserPlace& user,
                                         InstallDirection direction);

// The folder where the settings that are made look for policies.
std::string user_policies(const UserPlace& user);

}  // namespace execseal
