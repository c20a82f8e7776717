// path_walk: a path of the caller, followed as the kernel would follow it for the caller.
//
// Takes the caller's root, working directory and ids, gives an O_PATH descriptor or the errno
// that the kernel would give. openat2(2) does the ordinary paths in one call; what it refuses is
// walked here by hand: magic links of procfs, /proc/self (which would be us), relative paths that
// leave the working directory. May block on a hung mount: runs in an expendable process. Does not
// judge permissions beyond what makes an answer of ours differ from the kernel's.
#pragma once

#include <string>

#include "hook/os/ids.h"
#include "hook/os/path_calls.h"
#include "hook/os/task_ids.h"

namespace execseal {

// Whose eyes a path is seen with. Opened once per request.
struct CallerView {
    TaskIds ids;
    UniqueFd root;
    UniqueFd cwd;

    static Result<CallerView> open(Tid tid);
};

enum class LastLink {
    kRefuse,
    kFollow
};  // AT_SYMLINK_NOFOLLOW gives ELOOP for a link, execveat(2)

// Jump::kYes: a magic link of procfs was followed, so where the file is says nothing about the
// path.
enum class Jump { kYes, kNo };

struct WalkedPath {
    UniqueFd fd;
    Jump jump = Jump::kYes;
};

// `base` is the directory that a relative path starts from. The Error's code is the kernel's
// answer.
Result<WalkedPath> walk_path(const CallerView& view, int base, const std::string& path,
                             LastLink last);

}  // namespace execseal
