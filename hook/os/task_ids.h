// TaskIds: who a task is and with whose rights it acts, of one moment.
//
// By one ioctl on its pidfd where the kernel has it, which costs a fifth of reading
// /proc/TID/status.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <vector>

#include "hook/os/ids.h"
#include "hook/os/result.h"

namespace execseal {

// All as we see them: in our PID namespace and our user namespace.
struct TaskIds {
    Tid tid;
    Tgid tgid;
    Tgid parent;  // 0: outside our PID namespace
    uid_t euid = 0;
    gid_t egid = 0;
    uid_t fsuid = 0;
    gid_t fsgid = 0;
    friend bool operator==(const TaskIds&, const TaskIds&) = default;
};

// kPidfd: PIDFD_GET_INFO, Linux 6.13.
enum class IdsSource : std::uint8_t { kPidfd, kStatus };

// By the pidfd, or where the kernel cannot, from the status. The Error of a task that is gone has
// the code ESRCH. Any thread.
Result<TaskIds> read_task_ids(Tid tid);
// For tests; ENOTTY or EINVAL: this kernel does not have it.
Result<TaskIds> read_task_ids(Tid tid, IdsSource source);

// Numbers of all threads of a process, of one moment.
Result<std::vector<Tid>> threads_of(Tgid process);

// Whether both have root, working directory and umask in common (CLONE_FS), by kcmp(2), which waits
// for an exec of either that is on its way. False of one that has ended.
Result<bool> has_same_fs(Tid a, Tid b);

}  // namespace execseal
