// base_profile: a seccomp profile as engines keep it in a file, as the plain OCI form of it.
//
// Takes moby's and containers/common's format, whose rules depend on capabilities, architecture and
// kernel, or the OCI form itself; gives what the runtime would get for one set of capabilities. A
// kubelet's Localhost profile is read by containerd as the OCI form, so that conditions left in it
// would be taken for none. Pure.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <set>
#include <string>

#include "hook/os/result.h"

namespace execseal {

struct ProfileTarget {
    std::set<std::string> capabilities;  // CAP_...
    std::string architecture;            // as these files call it: "amd64", "arm64"
    std::string native_architecture;     // SCMP_ARCH_...
    int kernel_major = 0;
    int kernel_minor = 0;
};

// What podman and Docker give a container that asks for nothing.
std::set<std::string> default_capabilities();
// Of this machine, with `capabilities`.
ProfileTarget target_here(std::set<std::string> capabilities);

// Errors start with a JSON pointer.
Result<nlohmann::ordered_json> resolve_profile(const nlohmann::ordered_json& profile,
                                               const ProfileTarget& target);

}  // namespace execseal
