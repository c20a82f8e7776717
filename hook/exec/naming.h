// file_name: what a descriptor's file is called inside the container.
//
// Takes the kernel's own name for it (/proc/self/fd/N) and the roots, gives the name that policies
// are written with. Pure but for FileNamer, which looks. Never gives an absolute path for a file
// that is not at that path below the container's root.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hook/exec/path_walk.h"
#include "hook/os/path_calls.h"

namespace execseal {

// What names mean: a root directory in a mount namespace. The container's is learnt from the first
// exec of its first process, by a supervisor that takes over from that process itself; a caller
// that has chrooted or unshared since is then told apart, or its own /usr/bin/psql would pass for
// the image's.
struct RootIdentity {
    FileId directory;
    FileId mount_namespace;
    std::uint64_t mount = 0;   // of the directory, where no other mount ever has that id; else 0
    std::string prefix = "/";  // how the kernel names that directory in its mount namespace
    friend bool operator==(const RootIdentity&, const RootIdentity&) = default;
};

// A mount of the container's start, by statx(2)'s id (which no later mount has since Linux 6.8),
// and where it was mounted.
struct ContainerMount {
    std::uint64_t mount = 0;
    std::string place;
    friend bool operator==(const ContainerMount&, const ContainerMount&) = default;
};
using ContainerMounts = std::vector<ContainerMount>;

// "/a/b" seen from the root that the kernel calls `prefix`; nullopt when it is not below.
std::optional<std::string> below(const std::string& path, const std::string& prefix);

// What a name of FileNamer::name() says without its prefix and suffix, where it has one:
// "/usr/bin/git" of "other-mounts:/usr/bin/git (deleted)", "/NAME" of "memfd:NAME".
std::optional<std::string> bare_name(std::string_view name);

// "/a/b" for directory "/a" and path "b" (or ".//b", not "../b"): without "//" and ".".
std::string join_path(std::string_view directory, std::string_view path);

// How the file was reached: from the caller's root its name is sure, else (a descriptor, a magic
// link, the working directory) it is only believed where the name leads back to the file.
enum class ReachedFrom { kElsewhere, kRoot };

// The mounts of the view's root as they are now, of a task whose /proc/TID/mountinfo tells of them.
// Those that are hidden below others are left out.
Result<ContainerMounts> read_mounts(const CallerView& view);

class FileNamer {
  public:
    // `mounts`: of the container's start; null: not known, any will do.
    FileNamer(const CallerView& view, const std::optional<RootIdentity>& container,
              const ContainerMounts* mounts);

    [[nodiscard]] Result<std::string> name(int fd, const FileStatus& status,
                                           ReachedFrom from) const;
    // What the caller itself calls it, where its root is another one than the container's.
    [[nodiscard]] std::optional<std::string> name_for_caller(int fd) const;
    [[nodiscard]] const RootIdentity& caller_root() const { return caller_; }
    [[nodiscard]] const FileStatus& root_status() const { return root_status_; }
    // The Error of looking at the caller's root, when that failed.
    [[nodiscard]] const std::optional<Error>& failure() const { return failure_; }

  private:
    void find_container_root(const RootIdentity& container);
    // Whether a file on that mount is what the container had under that name at its start.
    [[nodiscard]] bool is_of_start(std::uint64_t mount, const std::string& name) const;

    const CallerView& view_;
    const ContainerMounts* mounts_;
    UniqueFd container_root_;  // where it is not the caller's and is asked for
    RootIdentity caller_;
    std::string prefix_;      // taken off
    bool foreign_ = false;    // another mount namespace than the container's, or one turned over
    FileStatus root_status_;  // of the caller's root
    std::optional<Error> failure_;
};

}  // namespace execseal
