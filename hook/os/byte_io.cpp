#include "hook/os/byte_io.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

namespace execseal {
namespace {

constexpr std::size_t kLineLimit = 4096;

}  // namespace

Result<PipeEnds> make_pipe() {
    int ends[2] = {-1, -1};
    if (::pipe2(&ends[0], O_CLOEXEC) != 0) {
        return Error{errno, "pipe2"};
    }
    return PipeEnds{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

Result<UniqueFd> memfd_with(const char* name, const std::string& text) {
    UniqueFd fd(::memfd_create(name, MFD_CLOEXEC));
    if (!fd.valid()) {
        return Error{errno, "memfd_create"};
    }
    if (auto written = write_all(fd.get(), text); !written) {
        return written.error();
    }
    if (::lseek(fd.get(), 0, SEEK_SET) != 0) {
        return Error{errno, "lseek"};
    }
    return fd;
}

Result<std::string> read_all(int fd, std::size_t limit) {
    std::string text;
    std::string buffer(65536, '\0');  // not on a stack that may have no room for it
    for (;;) {
        const ssize_t count = ::read(fd, buffer.data(), buffer.size());
        if (count < 0) {
            if (errno == EINTR) {
                continue;
            }
            return Error{errno, "read"};
        }
        if (count == 0) {
            return text;
        }
        if (text.size() + static_cast<std::size_t>(count) > limit) {
            return make_error("expected at most " + std::to_string(limit) + " bytes");
        }
        text.append(buffer, 0, static_cast<std::size_t>(count));
    }
}

Result<std::string> read_line(int fd, std::chrono::steady_clock::time_point deadline) {
    std::string line;
    while (line.find('\n') == std::string::npos && line.size() < kLineLimit) {
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
                              deadline - std::chrono::steady_clock::now())
                              .count();
        pollfd wait{fd, POLLIN, 0};
        const int ready = ::poll(&wait, 1, left > 0 ? static_cast<int>(left) : 0);
        if (ready == 0) {
            return Error{ETIMEDOUT, "waiting for a line"};
        }
        if (ready < 0) {
            if (errno == EINTR) {
                continue;
            }
            return Error{errno, "poll"};
        }
        char buffer[512];
        const ssize_t count = ::read(fd, &buffer[0], sizeof buffer);
        if (count < 0 && errno != EINTR) {
            return Error{errno, "read"};
        }
        if (count == 0) {
            return line.empty() ? Result<std::string>(make_error("the stream ended")) : line;
        }
        if (count > 0) {
            line.append(&buffer[0], static_cast<std::size_t>(count));
        }
    }
    return line.substr(0, line.find('\n'));
}

Result<UniqueFd> open_for_write(const std::string& path) {
    UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    if (!fd.valid()) {
        return Error{errno, "open " + path};
    }
    return fd;
}

Result<UniqueFd> open_for_append(const std::string& path) {
    UniqueFd fd(::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640));
    if (!fd.valid()) {
        return Error{errno, "open " + path};
    }
    return fd;
}

Result<> write_all(int fd, const std::string& text) {
    std::size_t done = 0;
    while (done < text.size()) {
        const ssize_t count = ::write(fd, text.data() + done, text.size() - done);
        if (count < 0) {
            if (errno == EINTR) {
                continue;
            }
            return Error{errno, "write"};
        }
        done += static_cast<std::size_t>(count);
    }
    return Ok{};
}

Result<AppendFile> AppendFile::open(const std::string& path) {
    AppendFile file;
    file.path_ = path;
    std::error_code code;
    const auto directory = std::filesystem::path(path).parent_path();
    if (std::filesystem::create_directories(directory, code) && !code) {
        std::filesystem::permissions(directory, std::filesystem::perms(0750), code);
    }
    if (auto opened = file.reopen_if_rotated(); !opened) {
        return opened.error();
    }
    return file;
}

Result<> AppendFile::append(const std::string& line) {
    const auto size = reopen_if_rotated();
    if (!size) {
        return size.error();
    }
    const std::string mended = is_torn(*size) ? "\n" + line : std::string();
    const std::string& text = mended.empty() ? line : mended;
    const ssize_t count = ::write(file_.get(), text.data(), text.size());
    if (count != static_cast<ssize_t>(text.size())) {
        const int error = count < 0 ? errno : ENOSPC;
        take_back(count);
        return Error{error, "write " + path_};
    }
    return Ok{};
}

bool AppendFile::is_torn(off_t size) const {
    char last = '\n';
    return size > 0 && ::pread(file_.get(), &last, 1, size - 1) == 1 && last != '\n';
}

// O_APPEND leaves the offset behind what was written.
void AppendFile::take_back(ssize_t written) const {
    struct stat now {};
    const off_t end = ::lseek(file_.get(), 0, SEEK_CUR);
    if (written > 0 && end >= written && ::fstat(file_.get(), &now) == 0 && S_ISREG(now.st_mode) &&
        now.st_size == end) {
        (void)!::ftruncate(file_.get(), end - written);  // else the next writer ends the line
    }
}

Result<off_t> AppendFile::reopen_if_rotated() {
    struct stat named {};
    const bool exists = ::stat(path_.c_str(), &named) == 0;
    if (file_.valid() && exists && named.st_dev == device_ && named.st_ino == inode_) {
        return named.st_size;
    }
    constexpr int kFlags = O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY;
    UniqueFd fd(::open(path_.c_str(), O_RDWR | kFlags, 0640));
    if (!fd.valid() && errno == EACCES) {
        fd.reset(::open(path_.c_str(), O_WRONLY | kFlags, 0640));
    }
    struct stat opened {};
    if (!fd.valid() || ::fstat(fd.get(), &opened) != 0) {
        return Error{errno, "open " + path_};
    }
    file_ = std::move(fd);
    device_ = opened.st_dev;
    inode_ = opened.st_ino;
    return opened.st_size;
}

}  // namespace execseal
