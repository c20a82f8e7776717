#include "hook/os/syslog.h"

#include <syslog.h>
#include <unistd.h>

#include <utility>

#include "hook/os/unix_socket.h"

namespace execseal {
namespace {

constexpr std::chrono::seconds kRest{1};

}  // namespace

// The daemon adds the time where a message has none.
Syslog::Syslog(std::string socket)
    : socket_(std::move(socket)),
      head_("<" + std::to_string(LOG_AUTHPRIV | LOG_NOTICE) + ">execseal[" +
            std::to_string(::getpid()) + "]: ") {}

Result<> Syslog::send(std::string_view message) {
    const auto now = Clock::now();
    if (rests_until_ && now < *rests_until_) {
        return *failure_;
    }
    auto sent = send_datagram(socket_, head_ + std::string(message), {});
    rests_until_.reset();
    if (!sent) {
        failure_ = sent.error();
        rests_until_ = Clock::now() + kRest;
    }
    return sent;
}

}  // namespace execseal
