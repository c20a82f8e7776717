// What `execseal doctor` asks the kernel, by trying it.
#pragma once

#include "config/settings.h"
#include "hook/cli/finding.h"

namespace execseal {

void examine_kernel(Findings& findings);

// How execs are bound, and whether this node's kernel could: tries it.
void examine_binding(const Settings& settings, Findings& findings);

// /proc/sys/kernel/yama/ptrace_scope's number; nullopt-like "" where there is no Yama.
Finding yama_finding(const std::string& scope);
// Of the files below /sys/fs/cgroup.
Finding cgroup_finding(const std::string& directory);

}  // namespace execseal
