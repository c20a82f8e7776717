// ExitWatch: learns lazily which of many processes have ended, through pidfds in an epoll set of
// its own.
//
// The set hangs in no other one: an exit wakes nobody (a context switch for each short-lived
// process would cost more than the fork tracking itself), it is found at the next drain.
#pragma once

#include <memory>
#include <unordered_map>
#include <vector>

#include "hook/os/ids.h"
#include "hook/os/result.h"
#include "hook/os/unique_fd.h"

namespace execseal {

enum class WatchReach { kGone, kFull, kDone };

class ExitWatch {
  public:
    virtual ~ExitWatch() = default;
    // By number: the caller checks afterwards that it was still the same process. kFull: no
    // descriptor is free for it.
    virtual Result<WatchReach> watch(Tgid process) = 0;
    virtual void forget(Tgid process) = 0;
    // Appends those that have ended; they are watched no longer.
    virtual void drain(std::vector<Tgid>& ended) = 0;
};

// Holds at most `limit` descriptors.
Result<std::unique_ptr<ExitWatch>> open_exit_watch(std::size_t limit);

}  // namespace execseal
