// TaskLister: what the freeze and the task table ask for the tasks of a domain.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "hook/os/ids.h"
#include "hook/os/result.h"

namespace execseal {

struct ListedTask {
    Tid tid;
    Tgid process;  // 0: the lister does not know
};

class TaskLister {
  public:
    // How many tasks of this process the caller knows already: a process that has just as many
    // may be left out.
    using Known = std::function<std::size_t(Tgid)>;

    virtual ~TaskLister() = default;
    // Appends all tasks of the domain, in our PID namespace. Tasks that end meanwhile may be in it
    // or not.
    virtual Result<> list(const Known& known, std::vector<ListedTask>& tasks) = 0;
    // For people: what the domain is ("PID namespace of 4711", "cgroup /x of 4711").
    [[nodiscard]] virtual std::string name() const = 0;
};

}  // namespace execseal
