// pidfd: a process by descriptor, so that a recycled number never stands in for it (pidfd_open(2)).
#pragma once

#include <sys/types.h>

#include "hook/os/result.h"
#include "hook/os/unique_fd.h"

namespace execseal {

// Readable (POLLIN) once the process has ended. `pid` must be a process, not another thread.
Result<UniqueFd> open_pidfd(pid_t pid);

// The same of one thread. Before Linux 6.9 only of the first of its process, and that one has not
// ended before all of them have.
Result<UniqueFd> open_thread_pidfd(pid_t tid);

// Whether the process or thread has; true for one that cannot be asked.
bool has_ended(int pidfd);

// To the process as a whole; ESRCH as the Error's code once it has ended.
Result<> send_signal(int pidfd, int signal);

// A descriptor of another process, the same open file, as by dup(2): pidfd_getfd(2), needs the
// right to ptrace it.
Result<UniqueFd> borrow_fd(int pidfd, int fd);

}  // namespace execseal
