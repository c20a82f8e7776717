// path_calls: the kernel calls of path resolution, one each, on descriptors that are only names.
//
// All of them may block on a hung mount: they belong into an expendable process. None of them opens
// a file for reading but read_file_at(), which asks first that it is a regular one.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "hook/os/ids.h"
#include "hook/os/result.h"
#include "hook/os/unique_fd.h"

namespace execseal {

// A file, whatever its name: what the kernel executes has the same pair.
struct FileId {
    dev_t device = 0;
    ino_t inode = 0;
    friend auto operator<=>(const FileId&, const FileId&) = default;
};

struct FileStatus {
    FileId id;
    std::uint64_t mount = 0;       // of the descriptor: tells two binds of one directory apart
    bool mount_is_unique = false;  // no mount before or after has that id (Linux 6.8)
    mode_t mode = 0;
    uid_t uid = 0;
    gid_t gid = 0;
    std::uint64_t links = 0;
    std::uint64_t size = 0;
    std::int64_t ctime_ns = 0;
};

// Where openat2(2) may lead: kInRoot takes `directory` for the root, kBeneath forbids to leave it.
// Neither follows magic links (ELOOP): they would be followed as ours, not as the caller's.
enum class Scope { kInRoot, kBeneath };
// Mounts::kOne: EXDEV where the path comes to another mount than that of `directory`.
enum class Mounts { kOne, kAny };
Result<UniqueFd> open_scoped(int directory, const std::string& path, Scope scope,
                             Mounts mounts = Mounts::kAny);

// One component, a symbolic link itself rather than what it points to.
Result<UniqueFd> open_component(int directory, const char* name);
// Follows the last component, magic links too.
Result<UniqueFd> open_link_target(int directory, const char* name);
// The directory `levels` above, also above the root of the task that `directory` was opened for.
Result<UniqueFd> open_above(int directory, std::size_t levels);
// O_PATH on a path of ours, following links: /proc/TID/root and the like.
Result<UniqueFd> open_own_path(const std::string& path);
// True for a magic link of procfs; `name` must be a symbolic link.
Result<bool> is_magic_link(int directory, const char* name);

Result<FileStatus> status_of(int fd);
// FileStatus::mount alone; no file system is asked, so that none can make us wait.
Result<std::uint64_t> mount_of(int fd);
// The file that a process executes, asked without making its file system go and look (a FUSE server
// of the container could make us wait).
Result<FileId> executable_of(Tgid process);
Result<FileStatus> status_at(const std::string& path);
// False where the file system answers statfs(2) with an error: procfs never does.
Result<bool> is_procfs(int fd);
// False also where the file system does not answer statfs(2): the kernel, which asks nobody,
// refuses the exec then.
Result<bool> is_noexec_mount(int fd);
// Whether a file system that asks nobody else decides about the search of a folder: by owner,
// group, mode, access list and capabilities. Not so FUSE, network file systems and what is not
// known here.
Result<bool> decides_by_mode(int fd);
// The access list of a file, system.posix_acl_access in acl(5)'s binary form; empty: it has none.
// Ids are as this process sees them through the file's mount.
Result<std::string> access_list_of(int fd);
struct FolderKind {
    bool is_procfs = false;
    bool is_fuse = false;
    bool is_read_only = false;  // of its mount or file system
};
Result<FolderKind> folder_kind(int fd);

// Text of the symbolic link that `fd` itself is.
Result<std::string> link_text(int fd);
Result<std::string> link_text_at(const std::string& path);
// Where the kernel says that `fd` is: /proc/self/fd/N.
Result<std::string> name_of(int fd);

// A readable descriptor of the regular file that `fd` (O_PATH) names; never of anything else: a
// FIFO or a device would block or act on being opened.
Result<UniqueFd> open_regular(int fd);
// Reads up to out.size() bytes from `offset`; fewer only at the end of the file.
Result<std::size_t> read_file_at(int fd, std::span<std::byte> out, std::uint64_t offset);
// All of a small file below `directory` (AT_FDCWD for an absolute path), procfs mostly.
Result<std::string> read_text_at(int directory, const std::string& path, std::size_t limit);
// A procfs file into a buffer that is kept: `text` is resized to what was there. A read that falls
// short at `expected` bytes is taken for the last one (anything else is read to its end). More than
// `limit` bytes is an Error with code EFBIG.
Result<> read_text_into(const std::string& path, std::size_t expected, std::size_t limit,
                        std::string& text);

}  // namespace execseal
