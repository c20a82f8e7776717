// policy_warnings: what a policy that loads may still not mean: rules that are never asked, names
// that never match, and lists that a copy or a longer argument gets around.
//
// Works on the policy as it is written, so that a warning names a place in the file. Pure but for
// the look into a root file system (it blocks on a hung mount; for the command line only).
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace execseal {

// "/rules/3/exe/0: ..." each. `policy` is one that the loader takes. `rootfs`: the container's root
// file system on this machine, to find names that are links in it; empty: none is looked at.
std::vector<std::string> policy_warnings(const nlohmann::json& policy, const std::string& rootfs);

}  // namespace execseal
