// RequestServer: one request in, one answer out, then the connection closes; under `Control` and
// the agent's metrics.
//
// Bounded in size, connections and time; never blocks the loop.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "hook/os/event_loop.h"
#include "hook/os/result.h"
#include "hook/os/unique_fd.h"

namespace execseal {

enum class RequestPeers {
    kOwner,  // root, or this process's own user
    kAny,    // whoever can reach the socket
};

struct RequestTerms {
    std::string name;  // for the log
    std::string end;   // the bytes that end a request
    RequestPeers peers = RequestPeers::kOwner;
    std::size_t request_limit = 65536;
};

class RequestServer {
  public:
    using Clock = EventLoop::Clock;
    // Takes the request without its end.
    using Respond = std::function<std::string(const std::string& request)>;

    // `socket` listens, non-blocking. `loop` must outlive this.
    static std::unique_ptr<RequestServer> open(EventLoop& loop, UniqueFd socket, RequestTerms terms,
                                               Respond respond);
    ~RequestServer();
    RequestServer(const RequestServer&) = delete;
    RequestServer& operator=(const RequestServer&) = delete;
    RequestServer(RequestServer&&) = delete;
    RequestServer& operator=(RequestServer&&) = delete;

    [[nodiscard]] std::optional<Clock::time_point> next_deadline() const;
    void on_deadline(Clock::time_point now);

  private:
    struct Connection {
        UniqueFd socket;
        std::string in;
        std::string out;
        Clock::time_point deadline;
    };

    RequestServer(EventLoop& loop, UniqueFd socket, RequestTerms terms, Respond respond);

    void accept_connection();
    [[nodiscard]] bool may_ask(int socket) const;
    void on_ready(int fd, short events);
    // True when the connection is done with.
    bool read_request(int fd, Connection& connection);
    static bool write_answer(Connection& connection);
    void drop(int fd);

    EventLoop& loop_;
    UniqueFd socket_;
    RequestTerms terms_;
    Respond respond_;
    std::map<int, Connection> connections_;
};

}  // namespace execseal
