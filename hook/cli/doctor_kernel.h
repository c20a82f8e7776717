// What `execseal doctor` asks the kernel, by trying it.
#pragma once

#include "hook/cli/finding.h"

namespace execseal {

void examine_kernel(Findings& findings);

// /proc/sys/kernel/yama/ptrace_scope's number; nullopt-like "" where there is no Yama.
Finding yama_finding(const std::string& scope);
// Of the files below /sys/fs/cgroup.
Finding cgroup_finding(const std::string& directory);

}  // namespace execseal
