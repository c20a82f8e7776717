#include "hook/os/pid_namespace.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <string>

#include "hook/os/kernel_constants.h"
#include "hook/os/procfs.h"
#include "hook/os/unix_socket.h"

namespace execseal {
namespace {

constexpr std::size_t kDirectoryBuffer = std::size_t{128} * 1024;

int fs_config(int context, unsigned command, const char* key, const char* value, int extra) {
    return static_cast<int>(::syscall(SYS_fsconfig, context, command, key, value, extra));
}

// A detached mount of the context's file system; -1 with errno.
int create_and_mount(int context) {
    // Only the processes, nothing else of /proc (Linux 5.8); not having it does no harm.
    (void)fs_config(context, FSCONFIG_SET_STRING, "subset", "pid", 0);
    if (fs_config(context, FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0) {
        return -1;
    }
    return static_cast<int>(
        ::syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC,
                  MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_RDONLY));
}

int open_context() {
    return static_cast<int>(::syscall(SYS_fsopen, "proc", FSOPEN_CLOEXEC));
}

// procfs has an option for the PID namespace since Linux 6.17.
Result<UniqueFd> mount_by_option(int pid_namespace) {
    const UniqueFd context(open_context());
    if (!context.valid()) {
        return Error{errno, "fsopen proc"};
    }
    if (fs_config(context.get(), FSCONFIG_SET_FD, "pidns", nullptr, pid_namespace) != 0) {
        return Error{errno, "fsconfig pidns"};
    }
    UniqueFd mount(create_and_mount(context.get()));
    if (!mount.valid()) {
        return Error{errno, "mount of a procfs"};
    }
    return mount;
}

// In the helper, between fork and its end: async-signal-safe calls only. setns changes the PID
// namespace of children alone, hence the second fork; its procfs is that of the forked one.
[[noreturn]] void helper(int pid_namespace, int socket) {
    // Not for the container's processes to look into: it is a copy of ours.
    (void)::prctl(PR_SET_DUMPABLE, 0);
    (void)::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::setns(pid_namespace, CLONE_NEWPID) != 0) {
        ::_exit(1);
    }
    const pid_t inside = ::fork();
    if (inside < 0) {
        ::_exit(2);
    }
    if (inside > 0) {
        int status = 0;
        (void)::waitpid(inside, &status, 0);
        ::_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 3);
    }
    const int context = open_context();
    const int mount = context < 0 ? -1 : create_and_mount(context);
    if (mount < 0) {
        ::_exit(4);
    }
    char byte = 'm';
    iovec data{&byte, 1};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(header), &mount, sizeof mount);
    ::_exit(::sendmsg(socket, &message, MSG_NOSIGNAL) == 1 ? 0 : 5);
}

// FIXME(kernel >= 6.17): remove.
Result<UniqueFd> mount_by_helper(int pid_namespace) {
    std::array<int, 2> ends{-1, -1};
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
        return Error{errno, "socketpair"};
    }
    const UniqueFd ours(ends[0]);
    UniqueFd theirs(ends[1]);
    const pid_t child = ::fork();
    if (child < 0) {
        return Error{errno, "fork"};
    }
    if (child == 0) {
        helper(pid_namespace, theirs.get());
    }
    theirs.reset();
    // Ends by itself: with the mount, or with the end of file when the helper has ended (a process
    // of the container may kill its inner half).
    Result<Received> received = receive_with_fds(ours.get(), 16);
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (!received) {
        return received.error();
    }
    if (received->fds.size() != 1) {
        return make_error("procfs of the PID namespace: the helper failed with status " +
                          std::to_string(status));
    }
    return std::move(received->fds.front());
}

std::optional<ino_t> inode_of(int fd) {
    struct stat info {};
    if (::fstat(fd, &info) != 0) {
        return std::nullopt;
    }
    return info.st_ino;
}

// A task's numbers, from our namespace to its own; never empty.
Result<std::vector<pid_t>> numbers_of(Tid task) {
    Result<TaskStatus> status = read_task_status(task);
    if (!status) {
        return status.error();
    }
    if (status->namespace_ids.empty()) {
        return make_error("/proc/" + std::to_string(task.value) + "/status: no NSpid");
    }
    return std::move(status->namespace_ids);
}

std::array<char, 24> task_directory(pid_t number) {
    std::array<char, 24> path{};
    const auto end = std::to_chars(path.data(), path.data() + 12, number);
    std::memcpy(end.ptr, "/task", sizeof "/task");
    return path;
}

}  // namespace

PidNamespace::PidNamespace(UniqueFd descriptor, UniqueFd procfs, ino_t inode, std::size_t depth)
    : descriptor_(std::move(descriptor)), procfs_(std::move(procfs)), inode_(inode), depth_(depth) {
    // Its init has number 1 and lives as long as the namespace.
    can_translate_ = ::ioctl(descriptor_.get(), NS_GET_PID_FROM_PIDNS, 1) > 0;
}

Result<PidNamespace> PidNamespace::open(Tid member) {
    Result<PidNamespace> by_option = open(member, ProcMount::kByOption);
    return by_option ? std::move(by_option) : open(member, ProcMount::kByHelper);
}

Result<PidNamespace> PidNamespace::open(Tid member, ProcMount mount) {
    const std::string path = "/proc/" + std::to_string(member.value) + "/ns/pid";
    UniqueFd descriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!descriptor.valid()) {
        return Error{errno, "open " + path};
    }
    Result<UniqueFd> procfs = mount == ProcMount::kByOption ? mount_by_option(descriptor.get())
                                                            : mount_by_helper(descriptor.get());
    if (!procfs) {
        return procfs.error();
    }
    const std::optional<ino_t> inode = inode_of(descriptor.get());
    if (!inode) {
        return Error{errno, "fstat of " + path};
    }
    const auto numbers = numbers_of(member);
    if (!numbers) {
        return numbers.error();
    }
    return PidNamespace(std::move(descriptor), std::move(procfs).value(), *inode,
                        numbers->size() - 1);
}

std::optional<Tid> PidNamespace::translate(pid_t number) const {
    const int ours = ::ioctl(descriptor_.get(), NS_GET_PID_FROM_PIDNS, number);
    if (ours <= 0) {
        return std::nullopt;
    }
    return Tid{ours};
}

std::optional<pid_t> PidNamespace::number_of(Tid task) const {
    const int theirs = ::ioctl(descriptor_.get(), NS_GET_PID_IN_PIDNS, task.value);
    return theirs > 0 ? std::optional(theirs) : std::nullopt;
}

// FIXME(kernel >= 6.11): remove.
std::optional<pid_t> PidNamespace::number_by_status(Tid task) const {
    const auto numbers = numbers_of(task);
    return numbers && numbers->size() > depth_ ? std::optional((*numbers)[depth_]) : std::nullopt;
}

// Its namespace may not be looked at; how deep it is nested may. Anything above us would not be in
// our /proc, so a task with one number is in our own namespace.
Result<bool> PidNamespace::contains_forbidden(Tid task) {
    const auto numbers = numbers_of(task);
    if (!numbers) {
        return numbers.error();
    }
    if (numbers->size() != 1) {
        return Error{EACCES, "/proc/" + std::to_string(task.value) + "/ns/pid"};
    }
    return false;
}

Result<bool> PidNamespace::contains(Tid task) {
    const std::string path = "/proc/" + std::to_string(task.value) + "/ns/pid";
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0) {
        if (errno == ENOENT || errno == ESRCH) {
            return false;
        }
        return errno == EACCES ? contains_forbidden(task) : Error{errno, "stat of " + path};
    }
    if (const auto known = inside_.find(info.st_ino); known != inside_.end()) {
        return known->second;
    }
    UniqueFd space(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!space.valid()) {
        if (errno == ENOENT || errno == ESRCH) {
            return false;
        }
        return Error{errno, "open " + path};
    }
    // Upwards until it is this one, or until our own view ends (EPERM, ioctl_ns(2)).
    while (space.valid() && inode_of(space.get()) != inode_) {
        space.reset(::ioctl(space.get(), NS_GET_PARENT));
    }
    return inside_[info.st_ino] = space.valid();
}

Result<UniqueFd> open_directory(const char* path) {
    UniqueFd directory(::open(path, O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!directory.valid()) {
        return Error{errno, std::string("open ") + path};
    }
    return directory;
}

NumberDirectory::NumberDirectory() : buffer_(kDirectoryBuffer) {}

Result<UniqueFd> open_listing(int parent, const char* path) {
    UniqueFd directory(::openat(parent, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!directory.valid()) {
        return Error{errno, std::string("open of directory ") + path};
    }
    return directory;
}

Result<bool> NumberDirectory::list(int parent, const char* path, std::vector<pid_t>& numbers) {
    const Result<UniqueFd> directory = open_listing(parent, path);
    if (!directory) {
        const int error = directory.error().code;
        return error == ENOENT || error == ESRCH ? Result<bool>(false) : directory.error();
    }
    const Result<> read = this->read(directory->get(), numbers);
    return read ? Result<bool>(true) : read.error();
}

Result<> NumberDirectory::read(int directory, std::vector<pid_t>& numbers) {
    if (::lseek(directory, 0, SEEK_SET) != 0) {
        return Error{errno, "lseek of a directory of numbers"};
    }
    while (true) {
        const ssize_t length = ::getdents64(directory, buffer_.data(), buffer_.size());
        if (length < 0) {
            if (errno == ENOENT || errno == ESRCH) {
                return Ok{};  // the process has ended meanwhile
            }
            return Error{errno, "getdents64 of a directory of numbers"};
        }
        if (length == 0) {
            return Ok{};
        }
        const char* next = buffer_.data();
        const char* const end = next + length;
        while (next < end) {
            // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): the kernel's layout
            const auto* entry = reinterpret_cast<const dirent64*>(next);
            next += entry->d_reclen;
            pid_t number = 0;
            const char* name = static_cast<const char*>(entry->d_name);
            const char* const name_end = name + std::strlen(name);
            const auto parsed = std::from_chars(name, name_end, number);
            if (parsed.ec == std::errc{} && parsed.ptr == name_end && number > 0) {
                numbers.push_back(number);
            }
        }
    }
}

Result<std::size_t> count_threads(int procfs, pid_t number) {
    struct stat info {};
    if (::fstatat(procfs, task_directory(number).data(), &info, 0) != 0) {
        if (errno == ENOENT || errno == ESRCH) {
            return std::size_t{0};
        }
        return Error{errno, "stat of /proc/PID/task"};
    }
    return info.st_nlink > 2 ? static_cast<std::size_t>(info.st_nlink) - 2 : 0;
}

}  // namespace execseal
