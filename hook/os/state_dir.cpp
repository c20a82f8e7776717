#include "hook/os/state_dir.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <filesystem>

namespace execseal {
namespace {

std::string lock_path(const std::string& directory) {
    return directory + std::string(kLockFile);
}

}  // namespace

Result<UniqueFd> occupy_state_dir(const std::string& directory) {
    std::error_code code;
    std::filesystem::create_directories(std::filesystem::path(directory).parent_path(), code);
    if (code) {
        return Error{code.value(),
                     "mkdir " + std::filesystem::path(directory).parent_path().string()};
    }
    if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) {
        return Error{errno, "mkdir " + directory};
    }
    UniqueFd lock(
        ::open(lock_path(directory).c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!lock.valid()) {
        return Error{errno, "open " + lock_path(directory)};
    }
    if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
        return Error{errno, "lock " + lock_path(directory)};
    }
    return lock;
}

Result<bool> state_dir_is_occupied(const std::string& directory) {
    const UniqueFd lock(::open(lock_path(directory).c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
    if (!lock.valid()) {
        if (errno == ENOENT || errno == ENOTDIR) {
            return false;
        }
        return Error{errno, "open " + lock_path(directory)};
    }
    if (::flock(lock.get(), LOCK_SH | LOCK_NB) == 0) {
        return false;
    }
    if (errno == EWOULDBLOCK) {
        return true;
    }
    return Error{errno, "lock " + lock_path(directory)};
}

Result<> wait_until_state_dir_is_free(const std::string& directory,
                                      std::chrono::steady_clock::time_point deadline) {
    // The holder removes the directory as its last act, which the watch on the lock file reports.
    const UniqueFd watch(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    if (!watch.valid()) {
        return Error{errno, "inotify_init1"};
    }
    (void)::inotify_add_watch(watch.get(), lock_path(directory).c_str(),
                              IN_DELETE_SELF | IN_ATTRIB | IN_CLOSE);
    for (;;) {
        auto occupied = state_dir_is_occupied(directory);
        if (!occupied) {
            return occupied.error();
        }
        if (!*occupied) {
            return Ok{};
        }
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
                              deadline - std::chrono::steady_clock::now())
                              .count();
        if (left <= 0) {
            return Error{ETIMEDOUT, "waiting for the holder of " + directory};
        }
        pollfd wait{watch.get(), POLLIN, 0};
        (void)::poll(&wait, 1, static_cast<int>(left));
        char events[1024];
        while (::read(watch.get(), &events[0], sizeof events) > 0) {
        }
    }
}

Result<std::vector<std::string>> list_state_dirs(const std::string& run_dir) {
    std::error_code failed;
    std::vector<std::string> directories;
    for (std::filesystem::directory_iterator entry(run_dir, failed), end; !failed && entry != end;
         entry.increment(failed)) {
        std::error_code gone;
        if (entry->path().filename() != kAgentStateDir && entry->is_directory(gone)) {
            directories.push_back(entry->path());
        }
    }
    if (failed && failed != std::errc::no_such_file_or_directory) {
        return Error{failed.value(), run_dir};
    }
    std::sort(directories.begin(), directories.end());
    return directories;
}

Result<> keep_first_process(const std::string& directory, const FirstProcess& first) {
    const std::string path = directory + std::string(kFirstFile);
    const std::string text = std::to_string(first.process) + "-" + std::to_string(first.birth);
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) {
        return Error{errno, "unlink " + path};
    }
    if (::symlink(text.c_str(), path.c_str()) != 0) {
        return Error{errno, "symlink " + path};
    }
    return Ok{};
}

std::optional<FirstProcess> first_process(const std::string& directory) {
    std::array<char, 64> text{};
    const ssize_t size =
        ::readlink((directory + std::string(kFirstFile)).c_str(), text.data(), text.size());
    if (size <= 0) {
        return std::nullopt;
    }
    FirstProcess first;
    const char* const end = text.data() + size;
    const auto [dash, bad] = std::from_chars(text.data(), end, first.process);
    if (bad != std::errc{} || dash == end || *dash != '-') {
        return std::nullopt;
    }
    const auto [rest, worse] = std::from_chars(dash + 1, end, first.birth);
    return worse == std::errc{} && rest == end && first.birth != 0 ? std::optional(first)
                                                                   : std::nullopt;
}

Result<> keep_served_mark(const std::string& directory) {
    const std::string path = directory + std::string(kServedFile);
    const UniqueFd mark(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!mark.valid()) {
        return Error{errno, "open " + path};
    }
    return Ok{};
}

bool take_served_mark(const std::string& directory) {
    return ::unlink((directory + std::string(kServedFile)).c_str()) == 0;
}

Result<> remove_state_dir(const std::string& directory) {
    for (const std::string_view name :
         {kListenerFile, kControlFile, kStartFile, kFirstFile, kServedFile, kLockFile}) {
        const std::string path = directory + std::string(name);
        if (::unlink(path.c_str()) != 0 && errno != ENOENT && errno != ENOTDIR) {
            return Error{errno, "unlink " + path};
        }
    }
    if (::rmdir(directory.c_str()) != 0 && errno != ENOENT) {
        return Error{errno, "rmdir " + directory};
    }
    return Ok{};
}

}  // namespace execseal
