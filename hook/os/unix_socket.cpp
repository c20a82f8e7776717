#include "hook/os/unix_socket.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace execseal {
namespace {

constexpr std::size_t kMaxFds = 16;

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

const sockaddr* as_sockaddr(const sockaddr_un& address) {
    return reinterpret_cast<const sockaddr*>(&address);
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
    if (fds.size() > kMaxFds) {
        return make_error("at most " + std::to_string(kMaxFds) + " descriptors a message");
    }
    alignas(cmsghdr) std::array<char, CMSG_SPACE(kMaxFds * sizeof(int))> control{};
    bool attach = !fds.empty();
    while (!bytes.empty()) {
        iovec part{const_cast<char*>(bytes.data()), bytes.size()};
        msghdr message{};
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        if (attach) {
            message.msg_control = control.data();
            message.msg_controllen = CMSG_SPACE(fds.size() * sizeof(int));
            cmsghdr* header = CMSG_FIRSTHDR(&message);
            header->cmsg_level = SOL_SOCKET;
            header->cmsg_type = SCM_RIGHTS;
            header->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
            std::memcpy(CMSG_DATA(header), fds.data(), fds.size() * sizeof(int));
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
