// run_bundle: the config.json of a throw-away container for `execseal run`.
//
// Without a root file system of its own the container sees the host's /usr and
// /etc, read-only, and nothing else of it: what in /etc not everybody may read
// is hidden, /root, /home and /run are empty. The working folder is there under
// its own name and may be written.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "hook/os/result.h"

namespace execseal {

struct RunBundle {
    std::string folder;              // exists; rootfs/ in it is made
    std::string rootfs;              // another root file system, absolute; read-only. Or empty
    std::string working_folder;      // of the host, absolute; ignored with `rootfs`
    std::vector<std::string> binds;  // SOURCE:DESTINATION[:ro]
    std::vector<std::string> environment;  // "NAME=value"
    std::vector<std::string> command;
    std::string policy;  // absolute
    std::string mode;    // empty: the settings'
    bool net = false;
    bool terminal = false;
};

// Reads the host's /etc and makes folders and links in folder/rootfs. An Error
// is one line that names the option.
Result<nlohmann::ordered_json> run_spec(const RunBundle& bundle);

}  // namespace execseal
