// The container's directory below run_dir: held by a lock for as long as its supervisor lives.
//
// The lock (flock(2) on DIR/lock) is released by the kernel however the supervisor ends, so a
// leftover directory of a killed one is told from a live one without looking at pids.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hook/os/result.h"
#include "hook/os/unique_fd.h"

namespace execseal {

// What stands in a container's directory.
inline constexpr std::string_view kListenerFile = "/seccomp.sock";  // listenerPath
inline constexpr std::string_view kControlFile = "/control.sock";   // hook, shim and CLI ask here
inline constexpr std::string_view kStartFile = "/start";  // for who follows a dead supervisor
// A link that says which process was the container's first: FIRST-BIRTH, its number and what tells
// it from others with that number (TaskStat::birth).
inline constexpr std::string_view kFirstFile = "/first";
// Made by a supervisor that has followed a dead one, once a call of the container has come to its
// end: what was in flight does not kill each that comes.
inline constexpr std::string_view kServedFile = "/served";
inline constexpr std::string_view kLockFile = "/lock";

// Makes the directory (0700, parents 0755) and takes its lock; EWOULDBLOCK as the Error's code when
// somebody else has it. Keep the descriptor: closing it gives the lock up.
Result<UniqueFd> occupy_state_dir(const std::string& directory);

// False also when the directory does not exist.
Result<bool> state_dir_is_occupied(const std::string& directory);

// Waits for the holder to let go (blocking flock with a bound); ETIMEDOUT as the Error's code.
Result<> wait_until_state_dir_is_free(const std::string& directory,
                                      std::chrono::steady_clock::time_point deadline);

// The node agent's own directory below run_dir, held in the same way.
inline constexpr const char* kAgentStateDir = "agent";

// The containers' directories below run_dir, sorted by name; none when there is no run_dir.
Result<std::vector<std::string>> list_state_dirs(const std::string& run_dir);

// What stands in kFirstFile; nullopt: nothing that can be read.
struct FirstProcess {
    pid_t process = 0;
    std::uint64_t birth = 0;
};
Result<> keep_first_process(const std::string& directory, const FirstProcess& first);
std::optional<FirstProcess> first_process(const std::string& directory);

Result<> keep_served_mark(const std::string& directory);
// Whether it is there; it is not any more.
bool take_served_mark(const std::string& directory);

// Removes the files a supervisor makes, then the directory; what is not there is fine.
Result<> remove_state_dir(const std::string& directory);

}  // namespace execseal
