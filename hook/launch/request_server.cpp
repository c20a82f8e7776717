#include "hook/launch/request_server.h"

#include <poll.h>
#include <unistd.h>

#include <utility>
#include <vector>

#include "hook/os/deadline.h"
#include "hook/os/log.h"
#include "hook/os/unix_socket.h"

namespace execseal {
namespace {

constexpr std::size_t kMaxConnections = 32;
constexpr std::chrono::seconds kDeadline{5};

}  // namespace

std::unique_ptr<RequestServer> RequestServer::open(EventLoop& loop, UniqueFd socket,
                                                   RequestTerms terms, Respond respond) {
    const int fd = socket.get();
    std::unique_ptr<RequestServer> server(
        new RequestServer(loop, std::move(socket), std::move(terms), std::move(respond)));
    auto* raw = server.get();
    loop.add(fd, POLLIN, [raw](short) { raw->accept_connection(); });
    return server;
}

RequestServer::RequestServer(EventLoop& loop, UniqueFd socket, RequestTerms terms, Respond respond)
    : loop_(loop),
      socket_(std::move(socket)),
      terms_(std::move(terms)),
      respond_(std::move(respond)) {}

RequestServer::~RequestServer() {
    for (const auto& [fd, connection] : connections_) {
        loop_.remove(fd);
    }
    loop_.remove(socket_.get());
}

bool RequestServer::may_ask(int socket) const {
    switch (terms_.peers) {
        case RequestPeers::kOwner: {
            const auto peer = peer_credentials(socket);
            return peer && (peer->uid == 0 || peer->uid == ::geteuid());
        }
        case RequestPeers::kAny:
            return true;
    }
    return false;
}

void RequestServer::accept_connection() {
    auto socket = accept_unix(socket_.get());
    if (!socket || !socket->valid()) {
        return;
    }
    if (!may_ask(socket->get()) || connections_.size() >= kMaxConnections) {
        log_warning(terms_.name + ": a connection was refused");
        return;
    }
    const int fd = socket->get();
    loop_.add(fd, POLLIN, [this, fd](short events) { on_ready(fd, events); });
    connections_[fd] = Connection{std::move(*socket), {}, {}, Clock::now() + kDeadline};
}

void RequestServer::on_ready(int fd, short events) {
    const auto found = connections_.find(fd);
    if (found == connections_.end()) {
        return;
    }
    Connection& connection = found->second;
    const bool done =
        (events & POLLOUT) != 0 ? write_answer(connection) : read_request(fd, connection);
    if (done) {
        drop(fd);
    }
}

bool RequestServer::read_request(int fd, Connection& connection) {
    auto received = receive_with_fds(connection.socket.get(), terms_.request_limit);
    if (!received || received->status == ReceiveStatus::kEnd) {
        return true;
    }
    connection.in += received->bytes;
    const auto end = connection.in.find(terms_.end);
    if (end == std::string::npos) {
        return connection.in.size() > terms_.request_limit;
    }
    connection.out = respond_(connection.in.substr(0, end));
    if (write_answer(connection)) {
        return true;
    }
    loop_.remove(fd);
    loop_.add(fd, POLLOUT, [this, fd](short events) { on_ready(fd, events); });
    return false;
}

bool RequestServer::write_answer(Connection& connection) {
    auto sent = send_some(connection.socket.get(), connection.out);
    if (!sent) {
        return true;
    }
    connection.out.erase(0, *sent);
    return connection.out.empty();
}

void RequestServer::drop(int fd) {
    loop_.remove(fd);
    connections_.erase(fd);
}

std::optional<RequestServer::Clock::time_point> RequestServer::next_deadline() const {
    std::optional<Clock::time_point> next;
    for (const auto& [fd, connection] : connections_) {
        next = earliest({next, connection.deadline});
    }
    return next;
}

void RequestServer::on_deadline(Clock::time_point now) {
    std::vector<int> late;
    for (const auto& [fd, connection] : connections_) {
        if (connection.deadline <= now) {
            late.push_back(fd);
        }
    }
    for (const int fd : late) {
        drop(fd);
    }
}

}  // namespace execseal
