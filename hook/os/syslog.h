// Syslog: messages to the node's log daemon, with a bound in time.
//
// syslog(3) waits for as long as the daemon does not read, and says nothing of a message that
// nobody took. One thread.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "hook/os/result.h"

namespace execseal {

class Syslog {
  public:
    // `socket`: where the daemon listens.
    explicit Syslog(std::string socket = "/dev/log");

    // To the facility authpriv as a notice. The Error says why nobody has taken it (no daemon, one
    // that has not read for 200 ms); for a second after that nothing is tried.
    Result<> send(std::string_view message);

  private:
    using Clock = std::chrono::steady_clock;

    std::string socket_;
    std::string head_;
    std::optional<Clock::time_point> rests_until_;
    std::optional<Error> failure_;
};

}  // namespace execseal
