#include "hook/os/pidfd.h"

#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <string>

namespace execseal {

Result<UniqueFd> open_pidfd(pid_t pid) {
    UniqueFd fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    if (!fd.valid()) {
        return Error{errno, "pidfd_open " + std::to_string(pid)};
    }
    return fd;
}

bool has_ended(int pidfd) {
    pollfd entry{pidfd, POLLIN, 0};
    return ::poll(&entry, 1, 0) != 0;
}

Result<> send_signal(int pidfd, int signal) {
    if (::syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, 0) != 0) {
        return Error{errno, "pidfd_send_signal"};
    }
    return Ok{};
}

Result<UniqueFd> borrow_fd(int pidfd, int fd) {
    const auto borrowed = ::syscall(SYS_pidfd_getfd, pidfd, fd, 0);
    if (borrowed < 0) {
        return Error{errno, "pidfd_getfd"};
    }
    return UniqueFd(static_cast<int>(borrowed));
}

}  // namespace execseal
