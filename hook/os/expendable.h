// Expendable processes: what may block for ever is done in one of them, never in the supervisor.
//
// Takes a job (a few bytes) and gives the reply that the work wrote, with descriptors where it has
// any; past the deadline the process is killed and forgotten, and the next job gets a new one. It
// is a fork of the caller, so it starts with the caller's rights and memory, but it holds none of
// the caller's descriptors: a process that not even SIGKILL ends keeps nothing of ours alive. It
// must never share anything with the supervisor but the reply's memory and one socket.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "hook/os/result.h"
#include "hook/os/unique_fd.h"

namespace execseal {

// Runs in the expendable process: reads the job, writes the reply into `room`, returns its size.
// Descriptors left in `fds` (at most kMaxReplyFds) reach the caller with the reply.
using ExpendableWork = std::function<std::size_t(
    std::span<const std::byte> job, std::span<std::byte> room, std::vector<UniqueFd>& fds)>;

inline constexpr std::size_t kMaxJob = 1024;
inline constexpr std::size_t kMaxReplyFds = 16;

// kLost: the process died over the job (or was never there). kPending: no reply yet.
enum class ReplyState { kLost, kPending, kReady };

// One such process. Used by one thread; one job at a time.
class Expendable {
  public:
    static Result<Expendable> start(const ExpendableWork& work, std::size_t room);
    Expendable(Expendable&& other) noexcept;
    Expendable& operator=(Expendable&& other) noexcept;
    Expendable(const Expendable&) = delete;
    Expendable& operator=(const Expendable&) = delete;
    // Kills it; does not wait for its end (it may have none), init or the next start reaps it.
    ~Expendable();

    Result<> begin(std::span<const std::byte> job);
    // Becomes readable when the reply is there: for an event loop that has other things to do.
    [[nodiscard]] int fd() const { return socket_.get(); }
    // Waits for the reply, no longer than until the deadline.
    ReplyState wait(std::chrono::steady_clock::time_point deadline);
    [[nodiscard]] bool busy() const { return busy_; }
    // Tells its present sleep over the job from every earlier one, which ended because what it
    // waited for had come. nullopt: it works, or has not got the CPU yet, or somebody has stopped
    // it.
    [[nodiscard]] std::optional<std::uint64_t> sleeping() const;
    // Of the last job that was ready; valid until the next begin().
    [[nodiscard]] std::span<const std::byte> reply() const;
    [[nodiscard]] std::vector<UniqueFd> take_fds() { return std::move(fds_); }
    [[nodiscard]] pid_t pid() const { return pid_; }

  private:
    Expendable() = default;
    void stay_on_this_cpu();
    ReplyState receive();
    void end() noexcept;

    UniqueFd socket_;
    UniqueFd pidfd_;
    pid_t pid_ = 0;
    std::byte* shared_ = nullptr;  // mapped, room_ bytes
    std::size_t room_ = 0;
    std::size_t reply_size_ = 0;
    int cpu_ = -1;
    bool busy_ = false;
    std::vector<UniqueFd> fds_;
};

}  // namespace execseal
