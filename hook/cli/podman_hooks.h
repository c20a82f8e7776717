// Which folders of hooks podman reads: [engine] hooks_dir of containers.conf(5).
//
// buildah and CRI-O read podman's default folder as well, and know no stage "precreate": buildah
// fails every RUN for such a file and CRI-O does not start. So ours has a folder of its own, which
// a file of containers.conf.d names beside those that podman would read without it: a later list
// replaces an earlier one, unless it says append (podman 5; podman 4 knows lists of strings only).
#pragma once

#include <string>
#include <vector>

#include "hook/os/result.h"

namespace execseal {

// What podman reads where no file names any.
inline constexpr const char* kDefaultHooksDir = "/usr/share/containers/oci/hooks.d";
inline constexpr const char* kExecsealHooksDir = "/etc/execseal/hooks.d";
inline constexpr const char* kPodmanDropIn = "/etc/containers/containers.conf.d/50-execseal.conf";

struct PodmanHooksDirs {
    std::vector<std::string> named;  // as podman takes them, in order
    bool ours = false;               // kExecsealHooksDir among them
};

// What a podman of root takes from the files below `root`. An Error names the file that podman
// would not understand either.
Result<PodmanHooksDirs> podman_hooks_dirs(const std::string& root);

// crun or runc, where podman takes it without us and `shims`, the settings' runtimes, would give
// the other one: [engine] runtime, or as podman looks for one itself, crun before runc. Else empty.
Result<std::string> podman_other_runtime(const std::string& root,
                                         const std::vector<std::string>& shims);

// The list for kPodmanDropIn as TOML: what podman takes from the files before it, and
// kExecsealHooksDir at the end. An Error where a file behind it has a list that leaves ours out.
Result<std::string> podman_hooks_list(const std::string& root);

}  // namespace execseal
