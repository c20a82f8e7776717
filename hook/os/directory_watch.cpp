#include "hook/os/directory_watch.h"

#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace execseal {

Result<DirectoryWatch> DirectoryWatch::open(const std::string& path) {
    UniqueFd watch(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    if (!watch.valid()) {
        return Error{errno, "inotify_init1"};
    }
    DirectoryWatch opened(std::move(watch));
    if (auto added = opened.add(path); !added) {
        return added.error();
    }
    return opened;
}

Result<> DirectoryWatch::add(const std::string& path) {
    constexpr std::uint32_t kChanges =
        IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_CREATE | IN_ONLYDIR;
    if (::inotify_add_watch(watch_.get(), path.c_str(), kChanges) < 0) {
        return Error{errno, "watch " + path};
    }
    return Ok{};
}

bool DirectoryWatch::drain() {
    std::array<char, 4096> events{};
    bool any = false;
    while (::read(watch_.get(), events.data(), events.size()) > 0) {
        any = true;
    }
    return any;
}

}  // namespace execseal
