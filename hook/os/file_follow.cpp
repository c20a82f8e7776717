#include "hook/os/file_follow.h"

#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace execseal {
namespace {

constexpr std::size_t kChunk = 65536;

std::string directory_of(const std::string& path) {
    const auto slash = path.rfind('/');
    if (slash == std::string::npos) {
        return ".";
    }
    return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace

Result<FileFollow> FileFollow::open(const std::string& path) {
    UniqueFd watch(::inotify_init1(IN_CLOEXEC));
    if (!watch.valid()) {
        return Error{errno, "inotify_init1"};
    }
    // The directory, not the file: its watch also tells of writes to the files in it.
    const std::string directory = directory_of(path);
    if (::inotify_add_watch(watch.get(), directory.c_str(), IN_CREATE | IN_MODIFY | IN_MOVED_TO) <
        0) {
        return Error{errno, "watch " + directory};
    }
    return FileFollow(path, std::move(watch));
}

Result<> FileFollow::skip_to_end() {
    auto opened = reopen();
    if (!opened) {
        return opened.error();
    }
    struct stat now {};
    if (!file_.valid()) {
        return Ok{};
    }
    if (::fstat(file_.get(), &now) != 0) {
        return Error{errno, "stat " + path_};
    }
    offset_ = now.st_size;
    return Ok{};
}

Result<std::string> FileFollow::read_some() {
    if (file_.valid()) {
        auto bytes = read_chunk();
        if (!bytes || !bytes->empty()) {
            return bytes;
        }
    }
    auto changed = reopen();
    if (!changed) {
        return changed.error();
    }
    return *changed ? read_chunk() : std::string();
}

Result<std::string> FileFollow::read_chunk() {
    struct stat now {};
    if (::fstat(file_.get(), &now) != 0) {
        return Error{errno, "stat " + path_};
    }
    if (now.st_size < offset_) {
        offset_ = 0;
    }
    std::string bytes(kChunk, '\0');
    const ssize_t count = ::pread(file_.get(), bytes.data(), bytes.size(), offset_);
    if (count < 0) {
        return Error{errno, "read " + path_};
    }
    bytes.resize(static_cast<std::size_t>(count));
    offset_ += count;
    return bytes;
}

Result<bool> FileFollow::reopen() {
    struct stat named {};
    if (::stat(path_.c_str(), &named) != 0) {
        const int code = errno;
        return code == ENOENT ? Result<bool>(false) : Error{code, path_};
    }
    if (file_.valid() && named.st_dev == device_ && named.st_ino == inode_) {
        return false;
    }
    UniqueFd file(::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
    struct stat opened {};
    if (!file.valid() || ::fstat(file.get(), &opened) != 0) {
        const int code = errno;
        return code == ENOENT ? Result<bool>(false) : Error{code, "open " + path_};
    }
    if (!S_ISREG(opened.st_mode)) {
        return make_error(path_ + ": expected a regular file");
    }
    file_ = std::move(file);
    device_ = opened.st_dev;
    inode_ = opened.st_ino;
    offset_ = 0;
    return true;
}

Result<> FileFollow::wait() {
    std::array<char, 4096> events{};
    for (;;) {
        const ssize_t count = ::read(watch_.get(), events.data(), events.size());
        if (count > 0) {
            return Ok{};
        }
        if (count < 0 && errno != EINTR) {
            return Error{errno, "inotify"};
        }
    }
}

}  // namespace execseal
