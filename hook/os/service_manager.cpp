#include "hook/os/service_manager.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "hook/os/unix_socket.h"

namespace execseal {
namespace {

constexpr int kFirstHandedFd = 3;  // SD_LISTEN_FDS_START
constexpr std::size_t kNameLimit = 255;

std::string environment(const char* name) {
    // NOLINTNEXTLINE(concurrency-mt-unsafe): read once at start; no thread of ours calls setenv
    const char* const value = std::getenv(name);
    return value == nullptr ? "" : value;
}

std::optional<std::uint64_t> number_of(std::string_view text) {
    std::uint64_t number = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
    if (parsed.ec != std::errc{} || parsed.ptr != text.data() + text.size()) {
        return std::nullopt;
    }
    return number;
}

// The variables are for one process: another's (inherited through an exec) are not ours.
bool meant_for_us(const char* name) {
    return number_of(environment(name)) == static_cast<std::uint64_t>(::getpid());
}

std::vector<std::string> split_names(const std::string& text) {
    std::vector<std::string> names;
    std::size_t from = 0;
    while (from <= text.size()) {
        const auto end = std::min(text.find(':', from), text.size());
        names.push_back(text.substr(from, end - from));
        from = end + 1;
    }
    return names;
}

}  // namespace

std::vector<HandedFd> take_handed_fds() {
    std::vector<HandedFd> handed;
    const auto count = number_of(environment("LISTEN_FDS"));
    if (!meant_for_us("LISTEN_PID") || !count || *count > 65536) {
        return handed;
    }
    const auto names = split_names(environment("LISTEN_FDNAMES"));
    for (std::size_t i = 0; i < *count; ++i) {
        const int number = kFirstHandedFd + static_cast<int>(i);
        if (::fcntl(number, F_SETFD, FD_CLOEXEC) != 0) {
            continue;
        }
        handed.push_back({UniqueFd(number), i < names.size() ? names[i] : ""});
    }
    return handed;
}

bool is_listening_socket(int fd) {
    int listening = 0;
    socklen_t size = sizeof listening;
    return ::getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) == 0 && listening == 1;
}

ServiceManager ServiceManager::from_environment() {
    ServiceManager manager;
    manager.socket_ = environment("NOTIFY_SOCKET");
    const auto watchdog = number_of(environment("WATCHDOG_USEC"));
    if (watchdog && *watchdog > 0 &&
        (environment("WATCHDOG_PID").empty() || meant_for_us("WATCHDOG_PID"))) {
        manager.watchdog_ = std::chrono::microseconds(*watchdog / 2);
    }
    return manager;
}

Result<> ServiceManager::notify(const std::string& assignments, const std::vector<int>& fds) const {
    if (!present()) {
        return Ok{};
    }
    return send_datagram(socket_, assignments, fds);
}

Result<> ServiceManager::store(int fd, const std::string& name) const {
    if (name.empty() || name.size() > kNameLimit || name.find(':') != std::string::npos) {
        return make_error("descriptor name \"" + name +
                          "\": expected 1 to 255 bytes without \":\"");
    }
    return notify("FDSTORE=1\nFDNAME=" + name, {fd});
}

Result<> ServiceManager::forget(const std::string& name) const {
    return notify("FDSTOREREMOVE=1\nFDNAME=" + name);
}

}  // namespace execseal
