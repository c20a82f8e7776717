#include "hook/tasks/cgroup_lister.h"

#include <algorithm>
#include <charconv>
#include <filesystem>

#include "hook/os/file_read.h"

namespace execseal {
namespace {

constexpr std::size_t kFileLimit = std::size_t{64} << 20;

// Waits for nothing that a container can hold up: a reading takes css_set_lock for moments, in v1
// also the pidlist_mutex of the one group (cgroup_procs_start(), cgroup_pidlist_start()), a listing
// of the directory kernfs_rwsem. Who moves tasks between groups holds cgroup_mutex, which none of
// these takes.
Result<> append_processes(const std::string& file, std::vector<pid_t>& processes) {
    const Result<std::string> text = read_file(file, kFileLimit);
    if (!text) {
        // Removed meanwhile, or a threaded group's file, whose processes its domain's file names:
        // no processes here.
        const int error = text.error().code;
        return error == ENOENT || error == ENODEV || error == EOPNOTSUPP ? Result<>(Ok{})
                                                                         : text.error();
    }
    const char* next = text->data();
    const char* const end = next + text->size();
    while (next < end) {
        pid_t number = 0;
        const auto parsed = std::from_chars(next, end, number);
        if (parsed.ec == std::errc{} && number > 0) {
            processes.push_back(number);
        }
        next = parsed.ptr + 1;  // at the newline, or one character that is none of ours
    }
    return Ok{};
}

}  // namespace

Result<std::unique_ptr<CgroupLister>> CgroupLister::open(const Cgroup& cgroup) {
    Result<std::string> directory = cgroup.directory();
    if (!directory) {
        return directory.error();
    }
    Result<UniqueFd> proc = open_directory("/proc");
    if (!proc) {
        return proc.error();
    }
    return std::unique_ptr<CgroupLister>(new CgroupLister(
        std::move(directory).value(), std::move(proc).value(), "cgroup " + cgroup.path()));
}

Result<> CgroupLister::list_numbers(std::vector<pid_t>& numbers) {
    const std::size_t before = numbers.size();
    std::vector<std::string> directories{directory_};
    while (!directories.empty()) {
        const std::string directory = std::move(directories.back());
        directories.pop_back();
        if (Result<> listed = append_processes(directory + "/cgroup.procs", numbers); !listed) {
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
    // A process whose threads are in two v1 groups stands in both.
    const auto begin = numbers.begin() + static_cast<std::ptrdiff_t>(before);
    std::sort(begin, numbers.end());
    numbers.erase(std::unique(begin, numbers.end()), numbers.end());
    return Ok{};
}

std::optional<ListedTask> CgroupLister::find(pid_t number) const {
    return ListedTask{Tid{number}, Tgid{number}, number};
}

Result<std::size_t> CgroupLister::count_threads(const ListedTask& leader) {
    return execseal::count_threads(proc_.get(), leader.number);
}

Result<> CgroupLister::list_threads(const ListedTask& leader, std::vector<ListedTask>& tasks) {
    numbers_.clear();
    const std::string path = std::to_string(leader.number) + "/task";
    if (const Result<bool> listed = threads_.list(proc_.get(), path.c_str(), numbers_); !listed) {
        return listed.error();
    }
    for (const pid_t thread : numbers_) {
        tasks.push_back({Tid{thread}, leader.process, thread});
    }
    return Ok{};
}

}  // namespace execseal
