#include "hook/os/event_loop.h"

#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <ctime>

namespace execseal {
namespace {

constexpr int kBatch = 64;

// The data of an epoll event carries fd and serial, so that an event of a descriptor that an
// earlier callback of the same batch removed is not delivered to whoever got its number.
std::uint64_t pack(int fd, std::uint64_t serial) {
    return (serial << 32U) | static_cast<std::uint32_t>(fd);
}

}  // namespace

Result<EventLoop> EventLoop::create() {
    UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
    if (!epoll.valid()) {
        return Error{errno, "epoll_create1"};
    }
    return EventLoop(std::move(epoll));
}

Result<> EventLoop::add(int fd, std::uint32_t events, Callback callback) {
    const std::uint64_t serial = next_serial_++ & 0xFFFFFFFFU;
    epoll_event event{};
    event.events = events;
    event.data.u64 = pack(fd, serial);
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
        return Error{errno, "epoll_ctl EPOLL_CTL_ADD"};
    }
    watches_[fd] = Watch{serial, std::move(callback)};
    return Ok{};
}

void EventLoop::remove(int fd) {
    if (watches_.erase(fd) != 0) {
        (void)::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
    }
}

Result<int> EventLoop::run_once(std::optional<Clock::time_point> deadline) {
    timespec timeout{};
    if (deadline) {
        const auto left = std::max(*deadline - Clock::now(), Clock::duration::zero());
        const auto nanoseconds = std::chrono::duration_cast<std::chrono::nanoseconds>(left).count();
        timeout.tv_sec = nanoseconds / 1'000'000'000;
        timeout.tv_nsec = nanoseconds % 1'000'000'000;
    }
    std::array<epoll_event, kBatch> ready{};
    // epoll_pwait2 (Linux 5.11): a fork's grace is well below the millisecond of epoll_wait.
    const int count =
        ::epoll_pwait2(epoll_.get(), ready.data(), kBatch, deadline ? &timeout : nullptr, nullptr);
    if (count < 0) {
        if (errno == EINTR) {
            return 0;
        }
        return Error{errno, "epoll_pwait2"};
    }
    for (int i = 0; i < count; ++i) {
        const auto& event = ready.at(static_cast<std::size_t>(i));
        const int fd = static_cast<int>(event.data.u64 & 0xFFFFFFFFU);
        const auto watch = watches_.find(fd);
        if (watch == watches_.end() || watch->second.serial != event.data.u64 >> 32U) {
            continue;
        }
        const Callback callback = watch->second.callback;  // a copy: the callback may remove itself
        callback(event.events);
    }
    return count;
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
