// What `execseal doctor` finds on the node's disk: runtimes, settings, policies, hooks, wiring.
#pragma once

#include "config/settings.h"
#include "hook/cli/finding.h"
#include "hook/cli/node_files.h"

namespace execseal {

void examine_runtimes(const Settings& settings, Findings& findings);
void examine_programs(const Settings& settings, Findings& findings);
// What supervisors write: an absent file or directory is made when the first one starts.
void examine_places(const Settings& settings, Findings& findings);
void examine_policies(const Settings& settings, Findings& findings);
// podman runs a container without a word when a hook's program is not there, and calls the hook by
// annotations only: a default_policy is for those that have none.
void examine_hooks(const std::string& root, const Settings& settings, Findings& findings);
void examine_wiring(const NodePlace& place, Findings& findings);

// "linux.seccomp" of `runc features`.
Finding features_finding(const std::string& runtime, const std::string& features);

}  // namespace execseal
