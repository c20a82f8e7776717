#include "hook/os/task_ids.h"

#include <sys/ioctl.h>

#include <atomic>
#include <cerrno>
#include <string>

#include "hook/os/kernel_constants.h"
#include "hook/os/pidfd.h"
#include "hook/os/procfs.h"

namespace execseal {
namespace {

Result<TaskIds> from_pidfd(Tid tid) {
    const Result<UniqueFd> pidfd = open_thread_pidfd(tid.value);
    if (!pidfd) {
        return pidfd.error();
    }
    PidfdInfo info;
    if (::ioctl(pidfd->get(), kPidfdGetInfo, &info) != 0) {
        return Error{errno, "PIDFD_GET_INFO " + std::to_string(tid.value)};
    }
    TaskIds ids;
    ids.tid = tid;
    ids.tgid = Tgid{static_cast<pid_t>(info.tgid)};
    ids.parent = Tgid{static_cast<pid_t>(info.ppid)};
    ids.euid = info.euid;
    ids.egid = info.egid;
    ids.fsuid = info.fsuid;
    ids.fsgid = info.fsgid;
    return ids;
}

// FIXME(kernel >= 6.13): remove.
Result<TaskIds> from_status(Tid tid) {
    const auto status = read_task_status(tid);
    if (!status) {
        const Error& error = status.error();
        return error.code == ENOENT ? Error{ESRCH, error.context} : error;
    }
    TaskIds ids;
    ids.tid = tid;
    ids.tgid = status->tgid;
    ids.parent = status->parent;
    ids.euid = status->effective_uid;
    ids.egid = status->effective_gid;
    ids.fsuid = status->filesystem_uid;
    ids.fsgid = status->filesystem_gid;
    return ids;
}

// Neither says anything about the task: no such ioctl, or (before Linux 6.9) no pidfds of threads.
bool means_not_there(int error) {
    return error == ENOTTY || error == EINVAL;
}

}  // namespace

Result<TaskIds> read_task_ids(Tid tid, IdsSource source) {
    return source == IdsSource::kPidfd ? from_pidfd(tid) : from_status(tid);
}

Result<TaskIds> read_task_ids(Tid tid) {
    static std::atomic<bool> pidfds_tell{true};
    if (pidfds_tell) {
        auto ids = from_pidfd(tid);
        if (ids || !means_not_there(ids.error().code)) {
            return ids;
        }
        pidfds_tell = false;
    }
    return from_status(tid);
}

}  // namespace execseal
