#include "hook/os/file_read.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "hook/os/unique_fd.h"

namespace execseal {

Result<std::string> read_file(const std::string& path, std::size_t limit) {
    // O_NONBLOCK: opening a FIFO without a writer would wait for one (fifo(7)).
    const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    if (!fd.valid()) {
        return Error{errno, path};
    }
    struct stat status {};
    if (::fstat(fd.get(), &status) != 0) {
        return Error{errno, path + ": fstat"};
    }
    if (!S_ISREG(status.st_mode)) {
        return make_error(path + ": expected a regular file");
    }
    std::string text;
    char chunk[16384];
    for (;;) {
        const ssize_t got = ::read(fd.get(), chunk, sizeof chunk);
        if (got < 0) {
            if (errno == EINTR) {
                continue;
            }
            return Error{errno, path + ": read"};
        }
        if (got == 0) {
            return text;
        }
        text.append(chunk, static_cast<std::size_t>(got));
        if (text.size() > limit) {
            return make_error(path + ": expected at most " + std::to_string(limit) + " bytes");
        }
    }
}

}  // namespace execseal
