#include "hook/os/seccomp_notify.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "hook/os/kernel_constants.h"

namespace execseal {
namespace {

std::unique_ptr<std::uint64_t[]> zeroed(std::size_t bytes) {
    return std::make_unique<std::uint64_t[]>((bytes + 7) / 8);
}

// The ioctls take the filter's mutex interruptibly (seccomp_notify_recv() and _send(),
// kernel/seccomp.c), so a signal of our own may cut them short before they did anything.
int retried_ioctl(int fd, unsigned long request, void* argument) {
    int result = 0;
    do {
        result = ::ioctl(fd, request, argument);
    } while (result != 0 && errno == EINTR);
    return result;
}

}  // namespace

SeccompListener::SeccompListener(UniqueFd listener, std::size_t request_size,
                                 std::size_t response_size)
    : listener_(std::move(listener)),
      request_size_(request_size),
      response_size_(response_size),
      request_(zeroed(request_size)),
      response_(zeroed(response_size)) {}

Result<std::unique_ptr<SeccompListener>> SeccompListener::adopt(UniqueFd listener) {
    seccomp_notif_sizes sizes{};
    if (::syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes) != 0) {
        return Error{errno, "seccomp SECCOMP_GET_NOTIF_SIZES"};
    }
    return std::unique_ptr<SeccompListener>(new SeccompListener(
        std::move(listener), std::max<std::size_t>(sizes.seccomp_notif, sizeof(seccomp_notif)),
        std::max<std::size_t>(sizes.seccomp_notif_resp, sizeof(seccomp_notif_resp))));
}

bool SeccompListener::try_sync_wake_up() {
    return ::ioctl(listener_.get(), SECCOMP_IOCTL_NOTIF_SET_FLAGS,
                   SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP) == 0;
}

Result<ListenerState> SeccompListener::poll(std::chrono::milliseconds timeout) {
    pollfd watched{listener_.get(), POLLIN, 0};
    const int ready = ::poll(&watched, 1, static_cast<int>(timeout.count()));
    if (ready < 0) {
        if (errno == EINTR) {
            return ListenerState::kIdle;
        }
        return Error{errno, "poll of the seccomp listener"};
    }
    if ((static_cast<unsigned>(watched.revents) & POLLIN) != 0) {
        return ListenerState::kReadable;
    }
    return ready == 0 ? ListenerState::kIdle : ListenerState::kHungUp;
}

Result<std::optional<Notification>> SeccompListener::receive() {
    // Any byte that is not zero gives EINVAL (check_zeroed_user() in seccomp_notify_recv()).
    std::memset(request_.get(), 0, request_size_);
    // Does not block after poll() has said kReadable: the kernel counts the notifications and does
    // not count one back that a signal has cancelled, so that RECV says ENOENT. SEND and ID_VALID
    // wait for the filter's notify_lock, which nobody sleeps with (kernel/seccomp.c).
    if (::ioctl(listener_.get(), SECCOMP_IOCTL_NOTIF_RECV, request_.get()) != 0) {
        // EINTR as well: poll told of a notification, and the loop will be told again.
        if (errno == ENOENT || errno == EINTR) {
            return std::optional<Notification>();
        }
        return Error{errno, "ioctl SECCOMP_IOCTL_NOTIF_RECV"};
    }
    seccomp_notif raw{};
    std::memcpy(&raw, request_.get(), sizeof raw);
    Notification notification;
    notification.id = NotifyId{raw.id};
    notification.tid = Tid{static_cast<pid_t>(raw.pid)};
    notification.arch = raw.data.arch;
    notification.nr = raw.data.nr;
    std::copy(std::begin(raw.data.args), std::end(raw.data.args), notification.args.begin());
    return std::optional(notification);
}

Result<NotifyReach> SeccompListener::answer(NotifyId id, const Answer& answer) {
    seccomp_notif_resp raw{};
    raw.id = id.value;
    switch (answer.kind) {
        case Answer::Kind::kErrno:
            raw.error = -answer.error;
            break;
        case Answer::Kind::kContinue:
            raw.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
            break;
    }
    std::memset(response_.get(), 0, response_size_);
    std::memcpy(response_.get(), &raw, sizeof raw);
    if (retried_ioctl(listener_.get(), SECCOMP_IOCTL_NOTIF_SEND, response_.get()) != 0) {
        if (errno == ENOENT) {
            return NotifyReach::kGone;
        }
        return Error{errno, "ioctl SECCOMP_IOCTL_NOTIF_SEND"};
    }
    return NotifyReach::kDone;
}

Result<NotifyReach> SeccompListener::id_valid(NotifyId id) {
    if (retried_ioctl(listener_.get(), SECCOMP_IOCTL_NOTIF_ID_VALID, &id.value) != 0) {
        if (errno == ENOENT) {
            return NotifyReach::kGone;
        }
        return Error{errno, "ioctl SECCOMP_IOCTL_NOTIF_ID_VALID"};
    }
    return NotifyReach::kDone;
}

}  // namespace execseal
