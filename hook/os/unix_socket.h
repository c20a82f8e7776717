// AF_UNIX sockets: listen, connect, and messages with descriptors (SCM_RIGHTS); and the one other
// kind that is needed, a listener on loopback.
//
// Everything is CLOEXEC from birth. Descriptors of a received message are owned before the message
// is looked at.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "hook/os/result.h"
#include "hook/os/unique_fd.h"

namespace execseal {

// Binds and listens at `path` with mode 0600, non-blocking; a leftover socket file there is
// replaced. The path must be shorter than 108 bytes (sun_path, see unix(7)).
Result<UniqueFd> listen_unix(const std::string& path);

// The next waiting connection, non-blocking; an invalid fd when there is none.
Result<UniqueFd> accept_unix(int listener);

// Blocking connect; reads and writes of the socket get `deadline` as their time-out (SO_RCVTIMEO,
// SO_SNDTIMEO).
Result<UniqueFd> connect_unix(const std::string& path, std::chrono::milliseconds deadline);

struct PeerCredentials {
    pid_t pid = 0;
    uid_t uid = 0;
};
Result<PeerCredentials> peer_credentials(int socket);

enum class ReceiveStatus { kData, kWouldBlock, kEnd };

struct Received {
    ReceiveStatus status = ReceiveStatus::kEnd;
    std::string bytes;
    std::vector<UniqueFd> fds;
};

// One recvmsg of at most `limit` bytes and 16 descriptors; more descriptors than that are an Error
// (MSG_CTRUNC).
Result<Received> receive_with_fds(int socket, std::size_t limit);

// Writes all of `bytes` (MSG_NOSIGNAL), with `fds` attached to the first byte.
Result<> send_with_fds(int socket, std::string_view bytes, const std::vector<int>& fds = {});

// One datagram to the socket at `path` ("@NAME": in the abstract namespace, unix(7)), with `fds`
// attached. A receiver that stays full for 200 ms is an Error with code EAGAIN.
Result<> send_datagram(const std::string& path, std::string_view bytes,
                       const std::vector<int>& fds);

// Listens on loopback, non-blocking: `address` is 127.0.0.1:PORT or [::1]:PORT; port 0 takes any.
Result<UniqueFd> listen_loopback(const std::string& address);

// One non-blocking send (MSG_NOSIGNAL); how many bytes the socket took, 0 when it is full.
Result<std::size_t> send_some(int socket, std::string_view bytes);

}  // namespace execseal
