// Listener: the socket at listenerPath, where the runtime hands over one seccomp listener fd for
// the container's init and one for every later exec.
//
// Takes connections, gives {container process state, notify fd}. One connection never holds up
// another: crun's first one idles while hooks run, a failed create connects and closes with 0
// bytes, and runc run keeps its connection open after the message. A message that is wrong in any
// way costs its connection, said in one line; the runtime's process then gets ENOSYS from the
// kernel, since nobody holds its listener.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "hook/launch/oci_state.h"
#include "hook/os/event_loop.h"
#include "hook/os/result.h"
#include "hook/os/unique_fd.h"

namespace execseal {

class Listener {
  public:
    using Clock = EventLoop::Clock;
    using OnProcess = std::function<void(const ContainerProcessState& state, UniqueFd notify_fd)>;

    // `container_id`: messages for another container are refused. `loop` must outlive this.
    static Result<std::unique_ptr<Listener>> open(EventLoop& loop, const std::string& path,
                                                  std::string container_id, OnProcess on_process);
    // On a socket that listens already (non-blocking), for messages of any container.
    static std::unique_ptr<Listener> adopt(EventLoop& loop, UniqueFd socket, OnProcess on_process);
    ~Listener();
    Listener(const Listener&) = delete;
    Listener& operator=(const Listener&) = delete;
    Listener(Listener&&) = delete;
    Listener& operator=(Listener&&) = delete;

    // Connections that have not sent their message yet (crun under no_new_privs sends it only at
    // `start`).
    [[nodiscard]] std::size_t waiting_connections() const { return connections_.size(); }

    // A connection that has begun its message must end it in time.
    [[nodiscard]] std::optional<Clock::time_point> next_deadline() const;
    void on_deadline(Clock::time_point now);

  private:
    struct Connection {
        UniqueFd socket;
        std::string text;
        std::vector<UniqueFd> fds;
        JsonEnd end;
        std::optional<Clock::time_point> deadline;
    };

    Listener(EventLoop& loop, UniqueFd socket, std::optional<std::string> container_id,
             OnProcess on_process);
    static std::unique_ptr<Listener> watch(std::unique_ptr<Listener> listener);

    void accept_connections();
    void on_readable(int fd);
    // True when the connection has done its work or is beyond help.
    bool receive_some(Connection& connection);
    void deliver(Connection& connection);
    void drop(int fd);

    EventLoop& loop_;
    UniqueFd socket_;
    std::optional<std::string> container_id_;  // nullopt: any
    OnProcess on_process_;
    std::map<int, Connection> connections_;
};

}  // namespace execseal
