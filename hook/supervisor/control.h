// Control: the socket beside listenerPath where the hook, the shim and `execseal` ask the
// supervisor.
//
// One line of JSON in ({"command": NAME}), one line of JSON out, then the connection closes. Only
// root (or the supervisor's own user) gets an answer. Bounded in size, connections and time; never
// blocks the loop.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "hook/os/event_loop.h"
#include "hook/os/result.h"
#include "hook/os/unique_fd.h"

namespace execseal {

class Control {
  public:
    using Clock = EventLoop::Clock;
    // Answers a command; {"error": TEXT} for one it does not know.
    using OnCommand = std::function<nlohmann::ordered_json(const std::string& command)>;

    static Result<std::unique_ptr<Control>> open(EventLoop& loop, const std::string& path,
                                                 OnCommand on_command);
    ~Control();
    Control(const Control&) = delete;
    Control& operator=(const Control&) = delete;

    [[nodiscard]] std::optional<Clock::time_point> next_deadline() const;
    void on_deadline(Clock::time_point now);

  private:
    struct Connection {
        UniqueFd socket;
        std::string in;
        std::string out;
        Clock::time_point deadline;
    };

    Control(EventLoop& loop, UniqueFd socket, OnCommand on_command);

    void accept_connection();
    void on_ready(int fd, short events);
    // True when the connection is done with.
    bool read_question(int fd, Connection& connection);
    static bool write_answer(Connection& connection);
    void drop(int fd);

    EventLoop& loop_;
    UniqueFd socket_;
    OnCommand on_command_;
    std::map<int, Connection> connections_;
};

}  // namespace execseal
