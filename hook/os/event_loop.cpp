#include "hook/os/event_loop.h"

#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <ctime>

namespace execseal {

void EventLoop::add(int fd, short events, Callback callback) {
    watches_[fd] = Watch{next_serial_++, std::move(callback)};
    polled_.push_back({fd, events, 0});
}

void EventLoop::remove(int fd) {
    watches_.erase(fd);
    std::erase_if(polled_, [fd](const pollfd& entry) { return entry.fd == fd; });
}

Result<int> EventLoop::run_once(std::optional<Clock::time_point> deadline) {
    timespec timeout{};
    if (deadline) {
        const auto left = std::max(*deadline - Clock::now(), Clock::duration::zero());
        const auto nanoseconds = std::chrono::duration_cast<std::chrono::nanoseconds>(left).count();
        timeout.tv_sec = nanoseconds / 1'000'000'000;
        timeout.tv_nsec = nanoseconds % 1'000'000'000;
    }
    const int count =
        ::ppoll(polled_.data(), polled_.size(), deadline ? &timeout : nullptr, nullptr);
    if (count < 0) {
        if (errno == EINTR) {
            return 0;
        }
        return Error{errno, "ppoll"};
    }
    ready_.clear();
    for (const pollfd& entry : polled_) {
        if (entry.revents != 0) {
            ready_.push_back({entry.fd, watches_.at(entry.fd).serial, entry.revents});
        }
    }
    for (const Ready& ready : ready_) {
        const auto watch = watches_.find(ready.fd);
        if (watch == watches_.end() || watch->second.serial != ready.serial) {
            continue;
        }
        const Callback callback = watch->second.callback;  // a copy: the callback may remove itself
        callback(ready.events);
    }
    return count;
}

bool has_hung_up(int fd) {
    pollfd asked{fd, 0, 0};
    return ::poll(&asked, 1, 0) == 1;
}

Result<UniqueFd> open_signal_fd(int signal) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signal);
    if (::pthread_sigmask(SIG_BLOCK, &set, nullptr) != 0) {
        return make_error("pthread_sigmask");
    }
    UniqueFd fd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!fd.valid()) {
        return Error{errno, "signalfd"};
    }
    return fd;
}

bool drain_signal_fd(int fd) {
    // A standard signal is queued at most once, so one read empties it (signal(7)).
    signalfd_siginfo queued{};
    return ::read(fd, &queued, sizeof queued) > 0;
}

}  // namespace execseal
