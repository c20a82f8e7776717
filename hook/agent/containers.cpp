#include "hook/agent/containers.h"

#include <poll.h>
#include <unistd.h>

#include <vector>

#include "hook/launch/launch.h"
#include "hook/os/deadline.h"
#include "hook/os/log.h"
#include "hook/os/pidfd.h"
#include "hook/os/state_dir.h"
#include "hook/os/unix_socket.h"

namespace execseal {
namespace {

// A supervisor that was started for a listener gets it at once, or never.
constexpr std::chrono::seconds kArrival{10};

// A container whose supervisors die faster than this, each before it has served anybody, is given
// up: a call in flight may be what kills them. Where they have served somebody, a successor waits
// for a little: what kills them costs the node no more than so many starts.
constexpr std::size_t kDeaths = 3;
constexpr std::chrono::seconds kDeathsWithin{60};
constexpr std::chrono::milliseconds kPause{250};

void add_death(std::deque<EventLoop::Clock::time_point>& deaths, EventLoop::Clock::time_point now) {
    while (!deaths.empty() && deaths.front() + kDeathsWithin < now) {
        deaths.pop_front();
    }
    deaths.push_back(now);
}

}  // namespace

Containers::Containers(EventLoop& loop, const Settings& settings, const ServiceManager& manager,
                       Procfs& procfs)
    : loop_(loop), settings_(settings), manager_(manager), procfs_(procfs) {}

Containers::~Containers() {
    for (const auto& [id, container] : containers_) {
        for (const auto& [fd, listener] : container.listeners) {
            loop_.remove(fd);
        }
        if (container.supervisor.valid()) {
            loop_.remove(container.supervisor.get());
        }
    }
}

TaskKey Containers::key_of(pid_t process) const {
    const auto stat = process > 0 ? procfs_.stat(Tid{process}) : std::optional<TaskStat>();
    return stat && *stat ? TaskKey{Tid{process}, (*stat)->birth} : TaskKey{};
}

Containers::Container& Containers::container_of(const StoredListener& stored) {
    auto [place, is_new] = containers_.try_emplace(stored.container_id);
    Container& container = place->second;
    if (is_new) {
        container.known = stored;
        container.message.fds = {"seccompFd"};
        container.message.metadata = stored.policy;
        container.message.state.id = stored.container_id;
        container.message.state.status = "running";
    }
    if (container.known.init == TaskKey{}) {
        container.known.init = stored.init;
    }
    return container;
}

void Containers::take(const ContainerProcessState& message, UniqueFd listener) {
    ++counters_.listeners;
    const std::string id = message.state.id;
    // crun says 0 for an exec, whose container is known by then.
    const pid_t init = message.state.pid > 0 ? message.state.pid : message.pid;
    const StoredListener known{id, message.metadata, key_of(init)};
    Container& container = container_of(known);
    if (forget_hung_up(container)) {
        container.known = known;  // a new life of it
        container.follow_at.reset();
    } else if (has_lost_supervisor(container)) {
        // The calls of the other listeners first: the one that comes now is no successor's.
        stop_watching(container);
        follow_now(container);
    }
    if (container.known.policy != message.metadata) {
        ++counters_.refused;
        log_error("container " + id + ": a profile with policy \"" + message.metadata +
                  "\", it is served with \"" + container.known.policy + "\"");
        return;
    }
    container.message = message;
    // Where the others wait still, what is started for this one is a successor.
    const First first = container.follow_at ? First::kNo : First::kYes;
    if (auto served = serve(container, listener.get(), first); !served) {
        ++counters_.refused;
        log_error("container " + id + " is refused its listener: " + served.error().text());
    } else {
        keep(container, std::move(listener));
    }
    erase_if_over(id);
}

void Containers::adopt(const StoredListener& stored, UniqueFd listener) {
    keep(container_of(stored), std::move(listener));
}

void Containers::serve_adopted() {
    std::vector<std::string> ids;
    for (const auto& [id, container] : containers_) {
        ids.push_back(id);
    }
    for (const std::string& id : ids) {
        find_supervisor(containers_.at(id));
        erase_if_over(id);
    }
}

void Containers::find_supervisor(Container& container) {
    const auto place = place_profile(container.known.container_id, settings_);
    const auto occupied = place ? state_dir_is_occupied(place->container_dir) : place.error();
    if (!occupied) {
        give_up(container, occupied.error());
        return;
    }
    if (!*occupied) {
        follow(container);
        return;
    }
    if (const auto socket =
            connect_unix(place->listener_path, settings_.deadlines.supervisor_start)) {
        watch_listener_of(container, *socket);
        return;
    }
    // It is dying just now: its socket is closed already, its lock is not.
    const auto deadline = Clock::now() + settings_.deadlines.supervisor_start;
    if (auto freed = wait_until_state_dir_is_free(place->container_dir, deadline); !freed) {
        give_up(container, freed.error());
        return;
    }
    follow(container);
}

Result<> Containers::serve(Container& container, int listener, First first) {
    const auto place = place_profile(container.known.container_id, settings_);
    if (!place) {
        return place.error();
    }
    const auto occupied = state_dir_is_occupied(place->container_dir);
    if (!occupied) {
        return occupied.error();
    }
    if (*occupied) {
        if (auto handed = hand_on(container, place->listener_path, listener)) {
            return Ok{};
        }
        // It was ending, or is dead by now.
    }
    if (auto launched = launch(container, first); !launched) {
        return launched;
    }
    return hand_on(container, place->listener_path, listener);
}

Result<> Containers::launch(Container& container, First first) {
    const OciState& state = container.message.state;
    const auto plan = plan_profile(
        {state.id, container.known.policy, state.bundle, state.annotations}, settings_);
    if (!plan) {
        return plan.error();
    }
    LaunchTerms terms;
    terms.creator = ::getpid();
    terms.arrival = kArrival;
    terms.cgroup = settings_.agent.supervisors_cgroup;
    if (first == First::kNo) {
        const TaskKey init = container.known.init;
        if (init == TaskKey{} || key_of(init.tid.value) != init) {
            return make_error(
                "its first process is not known, so that calls in flight could not "
                "be restarted");
        }
        terms.recover_from = init.tid.value;
    }
    if (auto launched = launch_supervisor(*plan, settings_, terms); !launched) {
        return launched;
    }
    // The one before it is no longer of interest.
    stop_watching(container);
    return Ok{};
}

Result<> Containers::hand_on(Container& container, const std::string& listener_path, int listener) {
    const auto socket = connect_unix(listener_path, settings_.deadlines.supervisor_start);
    if (!socket) {
        return socket.error();
    }
    if (auto sent = send_with_fds(socket->get(), container_process_state_text(container.message),
                                  {listener});
        !sent) {
        return sent;
    }
    watch_listener_of(container, *socket);
    return Ok{};
}

// The credentials are those of the process that listens (unix(7), SO_PEERCRED).
void Containers::watch_listener_of(Container& container, const UniqueFd& socket) {
    if (container.supervisor.valid()) {
        return;
    }
    const auto peer = peer_credentials(socket.get());
    auto pidfd = peer ? open_pidfd(peer->pid) : peer.error();
    if (!pidfd) {
        log_warning("the supervisor of container " + container.known.container_id + ": " +
                    pidfd.error().text());
        return;
    }
    watch_supervisor(container, std::move(*pidfd));
}

void Containers::watch_supervisor(Container& container, UniqueFd pidfd) {
    const std::string id = container.known.container_id;
    loop_.add(pidfd.get(), POLLIN, [this, id](short) { on_supervisor_end(id); });
    container.supervisor = std::move(pidfd);
}

void Containers::stop_watching(Container& container) {
    if (container.supervisor.valid()) {
        loop_.remove(container.supervisor.get());
        container.supervisor.reset();
    }
}

void Containers::on_supervisor_end(const std::string& id) {
    Container& container = containers_.at(id);
    stop_watching(container);
    if (!forget_hung_up(container)) {
        follow(container);
    }
    erase_if_over(id);
}

void Containers::follow(Container& container) {
    const std::string& id = container.known.container_id;
    if (forget_hung_up(container)) {
        return;
    }
    const auto now = Clock::now();
    const auto place = place_profile(id, settings_);
    if (place && take_served_mark(place->container_dir)) {
        container.fruitless.clear();
    }
    add_death(container.deaths, now);
    add_death(container.fruitless, now);
    if (container.fruitless.size() > kDeaths) {
        give_up(container,
                make_error("its supervisors keep dying, each before it has served anybody"));
        return;
    }
    if (container.deaths.size() > kDeaths) {
        container.follow_at = now + kPause;
        return;
    }
    follow_now(container);
}

bool Containers::has_lost_supervisor(const Container& container) {
    return container.follow_at ||
           (container.supervisor.valid() && has_ended(container.supervisor.get()));
}

void Containers::follow_now(Container& container) {
    const std::string& id = container.known.container_id;
    container.follow_at.reset();
    if (forget_hung_up(container)) {
        return;
    }
    log_warning("container " + id + " has lost its supervisor, it gets another one");
    container.message.resumed = true;
    for (const auto& [fd, listener] : container.listeners) {
        const auto served = serve(container, fd, First::kNo);
        if (served) {
            continue;
        }
        // It may have died meanwhile.
        const auto now = Clock::now();
        add_death(container.fruitless, now);
        if (container.fruitless.size() > kDeaths) {
            give_up(container, served.error());
        } else {
            log_warning("container " + id + ": " + served.error().text());
            container.follow_at = now + kPause;
        }
        return;
    }
    ++counters_.restarts;
}

std::optional<Containers::Clock::time_point> Containers::next_deadline() const {
    std::optional<Clock::time_point> next;
    for (const auto& [id, container] : containers_) {
        next = earliest({next, container.follow_at});
    }
    return next;
}

void Containers::on_deadline(Clock::time_point now) {
    std::vector<std::string> due;
    for (const auto& [id, container] : containers_) {
        if (container.follow_at && *container.follow_at <= now) {
            due.push_back(id);
        }
    }
    for (const std::string& id : due) {
        follow_now(containers_.at(id));
        erase_if_over(id);
    }
}

void Containers::keep(Container& container, UniqueFd listener) {
    const std::string id = container.known.container_id;
    const int fd = listener.get();
    if (const auto name = name_of_stored(container.known)) {
        if (auto stored = manager_.store(fd, *name); !stored) {
            log_warning("container " + id + ": " + stored.error().text());
        }
    }
    // Hang-ups are reported whatever is asked for; notifications are the supervisor's.
    loop_.add(fd, 0, [this, id](short) {
        forget_hung_up(containers_.at(id));
        erase_if_over(id);
    });
    container.listeners.emplace(fd, std::move(listener));
}

bool Containers::forget_hung_up(Container& container) {
    for (auto place = container.listeners.begin(); place != container.listeners.end();) {
        if (has_hung_up(place->first)) {
            loop_.remove(place->first);
            place = container.listeners.erase(place);
        } else {
            ++place;
        }
    }
    return container.listeners.empty();
}

void Containers::give_up(Container& container, const Error& why) {
    ++counters_.refused;
    log_error("container " + container.known.container_id +
              " is given up, its execs and forks fail from now on: " + why.text());
    for (const auto& [fd, listener] : container.listeners) {
        loop_.remove(fd);
    }
    container.listeners.clear();
    // A listener that is open anywhere would let the container's calls wait for ever.
    if (const auto name = name_of_stored(container.known)) {
        if (auto removed = manager_.forget(*name); !removed) {
            log_warning("container " + container.known.container_id + ": " +
                        removed.error().text());
        }
    }
}

// A supervisor that is ending still holds its directory: the next listener would go to it.
void Containers::erase_if_over(const std::string& id) {
    const auto place = containers_.find(id);
    if (place != containers_.end() && place->second.listeners.empty() &&
        !place->second.supervisor.valid()) {
        containers_.erase(place);
    }
}

}  // namespace execseal
