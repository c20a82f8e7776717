#include "hook/os/pidfd.h"

#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <utility>

#include "hook/os/kernel_constants.h"

namespace execseal {

namespace {

// Neither this nor pidfd_send_signal(2) nor a poll without a time-out waits for the process.
Result<UniqueFd> open_by_number(pid_t number, unsigned flags) {
    UniqueFd fd(static_cast<int>(::syscall(SYS_pidfd_open, number, flags)));
    if (!fd.valid()) {
        return Error{errno, "pidfd_open " + std::to_string(number)};
    }
    return fd;
}

}  // namespace

Result<UniqueFd> open_pidfd(pid_t pid) {
    return open_by_number(pid, 0);
}

Result<UniqueFd> open_thread_pidfd(pid_t tid) {
    Result<UniqueFd> thread = open_by_number(tid, kPidfdThread);
    // FIXME(kernel >= 6.9): remove.
    return thread || thread.error().code != EINVAL ? std::move(thread) : open_by_number(tid, 0);
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
