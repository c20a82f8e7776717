// ExecTree: who started what, from the events of containers.
//
// Takes events in their order, gives a tree of the programs that ran and of what was refused: below
// a program is what its process executed or tried next, and what its children did. Only execs are
// recorded: a process of which none is known stands as its number; where a process's parent died
// before, what it executes next hangs on the new parent. Pure; holds a line of text an exec.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "hook/cli/event.h"

namespace execseal {

enum class Colour { kNo, kYes };

class ExecTree {
  public:
    // The event's place; nullopt: it is no exec.
    std::optional<std::size_t> add(const Event& event);

    // All of it, a line each, cut to so many columns (0: as they are).
    [[nodiscard]] std::string text(std::size_t columns, Colour colour) const;
    // One place, as far to the right as it is deep.
    [[nodiscard]] std::string line(std::size_t place, std::size_t columns, Colour colour) const;

  private:
    struct Node {
        std::size_t depth = 0;  // 0: a container
        std::uint64_t ppid = 0;
        std::string verdict;  // empty: no exec
        std::string label;    // behind the verdict
        std::vector<std::size_t> children;
    };
    // Numbers of processes are those of the host, of one container each.
    using Process = std::pair<std::size_t, std::uint64_t>;

    std::size_t container_of(const Event& event);
    std::size_t parent_of(const Event& event, std::size_t container, std::uint64_t pid,
                          std::uint64_t ppid);
    std::size_t put(std::size_t parent, Node node);
    [[nodiscard]] std::string shown(std::size_t place, const std::string& before,
                                    std::size_t columns, Colour colour) const;

    std::vector<Node> nodes_;
    std::map<std::string, std::size_t> containers_;  // by id
    std::map<Process, std::size_t> running_;         // what each process executed last
};

}  // namespace execseal
