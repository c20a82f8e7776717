#include "hook/tasks/cgroup.h"

#include <algorithm>
#include <sstream>

#include "hook/os/file_read.h"

namespace execseal {
namespace {

constexpr std::size_t kMountsLimit = std::size_t{64} << 20;
// A shorter id may be part of another group's name by chance.
constexpr std::size_t kTellingId = 12;

bool has_word(const std::string& list, const std::string& word) {
    return ("," + list + ",").find("," + word + ",") != std::string::npos;
}

// `path` is `group` or lies below it.
bool is_within(std::string_view path, std::string_view group) {
    return path.starts_with(group) && (path.size() == group.size() || path[group.size()] == '/');
}

// Up to the first component that is named after the container: a container may have moved its tasks
// to groups below (systemd, podman's "container"). "" where none is.
std::string named_part(const std::string& path, const std::string& id) {
    for (std::size_t start = 0; !id.empty() && start < path.size();) {
        const std::size_t end = std::min(path.find('/', start + 1), path.size());
        const std::string name = path.substr(start + 1, end - start - 1);
        if (name == id || (id.size() >= kTellingId && name.find(id) != std::string::npos)) {
            return path.substr(0, end);
        }
        start = end;
    }
    return "";
}

// Where a hierarchy is mounted whole, from proc_pid_mountinfo(5): "... ROOT MOUNTPOINT OPTIONS ...
// - TYPE SOURCE SUPEROPTIONS".
std::optional<std::string> mount_point(const std::string& mountinfo,
                                       const std::string& controllers) {
    std::istringstream lines(mountinfo);
    for (std::string line; std::getline(lines, line);) {
        std::istringstream fields(line);
        std::string skipped;
        std::string root;
        std::string point;
        fields >> skipped >> skipped >> skipped >> root >> point;
        const std::size_t dash = line.find(" - ");
        if (root != "/" || dash == std::string::npos) {
            continue;
        }
        std::istringstream rest(line.substr(dash + 3));
        std::string type;
        std::string source;
        std::string options;
        rest >> type >> source >> options;
        if (controllers.empty()
                ? type == "cgroup2"
                : type == "cgroup" &&
                      has_word(options, controllers.substr(0, controllers.find(',')))) {
            return point;
        }
    }
    return std::nullopt;
}

const CgroupPath* find(const std::vector<CgroupPath>& paths, const std::string& controllers) {
    const auto found = std::find_if(paths.begin(), paths.end(), [&](const CgroupPath& path) {
        return path.controllers == controllers;
    });
    return found == paths.end() ? nullptr : &*found;
}

}  // namespace

std::vector<CgroupPath> parse_cgroups(std::string_view text) {
    std::vector<CgroupPath> found;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        const std::string_view line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        const std::size_t first = line.find(':');
        const std::size_t second =
            first == std::string_view::npos ? first : line.find(':', first + 1);
        if (second != std::string_view::npos) {
            found.push_back({std::string(line.substr(first + 1, second - first - 1)),
                             std::string(line.substr(second + 1))});
        }
    }
    return found;
}

std::optional<Cgroup> Cgroup::choose(std::string_view member, std::string_view ours,
                                     const std::string& container_id) {
    const std::vector<CgroupPath> paths = parse_cgroups(member);
    const std::vector<CgroupPath> own = parse_cgroups(ours);
    std::optional<Cgroup> second_best;
    // v2 first, else the v1 hierarchies that runtimes always use.
    for (const char* wanted : {"", "pids", "memory", "devices", "name=systemd", "freezer", "cpu"}) {
        for (const CgroupPath& path : paths) {
            const bool matches =
                *wanted == '\0' ? path.controllers.empty() : has_word(path.controllers, wanted);
            if (!matches || path.path == "/" || path.path.empty()) {
                continue;
            }
            if (std::string named = named_part(path.path, container_id); !named.empty()) {
                return Cgroup(path.controllers, std::move(named));
            }
            const CgroupPath* here = find(own, path.controllers);
            if (!second_best && (here == nullptr || !is_within(here->path, path.path))) {
                second_best = Cgroup(path.controllers, path.path);
            }
        }
    }
    return second_best;
}

std::optional<Cgroup> Cgroup::of_cpu(std::string_view member, std::string_view ours,
                                     const std::string& container_id) {
    const std::vector<CgroupPath> paths = parse_cgroups(member);
    auto found = std::find_if(paths.begin(), paths.end(), [](const CgroupPath& path) {
        return has_word(path.controllers, "cpu");
    });
    if (found == paths.end()) {
        found = std::find_if(paths.begin(), paths.end(),
                             [](const CgroupPath& path) { return path.controllers.empty(); });
    }
    if (found == paths.end() || found->path.size() < 2 || found->path.starts_with("/..")) {
        return std::nullopt;
    }
    if (std::string named = named_part(found->path, container_id); !named.empty()) {
        return Cgroup(found->controllers, std::move(named));
    }
    const auto own = of_task(ours, found->controllers);
    return own && is_within(own->path(), found->path)
               ? std::nullopt
               : std::optional(Cgroup(found->controllers, found->path));
}

std::optional<Cgroup> Cgroup::of_task(std::string_view task, const std::string& controllers) {
    const std::vector<CgroupPath> paths = parse_cgroups(task);
    const CgroupPath* const found = find(paths, controllers);
    return found == nullptr || found->path.empty() || found->path.starts_with("/..")
               ? std::nullopt
               : std::optional(Cgroup(controllers, found->path));
}

Cgroup::Membership Cgroup::membership(std::string_view task) const {
    while (!task.empty()) {
        const std::size_t end = std::min(task.find('\n'), task.size());
        std::string_view line = task.substr(0, end);
        task.remove_prefix(std::min(end + 1, task.size()));
        line.remove_prefix(std::min(line.find(':'), line.size() - 1) + 1);
        if (line.starts_with(controllers_) && line.substr(controllers_.size()).starts_with(':')) {
            const std::string_view path = line.substr(controllers_.size() + 1);
            if (is_within(path, path_)) {
                return Membership::kInside;
            }
            return path == "/" && !controllers_.empty() ? Membership::kRootOrExiting
                                                        : Membership::kOutside;
        }
    }
    return Membership::kOutside;
}

Result<std::string> Cgroup::directory() const {
    const Result<std::string> mounts = read_file("/proc/self/mountinfo", kMountsLimit);
    if (!mounts) {
        return mounts.error();
    }
    const std::optional<std::string> point = mount_point(*mounts, controllers_);
    if (!point) {
        return make_error("/proc/self/mountinfo: the cgroup hierarchy '" + controllers_ +
                          "' is not mounted");
    }
    return *point + path_;
}

}  // namespace execseal
