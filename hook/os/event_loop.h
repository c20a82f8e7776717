// EventLoop: ppoll(2) over a handful of descriptors, one thread, with a deadline to the nanosecond.
//
// The supervisor blocks here and nowhere else. Callbacks must not block; they may add and remove
// descriptors, their own too. Not epoll: a seccomp listener wakes its reader on the caller's own
// CPU (SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP), and that hint ends at an epoll's wait queue
// (kernel: ep_poll_callback(), fs/eventpoll.c).
#pragma once

#include <poll.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "hook/os/result.h"
#include "hook/os/unique_fd.h"

namespace execseal {

class EventLoop {
  public:
    using Clock = std::chrono::steady_clock;
    // Takes the POLL* bits that are ready.
    using Callback = std::function<void(short events)>;

    // Level-triggered. The caller keeps the fd and must remove it before closing it.
    void add(int fd, short events, Callback callback);
    void remove(int fd);

    // Waits until something is ready or `deadline` passes, then runs the callbacks. Returns how
    // many were ready.
    Result<int> run_once(std::optional<Clock::time_point> deadline);

  private:
    struct Watch {
        std::uint64_t serial = 0;  // tells a recycled fd number from the one that was reported
        Callback callback;
    };

    struct Ready {
        int fd = -1;
        std::uint64_t serial = 0;
        short events = 0;
    };

    std::uint64_t next_serial_ = 1;
    std::unordered_map<int, Watch> watches_;
    std::vector<pollfd> polled_;
    std::vector<Ready> ready_;
};

// A descriptor in a loop, for as long as this lives. The loop outlives it, and the descriptor must.
class LoopWatch {
  public:
    LoopWatch() = default;
    LoopWatch(EventLoop& loop, int fd, short events, EventLoop::Callback callback)
        : loop_(&loop), fd_(fd) {
        loop.add(fd, events, std::move(callback));
    }
    LoopWatch(const LoopWatch&) = delete;
    LoopWatch& operator=(const LoopWatch&) = delete;
    LoopWatch(LoopWatch&& other) noexcept
        : loop_(std::exchange(other.loop_, nullptr)), fd_(other.fd_) {}
    LoopWatch& operator=(LoopWatch&& other) noexcept {
        std::swap(loop_, other.loop_);
        std::swap(fd_, other.fd_);
        return *this;
    }
    ~LoopWatch() {
        if (loop_ != nullptr) {
            loop_->remove(fd_);
        }
    }
    [[nodiscard]] bool active() const { return loop_ != nullptr; }

  private:
    EventLoop* loop_ = nullptr;
    int fd_ = -1;
};

// Has the other side gone (POLLHUP, POLLERR)? A seccomp listener's: no task has the filter any
// more.
bool has_hung_up(int fd);

// A signalfd of one blocked signal, non-blocking; the signal is blocked for the calling thread.
Result<UniqueFd> open_signal_fd(int signal);
// Reads all that is queued; true if there was anything.
bool drain_signal_fd(int fd);

}  // namespace execseal
