// The service manager's side of a daemon: sockets that it hands over, the state it wants to hear,
// and its store for descriptors that must outlive a restart.
//
// sd_listen_fds(3) and sd_notify(3), "Notes": the protocol is one datagram and three variables of
// the environment, so that static programs need no libsystemd. Without a service manager every call
// is a no-op.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "hook/os/result.h"
#include "hook/os/unique_fd.h"

namespace execseal {

struct HandedFd {
    UniqueFd fd;
    std::string name;  // FileDescriptorName= of a socket unit, FDNAME= of a stored one
};

// Takes the descriptors from 3 up that LISTEN_FDS promises to this process (LISTEN_PID). Once, at
// the start: a second call would own them twice.
std::vector<HandedFd> take_handed_fds();

// Is it a listening socket (rather than anything else that was stored)?
bool is_listening_socket(int fd);

class ServiceManager {
  public:
    static ServiceManager from_environment();

    [[nodiscard]] bool present() const { return !socket_.empty(); }
    // Half of WatchdogSec=: how often WATCHDOG=1 has to be said. Absent: no watchdog.
    [[nodiscard]] std::optional<std::chrono::microseconds> watchdog_interval() const {
        return watchdog_;
    }
    // One datagram of newline-separated assignments. Blocks for 200 ms at most.
    Result<> notify(const std::string& assignments, const std::vector<int>& fds = {}) const;
    // Keeps `fd` until the next start of the service, or until it hangs up. `name` without ":" and
    // of at most 255 bytes (sd_notify(3), FDNAME=).
    Result<> store(int fd, const std::string& name) const;
    // Closes what is stored under `name`.
    Result<> forget(const std::string& name) const;

  private:
    std::string socket_;
    std::optional<std::chrono::microseconds> watchdog_;
};

}  // namespace execseal
