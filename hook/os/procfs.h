// Procfs: the few reads of /proc/TID that the supervisor makes again and again.
//
// Opened once, read through a descriptor with fixed buffers and a parser that trusts no name of a
// program. Takes a procfs of any PID namespace. A task that is gone is a value, not an Error.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hook/os/ids.h"
#include "hook/os/result.h"
#include "hook/os/unique_fd.h"

namespace execseal {

struct TaskStat {
    char state = '?';
    Tgid parent;  // 0: none that this procfs can name
    // Tells the tasks that have had one number apart: the inode of its pidfd, which no other task
    // gets until the next boot, or, before Linux 6.9, the start time in ticks (field 22 of
    // /proc/TID/stat). Never 0.
    std::uint64_t birth = 0;
};

// Of /proc/TID/status.
struct TaskStatus {
    char state = '?';
    Tgid tgid;
    Tgid parent;
    Tid tracer;                          // 0: not traced
    std::vector<pid_t> namespace_ids;    // NSpid: from our namespace to the task's own
    std::vector<pid_t> namespace_tgids;  // NStgid
    uid_t effective_uid = uid_t(-1);
    gid_t effective_gid = gid_t(-1);
    uid_t filesystem_uid = uid_t(-1);
    gid_t filesystem_gid = gid_t(-1);
    bool catches_sigchld = false;
    std::uint64_t voluntary_switches = 0;  // how often it has gone to sleep
    int seccomp_filters = -1;  // that it has; before Linux 5.9 no more than 1 is told; -1: unknown
};

// What a namespace link points to; equal for the same namespace only.
struct NamespaceId {
    dev_t device = 0;
    ino_t inode = 0;
    friend bool operator==(const NamespaceId&, const NamespaceId&) = default;
};

std::optional<TaskStat> parse_task_stat(std::string_view text);
std::optional<TaskStatus> parse_task_status(std::string_view text);

class Procfs {
  public:
    virtual ~Procfs() = default;
    // nullopt: no such task (any more). None of these waits for the task: /proc/TID/stat and
    // /proc/TID/syscall do while it is in an execve that has got past its point of no return
    // (exec_update_lock), which a FUSE server that does not answer can make last for ever.
    virtual Result<std::optional<TaskStat>> stat(Tid tid) = 0;
    virtual Result<std::optional<TaskStatus>> status(Tid tid) = 0;
    virtual Result<std::optional<NamespaceId>> pid_namespace(Tid tid) = 0;
    // The link text of /proc/TID/exe; bytes, also "... (deleted)".
    virtual Result<std::optional<std::string>> exe(Tid tid) = 0;
};

// Of our own /proc, for who asks without a Procfs. A task that is gone is an Error with the code
// ENOENT or ESRCH.
Result<TaskStatus> read_task_status(Tid tid);

Result<std::unique_ptr<Procfs>> open_procfs(const char* path = "/proc");

}  // namespace execseal
