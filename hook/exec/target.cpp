#include "hook/exec/target.h"

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "hook/os/kernel_constants.h"

namespace execseal {
namespace {

constexpr unsigned kKnownFlags = AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | kAtExecveCheck;

Result<UniqueFd> open_dirfd(const CallerView& view, int dirfd) {
    auto fd = open_own_path("/proc/" + std::to_string(view.ids.tid.value) + "/fd/" +
                            std::to_string(dirfd));
    if (!fd && fd.error().code == ENOENT) {
        return Error{EBADF, "dirfd " + std::to_string(dirfd)};
    }
    return fd;
}

}  // namespace

Result<WalkedPath> open_exec_target(const ExecCall& call, const std::string& path,
                                    const CallerView& view, Trace trace) {
    if ((call.flags & ~kKnownFlags) != 0) {
        return Error{EINVAL, "execveat flags"};
    }
    if (path.empty() && (call.flags & AT_EMPTY_PATH) == 0) {
        return Error{ENOENT, "empty path"};
    }
    const LastLink last =
        (call.flags & AT_SYMLINK_NOFOLLOW) != 0 ? LastLink::kRefuse : LastLink::kFollow;
    if (path.starts_with('/')) {
        return walk_path(view, view.root.get(), path, last, trace);
    }
    if (call.dirfd == AT_FDCWD && !path.empty()) {
        return walk_path(view, view.cwd.get(), path, last, trace);
    }
    auto base =
        call.dirfd == AT_FDCWD ? open_component(view.cwd.get(), ".") : open_dirfd(view, call.dirfd);
    if (!base) {
        return base.error();
    }
    if (path.empty()) {
        return WalkedPath{std::move(*base), Jump::kYes, {}};
    }
    return walk_path(view, base->get(), path, last, trace);
}

std::string exec_filename(const ExecCall& call, const std::string& path) {
    if (call.dirfd == AT_FDCWD || path.starts_with('/')) {
        return path;
    }
    const std::string name = "/dev/fd/" + std::to_string(call.dirfd);
    return path.empty() ? name : name + "/" + path;
}

bool is_kernels_answer(const Error& error) {
    constexpr std::array<int, 7> kAnswers{ENOENT, ENOTDIR, ELOOP, ENAMETOOLONG,
                                          EACCES, EINVAL,  EBADF};
    return std::find(kAnswers.begin(), kAnswers.end(), error.code) != kAnswers.end();
}

}  // namespace execseal
