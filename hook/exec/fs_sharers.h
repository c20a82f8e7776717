// FsSharers: which processes have root and working directory in common with another process.
//
// A process made by clone(2) with CLONE_FS and without CLONE_THREAD can move its maker's root and
// working directory, and its maker its own, also after an exec: what an allowed program opens by
// name would be somebody else's. Takes the calls of fork tracking, gives those that an exec's
// caller is to be compared with; kcmp(2) then says who still shares. Bookkeeping only, but for
// find_fs_sharer(), which may wait for another task's exec: it belongs into an expendable process.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "hook/os/ids.h"
#include "hook/os/result.h"

namespace execseal {

class FsSharers {
  public:
    // So many are compared at one exec, at most; with more it is refused.
    static constexpr std::size_t kMost = 64;

    // No room for more: such a call is to be refused. Forgets who has ended.
    [[nodiscard]] bool is_full();
    // `process` is about to make such a process; ended() follows, with the child (0: it has none).
    void begun(Tgid process);
    void ended(Tgid process, Tgid child);

    [[nodiscard]] bool empty() const { return entries_.empty(); }
    // Grows with every such call.
    [[nodiscard]] std::uint64_t serial() const { return serial_; }
    // Of the last call that `process` made or came from; 0: none.
    [[nodiscard]] std::uint64_t last_of(Tgid process) const;

    struct Suspects {
        bool in_flight = false;  // a call of the process itself has not ended yet
        std::vector<Tgid> others;
    };
    // Those that may share with `process`; nullopt: nobody does.
    [[nodiscard]] std::optional<Suspects> suspects(Tgid process) const;

  private:
    struct Entry {
        std::uint64_t serial = 0;
        std::size_t in_flight = 0;
    };
    void forget_dead();

    std::unordered_map<Tgid, Entry> entries_;
    std::uint64_t serial_ = 0;
};

// The first of `others` that has a thread which shares the caller's root and working directory;
// nullopt: none. One that has ended shares nothing. An Error: it cannot be known.
Result<std::optional<Tgid>> find_fs_sharer(Tid caller, const std::vector<Tgid>& others);

// Those of `processes` that share them with another one, looked for in an expendable process. An
// Error: not all has been seen within `bound`.
Result<std::vector<Tgid>> find_all_sharers(const std::vector<Tgid>& processes,
                                           std::chrono::milliseconds bound);

}  // namespace execseal
