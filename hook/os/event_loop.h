// EventLoop: epoll over descriptors, one thread, with a deadline to the nanosecond.
//
// The supervisor blocks here and nowhere else. Callbacks must not block; they may add and remove
// descriptors, their own too.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <unordered_map>

#include "hook/os/result.h"
#include "hook/os/unique_fd.h"

namespace execseal {

class EventLoop {
  public:
    using Clock = std::chrono::steady_clock;
    // Takes the EPOLL* bits that are ready.
    using Callback = std::function<void(std::uint32_t events)>;

    static Result<EventLoop> create();

    // Level-triggered. The caller keeps the fd and must remove it before closing it.
    Result<> add(int fd, std::uint32_t events, Callback callback);
    void remove(int fd);

    // Waits until something is ready or `deadline` passes, then runs the callbacks. Returns how
    // many were ready.
    Result<int> run_once(std::optional<Clock::time_point> deadline);

  private:
    struct Watch {
        std::uint64_t serial = 0;  // tells a recycled fd number from the one that was reported
        Callback callback;
    };

    explicit EventLoop(UniqueFd epoll) : epoll_(std::move(epoll)) {}

    UniqueFd epoll_;
    std::uint64_t next_serial_ = 1;
    std::unordered_map<int, Watch> watches_;
};

// A signalfd of one blocked signal, non-blocking; the signal is blocked for the calling thread.
Result<UniqueFd> open_signal_fd(int signal);
// Reads all that is queued; true if there was anything.
bool drain_signal_fd(int fd);

}  // namespace execseal
