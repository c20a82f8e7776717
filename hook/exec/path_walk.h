// path_walk: a path of the caller, followed as the kernel would follow it for the caller.
//
// Takes the caller's root, working directory and ids, gives an O_PATH descriptor or the errno
// that the kernel would give. openat2(2) does the ordinary paths in one call; what it refuses is
// walked here by hand: magic links of procfs, /proc/self (which would be us), relative paths that
// leave the working directory. May block on a hung mount: runs in an expendable process. Permission
// is never a reason to refuse what is there: it only decides between two errors.
#pragma once

#include <string>
#include <vector>

#include "hook/os/ids.h"
#include "hook/os/path_calls.h"
#include "hook/os/task_ids.h"

namespace execseal {

// Whose eyes a path is seen with. Opened once per request.
struct CallerView {
    TaskIds ids;
    UniqueFd root;
    UniqueFd cwd;
    uid_t container_root = 0;  // who root of the container is for us

    static Result<CallerView> open(Tid tid);
};

enum class LastLink {
    kRefuse,
    kFollow
};  // AT_SYMLINK_NOFOLLOW gives ELOOP for a link, execveat(2)

// Jump::kYes: a magic link of procfs was followed, so where the file is says nothing about the
// path.
enum class Jump { kYes, kNo };

// A step that makes a path something else than the file's name: a symbolic link, or ".." out of a
// directory that can be moved. The path up to there is folder, name and rest.
struct LinkOnTheWay {
    UniqueFd folder;
    FileStatus folder_status;
    std::string name;
    std::string rest;
    // Somebody else than the container's root can make the same path lead elsewhere: the link, or a
    // directory on the way to it, lies in a folder that others may write (and that is on no
    // read-only mount), or it is a link of procfs. Not loose are fd, cwd and root of the caller's
    // own /proc/self: they stay the same as long as nobody shares its descriptors and folders.
    bool loose = false;
};

struct WalkedPath {
    UniqueFd fd;
    Jump jump = Jump::kYes;
    std::vector<LinkOnTheWay> links;  // only for Trace::kLinks
};

// kLinks: by hand, component for component, and the links are told: several times as slow.
enum class Trace { kNo, kLinks };

// `base` is the directory that a relative path starts from. The Error's code is the kernel's
// answer.
Result<WalkedPath> walk_path(const CallerView& view, int base, const std::string& path,
                             LastLink last, Trace trace = Trace::kNo);

}  // namespace execseal
