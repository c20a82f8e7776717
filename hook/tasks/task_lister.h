// TaskLister: what the freeze and the task table ask for the tasks of a domain.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "hook/os/ids.h"
#include "hook/os/result.h"

namespace execseal {

struct ListedTask {
    Tid tid;
    Tgid process;      // 0: the lister does not know
    pid_t number = 0;  // where the lister finds it again
};

class TaskLister {
  public:
    virtual ~TaskLister() = default;
    // Appends where the domain's tasks are found: the first thread of each process where threads
    // can be counted, all tasks else. Those that begin or end meanwhile may be in it or not.
    virtual Result<> list_numbers(std::vector<pid_t>& numbers) = 0;
    // Who has a listed number now, in our PID namespace; nullopt: nobody any more.
    [[nodiscard]] virtual std::optional<ListedTask> find(pid_t number) const = 0;
    // Both together; who is gone by then is left out.
    Result<> list(std::vector<ListedTask>& tasks);
    // How many threads the process of a listed task has (a leader that has ended before its threads
    // is one of them); 0: it is gone, or list() has told all.
    virtual Result<std::size_t> count_threads(const ListedTask& leader) = 0;
    virtual Result<> list_threads(const ListedTask& leader, std::vector<ListedTask>& tasks) = 0;
    // What the domain's own tasks call it; nullopt: it is gone, or not one of them.
    [[nodiscard]] virtual std::optional<pid_t> number_of(Tid tid) const { return tid.value; }
    // The container shares our PID namespace, so its cgroup is the domain: what leaves the cgroup
    // or comes into it from outside is told apart by it alone.
    [[nodiscard]] virtual bool is_cgroup() const { return false; }
    // For people: what the domain is ("PID namespace of 4711", "cgroup /x of 4711").
    [[nodiscard]] virtual std::string name() const = 0;
};

}  // namespace execseal
