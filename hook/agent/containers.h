// Containers: one supervisor process for each container whose profile names the agent's socket.
//
// Takes what the runtimes send: starts the container's supervisor with the first listener, hands
// the listener on to it, and keeps a duplicate of each until it hangs up. So a supervisor that dies
// is followed by another one, whose container's calls wait meanwhile instead of failing; under a
// service manager the duplicates also outlive the agent. Must never answer a notification itself: a
// listener that nobody can serve is closed, on which the kernel refuses (ENOSYS).
//
// Launching blocks for as long as a supervisor takes to start (bounded by supervisor_start); the
// supervisors that run are not held up by that.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>

#include "config/plan.h"
#include "config/settings.h"
#include "hook/agent/stored_listener.h"
#include "hook/launch/oci_state.h"
#include "hook/os/event_loop.h"
#include "hook/os/procfs.h"
#include "hook/os/service_manager.h"
#include "hook/os/unique_fd.h"

namespace execseal {

struct ContainersCounters {
    std::uint64_t listeners = 0;  // taken
    std::uint64_t refused = 0;    // closed, since no supervisor could be had
    std::uint64_t restarts = 0;   // supervisors that followed one that died
};

class Containers {
  public:
    // All outlive this.
    Containers(EventLoop& loop, const Settings& settings, const ServiceManager& manager,
               Procfs& procfs);
    ~Containers();
    Containers(const Containers&) = delete;
    Containers& operator=(const Containers&) = delete;
    Containers(Containers&&) = delete;
    Containers& operator=(Containers&&) = delete;

    // From a runtime.
    void take(const ContainerProcessState& message, UniqueFd listener);
    // From an earlier agent, through the service manager; serve_adopted() once all are there.
    void adopt(const StoredListener& stored, UniqueFd listener);
    void serve_adopted();

    // When a supervisor is to be started that had to wait.
    [[nodiscard]] std::optional<EventLoop::Clock::time_point> next_deadline() const;
    void on_deadline(EventLoop::Clock::time_point now);

    [[nodiscard]] std::size_t size() const { return containers_.size(); }
    [[nodiscard]] const ContainersCounters& counters() const { return counters_; }

  private:
    using Clock = EventLoop::Clock;
    enum class First { kNo, kYes };

    struct Container {
        StoredListener known;
        ContainerProcessState message;      // as the supervisor gets it
        std::map<int, UniqueFd> listeners;  // duplicates, by number
        UniqueFd supervisor;                // pidfd; invalid: not known
        // Of its supervisors, lately: of all, and in a row of those that have served nobody.
        std::deque<Clock::time_point> deaths;
        std::deque<Clock::time_point> fruitless;
        std::optional<Clock::time_point> follow_at;
    };

    Container& container_of(const StoredListener& stored);
    [[nodiscard]] TaskKey key_of(pid_t process) const;
    // Hands one listener to the supervisor, which is started if there is none.
    Result<> serve(Container& container, int listener, First first);
    Result<> hand_on(Container& container, const std::string& listener_path, int listener);
    Result<> launch(Container& container, First first);
    void watch_listener_of(Container& container, const UniqueFd& socket);
    void find_supervisor(Container& container);
    void watch_supervisor(Container& container, UniqueFd pidfd);
    void stop_watching(Container& container);
    void on_supervisor_end(const std::string& id);
    // Now, or after a pause.
    void follow(Container& container);
    void follow_now(Container& container);
    [[nodiscard]] static bool has_lost_supervisor(const Container& container);
    void keep(Container& container, UniqueFd listener);
    // True when nothing of the container is left.
    bool forget_hung_up(Container& container);
    void give_up(Container& container, const Error& why);
    void erase_if_over(const std::string& id);

    EventLoop& loop_;
    const Settings& settings_;
    const ServiceManager& manager_;
    Procfs& procfs_;
    std::map<std::string, Container> containers_;
    ContainersCounters counters_;
};

}  // namespace execseal
