// Strays: tasks of the container that do not have its seccomp filter, so that the gate never hears
// of their execs.
//
// There are none but by an attack: a process of the container that may ptrace takes the runtime's
// joining process (`runc exec`) before that has its filter and makes it fork or execute. Takes the
// domain; tells who of its PID namespace *and* surely in its cgroup (an administrator's nsenter and
// the containers of others are in one of them at most) has fewer filters than a session's first
// process, at two looks in a row. Left alone is the runtime's own process while it joins: its
// parent is outside and it executes the runtime's program, compared byte by byte in an expendable
// process, since the file may be on a file system of the container. A child that a joining process
// has when it first notifies is a stray wherever it is: the runtime's has none. Whatever cannot be
// told is left alone, too. One thread. Never blocks. Kills nobody; kill_stray() does.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "hook/os/expendable.h"
#include "hook/os/path_calls.h"
#include "hook/os/procfs.h"
#include "hook/tasks/domain.h"

namespace execseal {

// kLeft: in a mode that only watches; each is told of once.
enum class StrayFate { kKilled, kLeft };

struct Stray {
    Tgid process;
    std::uint64_t birth = 0;
    bool is_new = true;  // false: told of before, and not ended since
    int filters = 0;
    pid_t number = 0;  // in the domain; 0: it is gone
    Tgid parent;
    std::string exe;  // bytes of the link
    std::string reason;
};

class Strays {
  public:
    using Clock = std::chrono::steady_clock;

    Strays(Procfs& procfs, StrayFate fate) : procfs_(procfs), fate_(fate) {}
    Strays(const Strays&) = delete;
    Strays& operator=(const Strays&) = delete;
    Strays(Strays&&) = delete;
    Strays& operator=(Strays&&) = delete;
    ~Strays() = default;

    // At the first notification of a session, before its answer: `first` has the container's
    // filters and still executes the runtime's program. `started`: it is any task of a session that
    // a predecessor has served.
    void join(Tid first, bool started);
    // A process that a listing came upon: look() is due if it has fewer filters.
    void meet(Tgid process, Clock::time_point now);

    // Costs a listing and a read a process. Nothing before the first join().
    Result<std::vector<Stray>> look(Domain& domain, Clock::time_point now);
    [[nodiscard]] std::optional<Clock::time_point> next_due() const;
    void set_fate(StrayFate fate) { fate_ = fate; }
    [[nodiscard]] StrayFate fate() const { return fate_; }
    [[nodiscard]] std::uint64_t looks() const { return looks_; }

  private:
    struct Suspect {
        ListedTask task;
        TaskStatus status;
    };
    // A process whose parent is outside of the domain.
    struct Joiner {
        std::uint64_t birth = 0;
        FileId program;
        bool is_runtime = false;  // the program is the runtime's, or has been when it was compared
        std::optional<Expendable> comparison;
        Clock::time_point deadline;  // of the comparison
    };

    [[nodiscard]] bool lacks_filter(const TaskStatus& status) const;
    // Why it is a stray; empty: it may be joining.
    std::string judge(const Suspect& suspect, const Domain& domain, Clock::time_point now);
    bool executes_runtime(const Suspect& suspect, Clock::time_point now);
    // Of a joining process, those without its filter.
    void take_children(Tgid joining);
    void add_born(std::vector<Stray>& strays, const Domain& domain);
    void add(std::vector<Stray>& strays, const Suspect& suspect, const Domain& domain,
             std::string reason);
    // Counts a look at which it was a stray.
    bool is_seen_again(const Suspect& suspect);

    Procfs& procfs_;
    StrayFate fate_;
    std::unordered_set<Tgid> told_;
    std::optional<int> filters_;  // the fewest that a session's first process had
    UniqueFd runtime_;            // its program, as a name only
    std::map<Tgid, Joiner> joiners_;
    std::map<Tgid, std::uint64_t> seen_;  // at the last look; their births
    std::map<Tgid, std::uint64_t> born_;  // of joining processes; their births
    std::optional<Clock::time_point> due_;
    std::uint64_t looks_ = 0;
};

// False: it has ended, or it is not the one that was found any more.
bool kill_stray(const Stray& stray, Procfs& procfs);

}  // namespace execseal
