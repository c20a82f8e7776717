// What the supervisor keeps of root's rights, and the names of these, through libcap; its priority.
#pragma once

#include <string>

#include "hook/os/result.h"

namespace execseal {

// Keeps CAP_SYS_PTRACE (attach to, and read, any task of the container), CAP_DAC_READ_SEARCH
// (resolve programs that only the container's users may see) and CAP_KILL (verdict kill); drops the
// rest, empties the bounding set and sets no_new_privs. Called once the procfs of the container's
// PID namespace is at hand, which needs CAP_SYS_ADMIN. kCgroups: CAP_DAC_OVERRIDE, too: the root of
// a cgroup hierarchy is writable for nobody, its owner neither.
enum class KeptRights { kUsual, kCgroups };
Result<> keep_supervisor_capabilities(KeptRights rights = KeptRights::kUsual);

// setpriority(2) of this process; where it is not allowed (CAP_SYS_NICE) all stays as it is.
void try_set_nice(int nice) noexcept;

// A name as the kernel's headers and profiles have it: CAP_NET_RAW.
bool is_capability(const std::string& name);

}  // namespace execseal
