#include <array>
#include <charconv>
#include <filesystem>
#include <optional>
#include <sstream>

#include "hook/os/byte_io.h"
#include "hook/os/file_read.h"
#include "hook/tasks/pidns_listing.h"

namespace execseal {
namespace {

constexpr std::size_t kFileLimit = std::size_t{64} << 20;

struct CgroupPath {
    std::string controllers;  // "" for v2
    std::string path;
};

// "ID:CONTROLLERS:PATH" a line, cgroups(7).
std::vector<CgroupPath> parse_cgroups(const std::string& text) {
    std::vector<CgroupPath> found;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        const std::size_t first = line.find(':');
        const std::size_t second = first == std::string::npos ? first : line.find(':', first + 1);
        if (second != std::string::npos) {
            found.push_back({line.substr(first + 1, second - first - 1), line.substr(second + 1)});
        }
    }
    return found;
}

bool has_word(const std::string& list, const std::string& word) {
    return ("," + list + ",").find("," + word + ",") != std::string::npos;
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

// v2 if the container has a group of its own there, else the v1 hierarchy that runtimes always use.
const CgroupPath* choose(const std::vector<CgroupPath>& paths) {
    for (const char* wanted : {"", "pids", "memory", "devices", "name=systemd", "freezer", "cpu"}) {
        for (const CgroupPath& path : paths) {
            const bool matches =
                *wanted == '\0' ? path.controllers.empty() : has_word(path.controllers, wanted);
            if (matches && path.path != "/" && !path.path.empty()) {
                return &path;
            }
        }
    }
    return nullptr;
}

Result<> append_tasks(const std::string& file, std::vector<pid_t>& tasks) {
    const Result<std::string> text = read_file(file, kFileLimit);
    if (!text) {
        // Removed meanwhile, or a threaded group's file that only its domain shows: no tasks here.
        return text.error().code == ENOENT || text.error().code == ENODEV ? Result<>(Ok{})
                                                                          : text.error();
    }
    const char* next = text->data();
    const char* const end = next + text->size();
    while (next < end) {
        pid_t number = 0;
        const auto parsed = std::from_chars(next, end, number);
        if (parsed.ec == std::errc{} && number > 0) {
            tasks.push_back(number);
        }
        next = parsed.ptr + 1;  // at the newline, or one character that is none of ours
    }
    return Ok{};
}

}  // namespace

Result<std::unique_ptr<CgroupLister>> CgroupLister::open(Tid member) {
    const std::string owner = "/proc/" + std::to_string(member.value) + "/cgroup";
    const Result<std::string> text = read_file(owner, kFileLimit);
    const Result<std::string> mounts = read_file("/proc/self/mountinfo", kFileLimit);
    if (!text || !mounts) {
        return text ? mounts.error() : text.error();
    }
    const std::vector<CgroupPath> paths = parse_cgroups(*text);
    const CgroupPath* path = choose(paths);
    if (path == nullptr) {
        return make_error(owner +
                          ": the container shares our PID namespace and has no cgroup of its own; "
                          "its tasks cannot be told from others");
    }
    const std::optional<std::string> point = mount_point(*mounts, path->controllers);
    if (!point) {
        return make_error("/proc/self/mountinfo: the cgroup hierarchy '" + path->controllers +
                          "' is not mounted");
    }
    return std::unique_ptr<CgroupLister>(new CgroupLister(
        *point + path->path, path->controllers.empty() ? "cgroup.threads" : "tasks",
        "cgroup " + path->path + " of " + std::to_string(member.value)));
}

Result<> CgroupLister::list_numbers(std::vector<pid_t>& numbers) {
    std::vector<std::string> directories{directory_};
    while (!directories.empty()) {
        const std::string directory = std::move(directories.back());
        directories.pop_back();
        if (Result<> listed = append_tasks(directory + "/" + file_, numbers); !listed) {
            return listed;
        }
        std::error_code error;
        for (std::filesystem::directory_iterator entry(directory, error), end;
             !error && entry != end; entry.increment(error)) {
            std::error_code ignored;  // removed meanwhile
            if (entry->is_directory(ignored) && !entry->is_symlink(ignored)) {
                directories.push_back(entry->path().string());
            }
        }
    }
    return Ok{};
}

std::optional<ListedTask> CgroupLister::find(pid_t number) const {
    return ListedTask{Tid{number}, Tgid{}, number};
}

Result<std::size_t> CgroupLister::count_threads(const ListedTask& /*leader*/) {
    return std::size_t{0};
}

Result<> CgroupLister::list_threads(const ListedTask& /*leader*/,
                                    std::vector<ListedTask>& /*tasks*/) {
    return Ok{};
}

}  // namespace execseal
