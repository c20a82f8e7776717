// SeccompNotify: one seccomp listener: receive notifications, answer them, ask whether they live.
//
// One kernel call a method. That the caller died or was interrupted (ENOENT) is a value, not an
// Error: it happens at any time (seccomp_unotify(2)). The ioctls are made here and not through
// libseccomp, whose 2.5.4 gives -ECANCELED for every failure.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>

#include "hook/os/ids.h"
#include "hook/os/result.h"
#include "hook/os/unique_fd.h"

namespace execseal {

struct Notification {
    NotifyId id;
    Tid tid;                 // 0: the caller is not visible in our PID namespace
    std::uint32_t arch = 0;  // AUDIT_ARCH_*
    int nr = 0;              // with bit 30 set for x32
    std::array<std::uint64_t, 6> args{};
};

struct Answer {
    enum class Kind { kErrno, kContinue };
    Kind kind = Kind::kErrno;
    int error = 1;  // positive, for kErrno; EPERM unless said otherwise

    static Answer fail(int error) { return {Kind::kErrno, error}; }
    static Answer go_on() { return {Kind::kContinue, 0}; }
};

enum class NotifyReach { kGone, kDone };
enum class ListenerState { kHungUp, kIdle, kReadable };

class SeccompNotify {
  public:
    virtual ~SeccompNotify() = default;
    // kHungUp: no task has the filter any more. Nothing is lost by asking late.
    virtual Result<ListenerState> poll(std::chrono::milliseconds timeout) = 0;
    // Only after the listener was readable: RECV ignores O_NONBLOCK and would block. nullopt: the
    // caller went away meanwhile.
    virtual Result<std::optional<Notification>> receive() = 0;
    virtual Result<NotifyReach> answer(NotifyId id, const Answer& answer) = 0;
    virtual Result<NotifyReach> id_valid(NotifyId id) = 0;
};

// The real one; owns the listener.
class SeccompListener final : public SeccompNotify {
  public:
    // Learns the kernel's structure sizes; takes the fd in any case.
    static Result<std::unique_ptr<SeccompListener>> adopt(UniqueFd listener);

    // Synchronous wake-up (Linux 6.6): an answer hands the CPU over to the caller, which shortens
    // the round trip. False where the kernel does not have it.
    [[nodiscard]] bool try_sync_wake_up();

    [[nodiscard]] int fd() const { return listener_.get(); }

    Result<ListenerState> poll(std::chrono::milliseconds timeout) override;
    Result<std::optional<Notification>> receive() override;
    Result<NotifyReach> answer(NotifyId id, const Answer& answer) override;
    Result<NotifyReach> id_valid(NotifyId id) override;

  private:
    SeccompListener(UniqueFd listener, std::size_t request_size, std::size_t response_size);

    // Aligned for the kernel's structures, which may be longer than those of our headers.
    using Buffer = std::unique_ptr<std::uint64_t[]>;

    UniqueFd listener_;
    std::size_t request_size_;
    std::size_t response_size_;
    Buffer request_;
    Buffer response_;
};

}  // namespace execseal
