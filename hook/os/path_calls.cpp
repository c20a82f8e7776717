#include "hook/os/path_calls.h"

#include <fcntl.h>
#include <linux/limits.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <optional>

#include "hook/os/kernel_constants.h"

namespace execseal {
namespace {

// A FUSE server may answer STATFS with any error, most have no answer (ENOSYS); where an LSM
// forbids the question nothing is known.
bool is_file_systems_own(int error) {
    return error != EACCES && error != EPERM;
}

constexpr std::uint64_t kPathFlags = O_PATH | O_CLOEXEC;

Result<UniqueFd> open_path(int directory, const char* path, std::uint64_t flags,
                           std::uint64_t resolve) {
    open_how how{};
    how.flags = kPathFlags | flags;
    how.resolve = resolve;
    for (;;) {
        UniqueFd fd(static_cast<int>(::syscall(SYS_openat2, directory, path, &how, sizeof how)));
        const int error = errno;
        if (fd.valid()) {
            return fd;
        }
        // EAGAIN: a rename or mount raced with ".." below a scope, openat2(2).
        if (error != EINTR && error != EAGAIN) {
            return Error{error, std::string("openat2 ") + path};
        }
    }
}

Result<FileStatus> status(int directory, const char* path, int flags) {
    struct statx found {};
    if (::statx(directory, path, flags, STATX_BASIC_STATS | STATX_MNT_ID | STATX_MNT_ID_UNIQUE,
                &found) != 0) {
        return Error{errno, std::string("statx ") + path};
    }
    FileStatus result;
    result.id = {::makedev(found.stx_dev_major, found.stx_dev_minor), found.stx_ino};
    result.mount = found.stx_mnt_id;
    result.mount_is_unique = (found.stx_mask & STATX_MNT_ID_UNIQUE) != 0;
    result.mode = found.stx_mode;
    result.uid = found.stx_uid;
    result.gid = found.stx_gid;
    result.links = found.stx_nlink;
    result.size = found.stx_size;
    result.ctime_ns = found.stx_ctime.tv_sec * 1000000000LL + found.stx_ctime.tv_nsec;
    return result;
}

Result<std::string> link_text(int directory, const char* path) {
    std::array<char, PATH_MAX + 64> text{};
    const ssize_t size = ::readlinkat(directory, path, text.data(), text.size());
    if (size < 0) {
        return Error{errno, std::string("readlink ") + path};
    }
    if (static_cast<std::size_t>(size) == text.size()) {
        return Error{ENAMETOOLONG, std::string("readlink ") + path};
    }
    return std::string(text.data(), static_cast<std::size_t>(size));
}

Result<> read_rest(int fd, std::size_t limit, std::string& text,
                   std::optional<std::size_t> expected = std::nullopt) {
    std::size_t used = 0;
    for (;;) {
        if (used == expected && used < text.size()) {
            text.resize(used);
            return Ok{};
        }
        if (used == text.size()) {
            if (used > limit) {
                return Error{EFBIG, "read"};
            }
            text.resize(std::min(limit + 1, std::max<std::size_t>(4096, used * 4)));
        }
        const ssize_t got = ::read(fd, text.data() + used, text.size() - used);
        const int error = errno;
        if (got == 0) {
            text.resize(used);
            return Ok{};
        }
        if (got > 0) {
            used += static_cast<std::size_t>(got);
        } else if (error != EINTR) {
            return Error{error, "read"};
        }
    }
}

}  // namespace

Result<UniqueFd> open_scoped(int directory, const std::string& path, Scope scope, Mounts mounts) {
    const std::uint64_t inside = scope == Scope::kInRoot ? RESOLVE_IN_ROOT : RESOLVE_BENEATH;
    const std::uint64_t within = mounts == Mounts::kOne ? RESOLVE_NO_XDEV : 0;
    return open_path(directory, path.c_str(), 0, inside | within | RESOLVE_NO_MAGICLINKS);
}

Result<UniqueFd> open_component(int directory, const char* name) {
    return open_path(directory, name, O_NOFOLLOW, 0);
}

Result<UniqueFd> open_link_target(int directory, const char* name) {
    return open_path(directory, name, 0, 0);
}

Result<UniqueFd> open_above(int directory, std::size_t levels) {
    std::string path = ".";
    for (; levels > 0; --levels) {
        path += "/..";
    }
    return open_path(directory, path.c_str(), 0, 0);
}

Result<UniqueFd> open_own_path(const std::string& path) {
    return open_path(AT_FDCWD, path.c_str(), 0, 0);
}

Result<bool> is_magic_link(int directory, const char* name) {
    const auto followed = open_path(directory, name, 0, RESOLVE_NO_MAGICLINKS);
    if (followed) {
        return false;
    }
    if (followed.error().code == ELOOP) {
        return true;
    }
    return followed.error().code == ENOENT ? Result<bool>(false) : followed.error();
}

Result<FileStatus> status_of(int fd) {
    return status(fd, "", AT_EMPTY_PATH);
}

Result<std::uint64_t> mount_of(int fd) {
    struct statx found {};
    if (::statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_MNT_ID | STATX_MNT_ID_UNIQUE,
                &found) != 0) {
        return Error{errno, "statx of a mount"};
    }
    return found.stx_mnt_id;
}

Result<FileId> executable_of(Tgid process) {
    std::array<char, 32> path{};
    (void)std::snprintf(path.data(), path.size(), "/proc/%d/exe", process.value);
    struct statx found {};
    if (::statx(AT_FDCWD, path.data(), AT_STATX_DONT_SYNC, STATX_INO, &found) != 0) {
        return Error{errno, std::string("statx ") + path.data()};
    }
    return FileId{::makedev(found.stx_dev_major, found.stx_dev_minor), found.stx_ino};
}

Result<FileStatus> status_at(const std::string& path) {
    return status(AT_FDCWD, path.c_str(), 0);
}

Result<bool> is_procfs(int fd) {
    struct statfs found {};
    if (::fstatfs(fd, &found) != 0) {
        const int error = errno;
        return is_file_systems_own(error) ? Result<bool>(false) : Error{error, "fstatfs"};
    }
    return found.f_type == PROC_SUPER_MAGIC;
}

Result<bool> decides_by_mode(int fd) {
    struct statfs found {};
    if (::fstatfs(fd, &found) != 0) {
        const int error = errno;
        return is_file_systems_own(error) ? Result<bool>(false) : Error{error, "fstatfs"};
    }
    // None of them has a permission() of its own that looks at more (overlayfs asks the layer below
    // with its mounter's rights, which are root's); statfs(2)'s types are signed or not by machine.
    static constexpr std::array<std::uint32_t, 12> kPlain{
        EXT4_SUPER_MAGIC,      XFS_SUPER_MAGIC,   BTRFS_SUPER_MAGIC,  F2FS_SUPER_MAGIC,
        TMPFS_MAGIC,           RAMFS_MAGIC,       SQUASHFS_MAGIC,     EROFS_SUPER_MAGIC_V1,
        OVERLAYFS_SUPER_MAGIC, ISOFS_SUPER_MAGIC, DEVPTS_SUPER_MAGIC, CGROUP2_SUPER_MAGIC};
    return std::find(kPlain.begin(), kPlain.end(), static_cast<std::uint32_t>(found.f_type)) !=
           kPlain.end();
}

Result<std::string> access_list_of(int fd) {
    // fgetxattr(2) takes no O_PATH descriptor.
    const std::string path = "/proc/self/fd/" + std::to_string(fd);
    std::string list(256, '\0');
    for (;;) {
        const ssize_t size =
            ::getxattr(path.c_str(), "system.posix_acl_access", list.data(), list.size());
        if (size >= 0) {
            list.resize(static_cast<std::size_t>(size));
            return list;
        }
        const int error = errno;
        if (error == ENODATA || error == EOPNOTSUPP) {
            return std::string();
        }
        if (error != ERANGE || list.size() >= XATTR_SIZE_MAX) {
            return Error{error, "system.posix_acl_access"};
        }
        list.resize(XATTR_SIZE_MAX);
    }
}

// One that answers statfs(2) with an error of its own is taken for FUSE, of which the least is
// believed.
Result<FolderKind> folder_kind(int fd) {
    struct statfs found {};
    if (::fstatfs(fd, &found) != 0) {
        const int error = errno;
        return is_file_systems_own(error) ? Result<FolderKind>(FolderKind{.is_fuse = true})
                                          : Error{error, "fstatfs"};
    }
    return FolderKind{found.f_type == PROC_SUPER_MAGIC, found.f_type == FUSE_SUPER_MAGIC,
                      (found.f_flags & ST_RDONLY) != 0};
}

Result<bool> is_noexec_mount(int fd) {
    struct statvfs found {};
    if (::fstatvfs(fd, &found) != 0) {
        const int error = errno;
        return is_file_systems_own(error) ? Result<bool>(false) : Error{error, "fstatvfs"};
    }
    return (found.f_flag & ST_NOEXEC) != 0;
}

Result<std::string> link_text(int fd) {
    return link_text(fd, "");
}

Result<std::string> link_text_at(const std::string& path) {
    return link_text(AT_FDCWD, path.c_str());
}

Result<std::string> name_of(int fd) {
    std::array<char, 40> path{};
    (void)std::snprintf(path.data(), path.size(), "/proc/self/fd/%d", fd);
    return link_text(AT_FDCWD, path.data());
}

Result<UniqueFd> open_regular(int fd) {
    const auto found = status_of(fd);
    if (!found) {
        return found.error();
    }
    if (!S_ISREG(found->mode)) {
        return Error{EACCES, "not a regular file"};
    }
    std::array<char, 40> path{};
    (void)std::snprintf(path.data(), path.size(), "/proc/self/fd/%d", fd);
    UniqueFd file(::open(path.data(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
    if (!file.valid()) {
        return Error{errno, "open"};
    }
    return file;
}

Result<std::size_t> read_file_at(int fd, std::span<std::byte> out, std::uint64_t offset) {
    std::size_t used = 0;
    while (used < out.size()) {
        const ssize_t got =
            ::pread(fd, out.data() + used, out.size() - used, static_cast<off_t>(offset + used));
        const int error = errno;
        if (got == 0) {
            break;
        }
        if (got > 0) {
            used += static_cast<std::size_t>(got);
        } else if (error != EINTR) {
            return Error{error, "pread"};
        }
    }
    return used;
}

Result<std::string> read_text_at(int directory, const std::string& path, std::size_t limit) {
    const UniqueFd fd(::openat(directory, path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
    if (!fd.valid()) {
        return Error{errno, "open " + path};
    }
    std::string text;
    if (auto read = read_rest(fd.get(), limit, text); !read) {
        return add_context(path, read.error());
    }
    return text;
}

Result<> read_text_into(const std::string& path, std::size_t expected, std::size_t limit,
                        std::string& text) {
    const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
    if (!fd.valid()) {
        return Error{errno, "open " + path};
    }
    text.resize(std::min(limit, expected) + 1);
    // Nothing read yet is no short read.
    const auto whole = expected > 0 ? std::optional(expected) : std::nullopt;
    if (auto read = read_rest(fd.get(), limit, text, whole); !read) {
        return add_context(path, read.error());
    }
    return Ok{};
}

}  // namespace execseal
