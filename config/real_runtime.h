// real_runtime: which program builds the container, and becoming it.
//
// Takes the node's list of runtimes, gives the path of the first that exists. Must never find the
// shim itself, under whatever name or link, or it would run itself for ever.
#pragma once

#include <string>
#include <vector>

#include "hook/os/result.h"

namespace execseal {

// Names are looked up in the directories of `path` (as in $PATH), absolute paths are taken as they
// are.
Result<std::string> find_real_runtime(const std::vector<std::string>& runtimes,
                                      const std::string& path);

// The shim under the name execseal-runtime-NAME (a link, for podman, whose own runtime is not the
// first of the settings) takes that runtime; under any other name those of the settings.
std::vector<std::string> runtimes_for(const std::string& called_as,
                                      const std::vector<std::string>& of_settings);
inline constexpr const char* kNamedShim = "execseal-runtime-";

// "runtimes" of the settings file and nothing else of it: state, kill and delete of a container
// must work although another setting is wrong. An absent file or member means the default.
Result<std::vector<std::string>> read_runtimes(const std::string& settings_path);

}  // namespace execseal
