// rootfs_program: the programs that an exec would run in a root file system on disk.
//
// The supervisor's own resolver, with a directory for the container's root: symlinks, scripts and
// their interpreters, ld.so, busybox applets. Blocks on a hung mount; for the command line only.
#pragma once

#include <string>
#include <vector>

#include "config/exec_facts.h"
#include "hook/os/result.h"

namespace execseal {

struct RootfsExec {
    std::vector<ProgramView> views;
    std::string cwd;  // resolved
    std::vector<std::string> cwd_names;
};

// `command[0]` without a slash is searched for in the PATH of `env`. The Error is the kernel's own
// answer where it would refuse this exec (no such file, not executable).
Result<RootfsExec> resolve_in_rootfs(const std::string& rootfs, const std::string& cwd,
                                     const std::vector<std::string>& command,
                                     const std::vector<std::string>& env);

}  // namespace execseal
