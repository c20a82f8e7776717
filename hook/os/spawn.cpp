#include "hook/os/spawn.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>

#include "hook/os/byte_io.h"
#include "hook/os/exec_strings.h"

namespace execseal {
namespace {

// Everything below runs between fork and exec: async-signal-safe calls only.

void report_and_exit(int report_fd) {
    const int code = errno;
    (void)!::write(report_fd, &code, sizeof code);
    ::_exit(127);
}

// Moves every wanted descriptor above the wanted range first, so that dup2 never overwrites one
// that is still needed.
void place_fds(int* fds, int count, int& report_fd) {
    const int null_fd = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null_fd < 0) {
        report_and_exit(report_fd);
    }
    for (int i = 0; i < count; ++i) {
        fds[i] = ::fcntl(fds[i] < 0 ? null_fd : fds[i], F_DUPFD_CLOEXEC, count + 1);
        if (fds[i] < 0) {
            report_and_exit(report_fd);
        }
    }
    const int moved = ::fcntl(report_fd, F_DUPFD_CLOEXEC, count + 1);
    if (moved < 0) {
        report_and_exit(report_fd);
    }
    report_fd = moved;
    for (int i = 0; i < count; ++i) {
        if (::dup2(fds[i], i) < 0) {
            report_and_exit(report_fd);
        }
    }
}

void reset_signals() {
    for (int signal = 1; signal < NSIG; ++signal) {
        (void)::signal(signal, SIG_DFL);
    }
    sigset_t none;
    sigemptyset(&none);
    (void)::pthread_sigmask(SIG_SETMASK, &none, nullptr);
}

[[noreturn]] void become(char** argv, char** environment, int* fds, int count, int report_fd) {
    place_fds(fds, count, report_fd);
    reset_signals();
    (void)::umask(077);
    if (::chdir("/") != 0) {
        report_and_exit(report_fd);
    }
    // The report descriptor stays open for execve's errno; it and everything else is closed by the
    // exec itself.
    (void)::syscall(SYS_close_range, static_cast<unsigned>(count), ~0U,
                    1U << 2U /* CLOSE_RANGE_CLOEXEC */);
    (void)::execve(argv[0], argv, environment);
    report_and_exit(report_fd);
    ::_exit(127);
}

}  // namespace

Result<> spawn_detached(const SpawnRequest& request) {
    auto argv = exec_strings(request.argv);
    auto environment = exec_strings(request.environment);
    auto fds = request.fds;
    auto report = make_pipe();
    if (!report) {
        return report.error();
    }
    const pid_t middle = ::fork();
    if (middle < 0) {
        return Error{errno, "fork"};
    }
    if (middle == 0) {
        (void)::setsid();
        const pid_t child = ::fork();
        if (child < 0) {
            report_and_exit(report->write.get());
        }
        if (child == 0) {
            become(argv.data(), environment.data(), fds.data(), static_cast<int>(fds.size()),
                   report->write.get());
        }
        ::_exit(0);
    }
    report->write.reset();
    while (::waitpid(middle, nullptr, 0) < 0 && errno == EINTR) {
    }
    int code = 0;
    ssize_t count = 0;
    do {
        count = ::read(report->read.get(), &code, sizeof code);
    } while (count < 0 && errno == EINTR);
    if (count == static_cast<ssize_t>(sizeof code)) {
        return Error{code, "starting " + request.argv.front()};
    }
    return Ok{};
}

Result<UniqueFd> take_given_fd(int number) {
    constexpr int kFirstOrdinary = 3;
    const std::string name = "descriptor " + std::to_string(number);
    UniqueFd own(::fcntl(number, F_DUPFD_CLOEXEC, kFirstOrdinary));
    if (!own.valid()) {
        return Error{errno, name};
    }
    if (number >= kFirstOrdinary) {
        (void)::close(number);
        return own;
    }
    const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
    if (!null.valid() || ::dup2(null.get(), number) < 0) {
        return Error{errno, name + ": /dev/null in its place"};
    }
    return own;
}

}  // namespace execseal
