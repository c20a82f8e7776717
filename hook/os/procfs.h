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

// Of /proc/TID/stat (proc(5)).
struct TaskStat {
    char state = '?';
    Tgid parent;                   // 0: none that this procfs can name
    std::uint64_t start_time = 0;  // field 22
};

// Of /proc/TID/status.
struct TaskStatus {
    char state = '?';
    Tgid tgid;
    Tid tracer;                        // 0: not traced
    std::vector<pid_t> namespace_ids;  // NSpid: from our namespace to the task's own
    uid_t effective_uid = 0;
    gid_t effective_gid = 0;
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
    // nullopt: no such task (any more).
    virtual Result<std::optional<TaskStat>> stat(Tid tid) = 0;
    virtual Result<std::optional<TaskStatus>> status(Tid tid) = 0;
    virtual Result<std::optional<NamespaceId>> pid_namespace(Tid tid) = 0;
    // The link text of /proc/TID/exe; bytes, also "... (deleted)".
    virtual Result<std::optional<std::string>> exe(Tid tid) = 0;
    // The system call that a sleeping task is in, from /proc/TID/syscall; nullopt: running, or
    // none.
    virtual Result<std::optional<int>> blocked_syscall(Tid tid) = 0;
};

Result<std::unique_ptr<Procfs>> open_procfs(const char* path = "/proc");

}  // namespace execseal
