#include "hook/os/marked_folder.h"

#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

namespace execseal {
namespace {

constexpr const char* kMark = "user.execseal.made";

}  // namespace

Result<> make_marked_folders(const std::string& path) {
    const std::string above = std::filesystem::path(path).parent_path();
    struct stat status {};
    if (::stat(path.c_str(), &status) == 0 || path.empty() || above == path) {
        return Ok{};
    }
    if (auto made = make_marked_folders(above); !made) {
        return made;
    }
    static constexpr mode_t kMode = 0755;
    if (::mkdir(path.c_str(), kMode) != 0) {
        return errno == EEXIST ? Result<>(Ok{}) : Error{errno, path};
    }
    (void)::setxattr(path.c_str(), kMark, "", 0, 0);
    return Ok{};
}

void remove_marked_folders(const std::string& path) {
    std::filesystem::path folder = path;
    while (folder.has_relative_path() && ::getxattr(folder.c_str(), kMark, nullptr, 0) >= 0 &&
           ::rmdir(folder.c_str()) == 0) {
        folder = folder.parent_path();
    }
}

}  // namespace execseal
