// ChildProcess: a test's body in a forked child that reports through a pipe and ends with its
// owner.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <functional>
#include <utility>

#include "hook/os/ids.h"
#include "hook/os/unique_fd.h"

namespace execseal {

class ChildProcess {
  public:
    // The body gets the pipe to report on; when it returns, the child sleeps until it is killed.
    explicit ChildProcess(const std::function<void(int report)>& body) {
        int ends[2] = {-1, -1};
        if (::pipe2(ends, O_CLOEXEC) != 0) {
            ADD_FAILURE() << "pipe2";
            return;
        }
        pid_ = ::fork();
        if (pid_ == 0) {
            (void)::prctl(PR_SET_PDEATHSIG, SIGKILL);
            (void)::close(ends[0]);
            body(ends[1]);
            for (;;) {
                (void)::pause();
            }
        }
        (void)::close(ends[1]);
        report_.reset(ends[0]);
    }
    ChildProcess(const ChildProcess&) = delete;
    ChildProcess& operator=(const ChildProcess&) = delete;
    ChildProcess(ChildProcess&&) = delete;
    ChildProcess& operator=(ChildProcess&&) = delete;
    ~ChildProcess() { end(); }

    // Waits for one value that the child wrote; false when it ended instead.
    template <class T>
    [[nodiscard]] bool receive(T& value) {
        return ::read(report_.get(), &value, sizeof value) == static_cast<ssize_t>(sizeof value);
    }
    template <class T>
    static void send(int report, const T& value) {
        if (::write(report, &value, sizeof value) != static_cast<ssize_t>(sizeof value)) {
            ::_exit(1);
        }
    }
    void end() {
        if (pid_ > 0) {
            (void)::kill(pid_, SIGKILL);
            (void)::waitpid(std::exchange(pid_, 0), nullptr, __WALL);
        }
    }
    [[nodiscard]] pid_t pid() const { return pid_; }
    [[nodiscard]] Tid tid() const { return Tid{pid_}; }

  private:
    pid_t pid_ = 0;
    UniqueFd report_;
};

}  // namespace execseal
