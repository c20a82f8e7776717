#include "hook/os/unix_socket.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstring>

namespace execseal {
namespace {

constexpr std::size_t kMaxFds = 16;
constexpr suseconds_t kDatagramWaitUs = 200'000;

Result<sockaddr_un> address_of(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.empty() || path.size() >= sizeof address.sun_path) {
        return make_error("socket " + path + ": expected a path of 1 to " +
                          std::to_string(sizeof address.sun_path - 1) + " bytes");
    }
    std::memcpy(&address.sun_path[0], path.data(), path.size());
    return address;
}

template <class Address>
const sockaddr* as_sockaddr(const Address& address) {
    return reinterpret_cast<const sockaddr*>(&address);
}

// Room for the descriptors of one message; must outlive the msghdr that points to it.
class FdsControl {
  public:
    // At most kMaxFds.
    void attach(msghdr& message, const std::vector<int>& fds) {
        message.msg_control = bytes_.data();
        message.msg_controllen = CMSG_SPACE(fds.size() * sizeof(int));
        cmsghdr* header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
        std::memcpy(CMSG_DATA(header), fds.data(), fds.size() * sizeof(int));
    }

  private:
    alignas(cmsghdr) std::array<char, CMSG_SPACE(kMaxFds * sizeof(int))> bytes_{};
};

Result<> check_count(const std::vector<int>& fds) {
    if (fds.size() > kMaxFds) {
        return make_error("at most " + std::to_string(kMaxFds) + " descriptors a message");
    }
    return Ok{};
}

Result<UniqueFd> listen_inet(int family, const sockaddr* address, socklen_t size,
                             const std::string& name) {
    UniqueFd fd(::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd.valid()) {
        return Error{errno, "socket"};
    }
    const int reuse = 1;
    (void)::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &reuse, sizeof reuse);
    if (::bind(fd.get(), address, size) != 0) {
        return Error{errno, "bind " + name};
    }
    if (::listen(fd.get(), 64) != 0) {
        return Error{errno, "listen " + name};
    }
    return fd;
}

}  // namespace

Result<UniqueFd> listen_unix(const std::string& path) {
    const auto address = address_of(path);
    if (!address) {
        return address.error();
    }
    UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd.valid()) {
        return Error{errno, "socket"};
    }
    struct stat existing {};
    if (::lstat(path.c_str(), &existing) == 0 && S_ISSOCK(existing.st_mode)) {
        (void)::unlink(path.c_str());
    }
    const mode_t before = ::umask(0177);
    const int bound = ::bind(fd.get(), as_sockaddr(*address), sizeof *address);
    const int bind_errno = errno;
    (void)::umask(before);
    if (bound != 0) {
        return Error{bind_errno, "bind " + path};
    }
    if (::listen(fd.get(), 64) != 0) {
        return Error{errno, "listen " + path};
    }
    return fd;
}

Result<UniqueFd> accept_unix(int listener) {
    for (;;) {
        UniqueFd fd(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
        if (fd.valid()) {
            return fd;
        }
        if (errno == EAGAIN || errno == ECONNABORTED) {
            return UniqueFd{};
        }
        if (errno != EINTR) {
            return Error{errno, "accept4"};
        }
    }
}

Result<UniqueFd> connect_unix(const std::string& path, std::chrono::milliseconds deadline) {
    const auto address = address_of(path);
    if (!address) {
        return address.error();
    }
    UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!fd.valid()) {
        return Error{errno, "socket"};
    }
    timeval limit{};
    limit.tv_sec = deadline.count() / 1000;
    limit.tv_usec = static_cast<suseconds_t>(deadline.count() % 1000) * 1000;
    if (::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) != 0 ||
        ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) != 0) {
        return Error{errno, "setsockopt SO_RCVTIMEO"};
    }
    if (::connect(fd.get(), as_sockaddr(*address), sizeof *address) != 0) {
        return Error{errno, "connect " + path};
    }
    return fd;
}

Result<PeerCredentials> peer_credentials(int socket) {
    ucred credentials{};
    socklen_t size = sizeof credentials;
    if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) {
        return Error{errno, "getsockopt SO_PEERCRED"};
    }
    return PeerCredentials{credentials.pid, credentials.uid};
}

Result<Received> receive_with_fds(int socket, std::size_t limit) {
    Received received;
    received.bytes.resize(limit);
    alignas(cmsghdr) std::array<char, CMSG_SPACE(kMaxFds * sizeof(int))> control{};
    iovec part{received.bytes.data(), received.bytes.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    ssize_t count = 0;
    do {
        count = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    } while (count < 0 && errno == EINTR);
    if (count < 0) {
        if (errno == EAGAIN) {
            return Received{ReceiveStatus::kWouldBlock, {}, {}};
        }
        return Error{errno, "recvmsg"};
    }
    for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
         header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) {
            continue;
        }
        const std::size_t bytes = header->cmsg_len - CMSG_LEN(0);
        for (std::size_t offset = 0; offset + sizeof(int) <= bytes; offset += sizeof(int)) {
            int fd = -1;
            std::memcpy(&fd, CMSG_DATA(header) + offset, sizeof fd);
            received.fds.emplace_back(fd);
        }
    }
    if ((message.msg_flags & MSG_CTRUNC) != 0) {
        return make_error("message with more than " + std::to_string(kMaxFds) + " descriptors");
    }
    received.bytes.resize(static_cast<std::size_t>(count));
    received.status = count == 0 ? ReceiveStatus::kEnd : ReceiveStatus::kData;
    return received;
}

Result<> send_with_fds(int socket, std::string_view bytes, const std::vector<int>& fds) {
    if (auto checked = check_count(fds); !checked) {
        return checked;
    }
    FdsControl control;
    bool attach = !fds.empty();
    while (!bytes.empty()) {
        iovec part{const_cast<char*>(bytes.data()), bytes.size()};
        msghdr message{};
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        if (attach) {
            control.attach(message, fds);
        }
        const ssize_t count = ::sendmsg(socket, &message, MSG_NOSIGNAL);
        if (count < 0) {
            if (errno == EINTR) {
                continue;
            }
            return Error{errno, "sendmsg"};
        }
        attach = false;
        bytes.remove_prefix(static_cast<std::size_t>(count));
    }
    return Ok{};
}

Result<> send_datagram(const std::string& path, std::string_view bytes,
                       const std::vector<int>& fds) {
    if (auto checked = check_count(fds); !checked) {
        return checked;
    }
    auto address = address_of(path);
    if (!address) {
        return address.error();
    }
    auto size = static_cast<socklen_t>(sizeof *address);
    if (path.front() == '@') {
        address->sun_path[0] = '\0';
        size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
    }
    const UniqueFd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (!socket.valid()) {
        return Error{errno, "socket"};
    }
    const timeval limit{0, kDatagramWaitUs};
    if (::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) != 0) {
        return Error{errno, "setsockopt SO_SNDTIMEO"};
    }
    iovec part{const_cast<char*>(bytes.data()), bytes.size()};
    msghdr message{};
    message.msg_name = &*address;
    message.msg_namelen = size;
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    FdsControl control;
    if (!fds.empty()) {
        control.attach(message, fds);
    }
    if (::sendmsg(socket.get(), &message, MSG_NOSIGNAL) < 0) {
        return Error{errno, "sendmsg " + path};
    }
    return Ok{};
}

Result<UniqueFd> listen_loopback(const std::string& address) {
    constexpr std::string_view kV4 = "127.0.0.1:";
    constexpr std::string_view kV6 = "[::1]:";
    const std::string_view prefix = address.starts_with(kV4) ? kV4 : kV6;
    std::uint16_t port = 0;
    const char* const end = address.data() + address.size();
    const auto parsed =
        std::from_chars(address.data() + std::min(prefix.size(), address.size()), end, port);
    if (!address.starts_with(prefix) || parsed.ec != std::errc{} || parsed.ptr != end) {
        return make_error("address " + address + ": expected 127.0.0.1:PORT or [::1]:PORT");
    }
    if (prefix == kV4) {
        sockaddr_in v4{};
        v4.sin_family = AF_INET;
        v4.sin_port = htons(port);
        v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        return listen_inet(AF_INET, as_sockaddr(v4), sizeof v4, address);
    }
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    v6.sin6_addr = in6addr_loopback;
    return listen_inet(AF_INET6, as_sockaddr(v6), sizeof v6, address);
}

Result<std::size_t> send_some(int socket, std::string_view bytes) {
    const ssize_t count = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count >= 0) {
        return static_cast<std::size_t>(count);
    }
    if (errno == EAGAIN || errno == EINTR) {
        return std::size_t{0};
    }
    return Error{errno, "send"};
}

}  // namespace execseal
