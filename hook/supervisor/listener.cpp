#include "hook/supervisor/listener.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>

#include "hook/os/deadline.h"
#include "hook/os/log.h"
#include "hook/os/unix_socket.h"

namespace execseal {
namespace {

// State carries all annotations of the container; 300 KB was seen to work with both runtimes.
constexpr std::size_t kMessageLimit = std::size_t{4} << 20U;
constexpr std::size_t kChunk = 65536;
constexpr std::size_t kMaxConnections = 256;
constexpr std::chrono::seconds kMessageDeadline{10};

}  // namespace

Result<std::unique_ptr<Listener>> Listener::open(EventLoop& loop, const std::string& path,
                                                 std::string container_id, OnProcess on_process) {
    auto socket = listen_unix(path);
    if (!socket) {
        return socket.error();
    }
    return watch(std::unique_ptr<Listener>(
        new Listener(loop, std::move(*socket), std::move(container_id), std::move(on_process))));
}

std::unique_ptr<Listener> Listener::adopt(EventLoop& loop, UniqueFd socket, OnProcess on_process) {
    return watch(std::unique_ptr<Listener>(
        new Listener(loop, std::move(socket), std::nullopt, std::move(on_process))));
}

std::unique_ptr<Listener> Listener::watch(std::unique_ptr<Listener> listener) {
    auto* raw = listener.get();
    raw->loop_.add(raw->socket_.get(), POLLIN, [raw](short) { raw->accept_connections(); });
    return listener;
}

Listener::Listener(EventLoop& loop, UniqueFd socket, std::optional<std::string> container_id,
                   OnProcess on_process)
    : loop_(loop),
      socket_(std::move(socket)),
      container_id_(std::move(container_id)),
      on_process_(std::move(on_process)) {}

Listener::~Listener() {
    for (const auto& [fd, connection] : connections_) {
        loop_.remove(fd);
    }
    loop_.remove(socket_.get());
}

void Listener::accept_connections() {
    auto socket = accept_unix(socket_.get());
    if (!socket) {
        log_warning("listener: " + socket.error().text());
        return;
    }
    if (!socket->valid()) {
        return;
    }
    const auto peer = peer_credentials(socket->get());
    if (!peer || (peer->uid != 0 && peer->uid != ::geteuid())) {
        log_warning("listener: a connection of uid " + (peer ? std::to_string(peer->uid) : "?") +
                    " was refused");
        return;
    }
    if (connections_.size() >= kMaxConnections) {
        log_warning("listener: more than " + std::to_string(kMaxConnections) +
                    " connections at once, one refused");
        return;
    }
    const int fd = socket->get();
    loop_.add(fd, POLLIN, [this, fd](short) { on_readable(fd); });
    connections_[fd].socket = std::move(*socket);
}

void Listener::on_readable(int fd) {
    const auto found = connections_.find(fd);
    if (found != connections_.end() && receive_some(found->second)) {
        drop(fd);
    }
}

bool Listener::receive_some(Connection& connection) {
    auto received = receive_with_fds(connection.socket.get(), kChunk);
    if (!received) {
        log_warning("listener: " + received.error().text());
        return true;
    }
    if (received->status == ReceiveStatus::kWouldBlock) {
        return false;
    }
    std::move(received->fds.begin(), received->fds.end(), std::back_inserter(connection.fds));
    if (received->status == ReceiveStatus::kEnd) {
        // Nothing at all is ordinary: a create that failed after crun had connected.
        if (!connection.text.empty()) {
            log_warning("listener: a message that ends after " +
                        std::to_string(connection.text.size()) +
                        " bytes, before its JSON object does");
        }
        return true;
    }
    if (!connection.deadline) {
        connection.deadline = Clock::now() + kMessageDeadline;
    }
    connection.text += received->bytes;
    switch (connection.end.feed(received->bytes)) {
        case JsonEnd::Status::kNotAnObject:
            log_warning("listener: expected a JSON object (container process state)");
            return true;
        case JsonEnd::Status::kComplete:
            deliver(connection);
            return true;
        case JsonEnd::Status::kIncomplete:
            break;
    }
    if (connection.text.size() > kMessageLimit) {
        log_warning("listener: a message of more than " + std::to_string(kMessageLimit) + " bytes");
        return true;
    }
    return false;
}

void Listener::deliver(Connection& connection) {
    auto message = parse_container_process_state(connection.text, "container process state");
    if (!message) {
        log_warning("listener: " + message.error().text());
        return;
    }
    if (container_id_ && message->state.id != *container_id_) {
        log_warning("listener: a message for container " + message->state.id + ", expected " +
                    *container_id_);
        return;
    }
    const auto named = std::count(message->fds.begin(), message->fds.end(), "seccompFd");
    if (named != 1 || message->fds.size() != connection.fds.size()) {
        log_warning(
            "listener: /fds: expected exactly one seccompFd and as many descriptors as names, "
            "got " +
            std::to_string(named) + " of " + std::to_string(message->fds.size()) + " names and " +
            std::to_string(connection.fds.size()) + " descriptors");
        return;
    }
    const auto index =
        std::find(message->fds.begin(), message->fds.end(), "seccompFd") - message->fds.begin();
    on_process_(*message, std::move(connection.fds.at(static_cast<std::size_t>(index))));
}

void Listener::drop(int fd) {
    loop_.remove(fd);
    connections_.erase(fd);
}

std::optional<Listener::Clock::time_point> Listener::next_deadline() const {
    std::optional<Clock::time_point> next;
    for (const auto& [fd, connection] : connections_) {
        next = earliest({next, connection.deadline});
    }
    return next;
}

void Listener::on_deadline(Clock::time_point now) {
    std::vector<int> late;
    for (const auto& [fd, connection] : connections_) {
        if (connection.deadline && *connection.deadline <= now) {
            late.push_back(fd);
        }
    }
    for (const int fd : late) {
        log_warning("listener: a message was not complete after " +
                    std::to_string(kMessageDeadline.count()) + " s");
        drop(fd);
    }
}

}  // namespace execseal
