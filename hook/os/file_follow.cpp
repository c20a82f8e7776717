#include "hook/os/file_follow.h"

#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
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

Result<> FileFollow::read_backwards(const std::function<bool(std::string_view line)>& on_line) {
    if (auto skipped = skip_to_end(); !skipped || !file_.valid()) {
        return skipped;
    }
    off_t at = offset_;
    offset_ = 0;
    bool in_line = false;  // `text` begins a line: its newline was found
    std::string text;      // from `at` on
    std::size_t more = kChunk;
    while (at > 0) {
        const auto size = std::min(more, static_cast<std::size_t>(at));
        auto bytes = read_at(at - static_cast<off_t>(size), size);
        if (!bytes) {
            return bytes.error();
        }
        if (bytes->size() < size) {
            return Ok{};  // it was cut in this moment
        }
        at -= static_cast<off_t>(size);
        std::size_t from = size - 1;
        text.insert(0, *bytes);
        more *= 2;  // a long line is not copied for each chunk of it
        for (auto end = text.rfind('\n', from); end != std::string::npos;
             end = end == 0 ? std::string::npos : text.rfind('\n', end - 1)) {
            if (!in_line) {
                offset_ = at + static_cast<off_t>(end) + 1;
            } else if (!on_line(std::string_view(text).substr(end + 1))) {
                return Ok{};
            }
            in_line = true;
            text.resize(end);
            more = kChunk;
        }
    }
    if (in_line) {
        (void)on_line(text);
    }
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
    auto bytes = read_at(offset_, kChunk);
    if (bytes) {
        offset_ += static_cast<off_t>(bytes->size());
    }
    return bytes;
}

Result<std::string> FileFollow::read_at(off_t offset, std::size_t size) {
    std::string bytes(size, '\0');
    const ssize_t count = ::pread(file_.get(), bytes.data(), bytes.size(), offset);
    if (count < 0) {
        return Error{errno, "read " + path_};
    }
    bytes.resize(static_cast<std::size_t>(count));
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
