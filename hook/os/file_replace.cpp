#include "hook/os/file_replace.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "hook/os/byte_io.h"
#include "hook/os/scope_exit.h"
#include "hook/os/unique_fd.h"

namespace execseal {
namespace {

// The descriptor's file becomes like `wanted`; written before it is renamed into place.
Result<> fill(int fd, const std::string& text, const struct stat& wanted) {
    if (auto written = write_all(fd, text); !written) {
        return written;
    }
    // Owner first: fchown(2) clears the set-id bits of a mode set before it.
    if (::fchown(fd, wanted.st_uid, wanted.st_gid) != 0) {
        return Error{errno, "fchown"};
    }
    if (::fchmod(fd, wanted.st_mode & 07777) != 0) {
        return Error{errno, "fchmod"};
    }
    if (::fsync(fd) != 0) {
        return Error{errno, "fsync"};
    }
    return Ok{};
}

enum class Target { kMustNotExist, kMayExist };

Result<> write_by_rename(const std::string& path, const std::string& text,
                         const struct stat& wanted, Target target) {
    const std::string directory = path.substr(0, path.find_last_of('/') + 1);
    const UniqueFd directory_fd(
        ::open(directory.empty() ? "." : directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!directory_fd.valid()) {
        return Error{errno, directory};
    }
    const std::string temporary = path + ".execseal-" + std::to_string(::getpid());
    const UniqueFd fd(
        ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!fd.valid()) {
        return Error{errno, temporary};
    }
    ScopeExit undo{[&] { (void)::unlink(temporary.c_str()); }};
    if (auto filled = fill(fd.get(), text, wanted); !filled) {
        return add_context(temporary, filled.error());
    }
    const unsigned flags = target == Target::kMustNotExist ? RENAME_NOREPLACE : 0;
    if (::renameat2(AT_FDCWD, temporary.c_str(), AT_FDCWD, path.c_str(), flags) != 0) {
        return Error{errno, path + ": rename"};
    }
    undo.dismiss();
    // The rename itself is on disk only with its directory (fsync(2)). A failure leaves the new
    // file in place, which is what the caller wanted.
    (void)::fsync(directory_fd.get());
    return Ok{};
}

}  // namespace

Result<> replace_file(const std::string& path, const std::string& text) {
    struct stat old {};
    // lstat: a rename over a symlink would replace the link, not the file it names.
    if (::lstat(path.c_str(), &old) != 0) {
        return Error{errno, path};
    }
    if (!S_ISREG(old.st_mode)) {
        return make_error(path + ": expected a regular file");
    }
    return write_by_rename(path, text, old, Target::kMayExist);
}

Result<> create_file(const std::string& path, const std::string& text) {
    struct stat wanted {};
    wanted.st_mode = 0644;
    wanted.st_uid = ::geteuid();
    wanted.st_gid = ::getegid();
    return write_by_rename(path, text, wanted, Target::kMustNotExist);
}

}  // namespace execseal
