#include "hook/os/captured_run.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>

#include "hook/os/byte_io.h"
#include "hook/os/exec_strings.h"
#include "hook/os/scope_exit.h"

namespace execseal {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kLargest = std::size_t{1} << 20U;

Result<std::string> read_until(int fd, Clock::time_point end) {
    std::string text;
    std::array<char, 65536> buffer{};
    for (;;) {
        const auto left =
            std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now()).count();
        pollfd wait{fd, POLLIN, 0};
        const int ready = ::poll(&wait, 1, left > 0 ? static_cast<int>(left) : 0);
        if (ready == 0) {
            return Error{ETIMEDOUT, "waiting for its output"};
        }
        const ssize_t count = ready < 0 ? -1 : ::read(fd, buffer.data(), buffer.size());
        if (count < 0) {
            if (errno == EINTR) {
                continue;
            }
            return Error{errno, "read"};
        }
        if (count == 0) {
            return text;
        }
        text.append(buffer.data(), static_cast<std::size_t>(count));
        if (text.size() > kLargest) {
            return make_error("more output than expected");
        }
    }
}

}  // namespace

Result<CapturedRun> run_captured(const std::vector<std::string>& argv,
                                 std::chrono::milliseconds deadline) {
    auto pipe = make_pipe();
    if (!pipe) {
        return pipe.error();
    }
    const std::vector<char*> words = exec_strings(argv);
    posix_spawn_file_actions_t actions;
    (void)::posix_spawn_file_actions_init(&actions);
    const ScopeExit free_actions{
        [&actions] { (void)::posix_spawn_file_actions_destroy(&actions); }};
    (void)::posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    (void)::posix_spawn_file_actions_adddup2(&actions, pipe->write.get(), 1);
    (void)::posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    pid_t child = 0;
    const int code =
        ::posix_spawnp(&child, words.front(), &actions, nullptr, words.data(), environ);
    if (code != 0) {
        return Error{code, argv.front()};
    }
    pipe->write.reset();
    auto text = read_until(pipe->read.get(), Clock::now() + deadline);
    if (!text) {
        (void)::kill(child, SIGKILL);  // allowed: our own child, not waited for yet
    }
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (!text) {
        return add_context(argv.front(), text.error());
    }
    return CapturedRun{WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status),
                       std::move(*text)};
}

}  // namespace execseal
