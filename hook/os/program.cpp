#include "hook/os/program.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdlib>

namespace execseal {

Result<FileIdentity> identity_of(const std::string& path) {
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) {
        return Error{errno, path};
    }
    return FileIdentity{status.st_dev, status.st_ino};
}

Result<FileIdentity> own_identity() {
    // A magic link: followed to the inode itself, whatever its name says by now (proc(5)).
    return identity_of("/proc/self/exe");
}

bool is_executable(const std::string& path) {
    struct stat status {};
    return ::stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode) &&
           ::access(path.c_str(), X_OK) == 0;
}

std::string program_path() {
    // NOLINTNEXTLINE(concurrency-mt-unsafe): read once at start; no thread of ours calls setenv
    const char* const path = std::getenv("PATH");
    return path != nullptr ? path : "/bin:/usr/bin";
}

Result<std::string> real_path(const std::string& path) {
    char resolved[PATH_MAX] = {};
    if (::realpath(path.c_str(), &resolved[0]) == nullptr) {
        return Error{errno, path};
    }
    return std::string(&resolved[0]);
}

Error become_program(const std::string& path, const std::vector<std::string>& argv) {
    std::vector<char*> pointers;
    pointers.reserve(argv.size() + 1);
    for (const std::string& argument : argv) {
        // execve(2) takes char* const[] for historical reasons and writes to none of them.
        pointers.push_back(const_cast<char*>(argument.c_str()));
    }
    pointers.push_back(nullptr);
    ::execve(path.c_str(), pointers.data(), environ);
    return Error{errno, "execve " + path};
}

}  // namespace execseal
