// spawn_detached: the one place that starts a long-lived process.
//
// The child has its own session, is nobody's child (double fork; a subreaper may adopt it), cwd
// "/", no signal blocked or ignored, an empty environment but for what is given, and exactly the
// descriptors that are given.
#pragma once

#include <string>
#include <vector>

#include "hook/os/result.h"
#include "hook/os/unique_fd.h"

namespace execseal {

struct SpawnRequest {
    std::vector<std::string> argv;         // argv[0] is the absolute path of the program
    std::vector<std::string> environment;  // "NAME=value"
    std::vector<int> fds;                  // become 0, 1, 2, ... of the child; -1 becomes /dev/null
};

// Returns once execve has succeeded, or with its errno. The process is not waited for by anybody.
Result<> spawn_detached(const SpawnRequest& request);

// In the process that was started: the descriptor that it was given as `number`, as one of its own
// with CLOEXEC. The number itself is closed, or /dev/null where it is below 3.
Result<UniqueFd> take_given_fd(int number);

}  // namespace execseal
