#include "hook/os/task_ids.h"

#include <linux/kcmp.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <charconv>
#include <filesystem>
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

Result<std::vector<Tid>> threads_of(Tgid process) {
    const std::string path = "/proc/" + std::to_string(process.value) + "/task";
    std::vector<Tid> threads;
    std::error_code failed;
    for (std::filesystem::directory_iterator entry(path, failed), end; !failed && entry != end;
         entry.increment(failed)) {
        const std::string name = entry->path().filename();
        pid_t number = 0;
        if (std::from_chars(name.data(), name.data() + name.size(), number).ec == std::errc{}) {
            threads.push_back(Tid{number});
        }
    }
    if (failed) {
        return Error{failed.value(), path};
    }
    return threads;
}

Result<bool> has_same_fs(Tid a, Tid b) {
    const long order = ::syscall(SYS_kcmp, a.value, b.value, KCMP_FS, 0UL, 0UL);
    const int error = errno;
    if (order >= 0) {
        return order == 0;
    }
    if (error == ESRCH) {
        return false;
    }
    return Error{error, "kcmp " + std::to_string(a.value) + " " + std::to_string(b.value)};
}

}  // namespace execseal
