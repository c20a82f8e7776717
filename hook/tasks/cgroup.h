// Cgroup: the control group that a runtime has made for a container, and who is in it.
//
// Takes the text of a task's /proc/TID/cgroup. On a hybrid node a task is in one group of each
// hierarchy; the container's own is that which the runtime has made for it: its name says the
// container's id, or it is at least not the group of who started the container.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hook/os/result.h"

namespace execseal {

// One line of a /proc/TID/cgroup, cgroups(7).
struct CgroupPath {
    std::string controllers;  // "" for v2
    std::string path;         // from the root that we see; "/../x" where it lies outside of that
};

std::vector<CgroupPath> parse_cgroups(std::string_view text);

class Cgroup {
  public:
    // kExiting: a v1 hierarchy tells the root group of a task that is ending (cgroup_exit(),
    // kernel/cgroup), as of one that is there.
    enum class Membership { kOutside, kInside, kRootOrExiting };

    // `member` and `ours` are the texts of a task of the container and of this process. nullopt:
    // the container has no group of its own.
    static std::optional<Cgroup> choose(std::string_view member, std::string_view ours,
                                        const std::string& container_id);

    // The container's own group in the hierarchy of the cpu controller, v1 or v2, up to the
    // component that is named after the container where there is one. nullopt: it has none, or it
    // lies outside of what we see.
    static std::optional<Cgroup> of_cpu(std::string_view member, std::string_view ours,
                                        const std::string& container_id);
    // Any task's group in a hierarchy. nullopt: it has none that we see.
    static std::optional<Cgroup> of_task(std::string_view task, const std::string& controllers);

    // Whether the task whose text this is belongs to the group or to one below it.
    [[nodiscard]] Membership membership(std::string_view task) const;
    [[nodiscard]] const std::string& controllers() const { return controllers_; }
    [[nodiscard]] const std::string& path() const { return path_; }
    // Where the group's directory is. An Error if its hierarchy is not mounted here.
    [[nodiscard]] Result<std::string> directory() const;

  private:
    Cgroup(std::string controllers, std::string path)
        : controllers_(std::move(controllers)), path_(std::move(path)) {}

    std::string controllers_;
    std::string path_;
};

}  // namespace execseal
