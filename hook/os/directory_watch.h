// DirectoryWatch: says that the names in a directory, or what stands in its files, may have
// changed.
#pragma once

#include <string>

#include "hook/os/result.h"
#include "hook/os/unique_fd.h"

namespace execseal {

class DirectoryWatch {
  public:
    // Also sees what Kubernetes does to a mounted ConfigMap: `..data`, a symbolic link in the
    // directory, is renamed over (kubelet's atomic writer), no file in it is written.
    static Result<DirectoryWatch> open(const std::string& path);

    // One more.
    Result<> add(const std::string& path);

    // Readable when there is something; non-blocking.
    [[nodiscard]] int fd() const { return watch_.get(); }
    // Takes all that is queued; true if there was anything.
    bool drain();

  private:
    explicit DirectoryWatch(UniqueFd watch) : watch_(std::move(watch)) {}

    UniqueFd watch_;
};

}  // namespace execseal
