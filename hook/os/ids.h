// Strong ids: a thread id, a process id, a notification id and a remote address never stand in for
// one another.
#pragma once

#include <sys/types.h>

#include <compare>
#include <cstdint>
#include <functional>

namespace execseal {

template <class Tag, class Rep>
struct StrongId {
    Rep value{};
    // clang-tidy 14 takes the 0 of a comparison for a pointer.
    // NOLINTNEXTLINE(modernize-use-nullptr): see above
    friend auto operator<=>(StrongId, StrongId) = default;
};

// seccomp_notif.pid is a Tid in the PID namespace of whoever calls SECCOMP_IOCTL_NOTIF_RECV (0: not
// visible there).
using Tid = StrongId<struct TidTag, pid_t>;
using Tgid = StrongId<struct TgidTag, pid_t>;
using NotifyId = StrongId<struct NotifyTag, std::uint64_t>;
using RemoteAddr = StrongId<struct AddrTag, std::uint64_t>;

// Tids recycle; a task that is kept longer than one call is named by its tid and what tells it from
// others that had the number (TaskStat::birth).
struct TaskKey {
    Tid tid;
    std::uint64_t birth = 0;
    // Of a first thread.
    [[nodiscard]] Tgid process() const { return Tgid{tid.value}; }
    friend auto operator<=>(const TaskKey&, const TaskKey&) = default;
};

}  // namespace execseal

template <class Tag, class Rep>
struct std::hash<execseal::StrongId<Tag, Rep>> {
    std::size_t operator()(execseal::StrongId<Tag, Rep> id) const noexcept {
        return std::hash<Rep>{}(id.value);
    }
};
