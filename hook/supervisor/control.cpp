#include "hook/supervisor/control.h"

#include <poll.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <vector>

#include "hook/os/log.h"
#include "hook/os/unix_socket.h"

namespace execseal {
namespace {

constexpr std::size_t kQuestionLimit = 65536;
constexpr std::size_t kMaxConnections = 32;
constexpr std::chrono::seconds kDeadline{5};

}  // namespace

Result<std::unique_ptr<Control>> Control::open(EventLoop& loop, const std::string& path,
                                               OnCommand on_command) {
    auto socket = listen_unix(path);
    if (!socket) {
        return socket.error();
    }
    const int fd = socket->get();
    std::unique_ptr<Control> control(new Control(loop, std::move(*socket), std::move(on_command)));
    auto* raw = control.get();
    loop.add(fd, POLLIN, [raw](short) { raw->accept_connection(); });
    return control;
}

Control::Control(EventLoop& loop, UniqueFd socket, OnCommand on_command)
    : loop_(loop), socket_(std::move(socket)), on_command_(std::move(on_command)) {}

Control::~Control() {
    for (const auto& [fd, connection] : connections_) {
        loop_.remove(fd);
    }
    loop_.remove(socket_.get());
}

void Control::accept_connection() {
    auto socket = accept_unix(socket_.get());
    if (!socket || !socket->valid()) {
        return;
    }
    const auto peer = peer_credentials(socket->get());
    if (!peer || (peer->uid != 0 && peer->uid != ::geteuid()) ||
        connections_.size() >= kMaxConnections) {
        log_warning("control: a connection was refused");
        return;
    }
    const int fd = socket->get();
    loop_.add(fd, POLLIN, [this, fd](short events) { on_ready(fd, events); });
    connections_[fd] = Connection{std::move(*socket), {}, {}, Clock::now() + kDeadline};
}

void Control::on_ready(int fd, short events) {
    const auto found = connections_.find(fd);
    if (found == connections_.end()) {
        return;
    }
    Connection& connection = found->second;
    const bool done =
        (events & POLLOUT) != 0 ? write_answer(connection) : read_question(fd, connection);
    if (done) {
        drop(fd);
    }
}

bool Control::read_question(int fd, Connection& connection) {
    auto received = receive_with_fds(connection.socket.get(), kQuestionLimit);
    if (!received || received->status == ReceiveStatus::kEnd) {
        return true;
    }
    connection.in += received->bytes;
    const auto end = connection.in.find('\n');
    if (end == std::string::npos) {
        return connection.in.size() > kQuestionLimit;
    }
    const auto question =
        nlohmann::ordered_json::parse(connection.in.substr(0, end), nullptr, false);
    nlohmann::ordered_json answer{{"error", "expected {\"command\": NAME}"}};
    if (question.is_object() && question.contains("command") && question["command"].is_string()) {
        answer = on_command_(question["command"].get<std::string>());
    }
    connection.out =
        answer.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
    if (write_answer(connection)) {
        return true;
    }
    loop_.remove(fd);
    loop_.add(fd, POLLOUT, [this, fd](short events) { on_ready(fd, events); });
    return false;
}

bool Control::write_answer(Connection& connection) {
    auto sent = send_some(connection.socket.get(), connection.out);
    if (!sent) {
        return true;
    }
    connection.out.erase(0, *sent);
    return connection.out.empty();
}

void Control::drop(int fd) {
    loop_.remove(fd);
    connections_.erase(fd);
}

std::optional<Control::Clock::time_point> Control::next_deadline() const {
    std::optional<Clock::time_point> next;
    for (const auto& [fd, connection] : connections_) {
        if (!next || connection.deadline < *next) {
            next = connection.deadline;
        }
    }
    return next;
}

void Control::on_deadline(Clock::time_point now) {
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
