#include "tests/e2e/command.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <system_error>

#include "hook/os/check.h"

namespace execseal::e2e {
namespace {

namespace fs = std::filesystem;

// glibc 2.36 declares them only for C.
int open_pidfd(pid_t pid) {
    return static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
}

std::vector<std::string> environment_with(
    const std::vector<std::pair<std::string, std::string>>& added) {
    std::vector<std::string> all;
    for (char** entry = environ; *entry != nullptr; ++entry) {
        const std::string text = *entry;
        bool replaced = false;
        for (const auto& [name, value] : added) {
            replaced = replaced || text.substr(0, text.find('=')) == name;
        }
        if (!replaced) {
            all.push_back(text);
        }
    }
    for (const auto& [name, value] : added) {
        all.push_back(std::string(name).append("=").append(value));
    }
    return all;
}

std::vector<char*> pointers(std::vector<std::string>& strings) {
    std::vector<char*> list;
    list.reserve(strings.size() + 1);
    for (std::string& text : strings) {
        list.push_back(text.data());
    }
    list.push_back(nullptr);
    return list;
}

fs::path fresh_name(const fs::path& scratch, const char* kind) {
    static std::atomic<int> count{0};
    return scratch / ("output-" + std::to_string(++count) + "." + kind);
}

}  // namespace

std::string Outcome::text() const {
    std::ostringstream all;
    all << (timed_out ? "timed out, " : "") << "exit code " << exit_code << "\n--- stdout\n"
        << out << "--- stderr\n"
        << err << "---";
    return all.str();
}

Running::Running(const Command& command, const fs::path& scratch)
    : out_path_(fresh_name(scratch, "out")), err_path_(fresh_name(scratch, "err")) {
    CHECK(!command.argv.empty());
    std::string in_path = "/dev/null";
    if (!command.input.empty()) {
        in_path = fresh_name(scratch, "in");
        write_file(in_path, command.input);
    }
    posix_spawn_file_actions_t actions;
    CHECK(posix_spawn_file_actions_init(&actions) == 0);
    constexpr int kWrite = O_WRONLY | O_CREAT | O_APPEND;
    CHECK(posix_spawn_file_actions_addopen(&actions, 0, in_path.c_str(), O_RDONLY, 0) == 0);
    CHECK(posix_spawn_file_actions_addopen(&actions, 1, out_path_.c_str(), kWrite, 0600) == 0);
    CHECK(posix_spawn_file_actions_addopen(&actions, 2, err_path_.c_str(), kWrite, 0600) == 0);
    // From numbers that no target is, so that none is overwritten before its turn.
    std::vector<UniqueFd> sources;
    for (const int fd : command.fds) {
        constexpr int kAbove = 100;
        sources.emplace_back(fcntl(fd, F_DUPFD_CLOEXEC, kAbove));
        CHECK(sources.back().valid());
        CHECK(posix_spawn_file_actions_adddup2(&actions, sources.back().get(),
                                               2 + static_cast<int>(sources.size())) == 0);
    }
    if (!command.cwd.empty()) {
        CHECK(posix_spawn_file_actions_addchdir_np(&actions, command.cwd.c_str()) == 0);
    }
    std::vector<std::string> argv = command.argv;
    std::vector<std::string> env = environment_with(command.env);
    const int failure = posix_spawnp(&pid_, argv[0].c_str(), &actions, nullptr,
                                     pointers(argv).data(), pointers(env).data());
    (void)posix_spawn_file_actions_destroy(&actions);
    if (failure != 0) {
        throw std::system_error(failure, std::generic_category(), "spawn " + argv[0]);
    }
    pidfd_.reset(open_pidfd(pid_));
    CHECK(pidfd_.valid());
}

Running::~Running() {
    if (pid_ > 0) {
        signal(SIGKILL);
        (void)waitpid(pid_, nullptr, 0);
    }
}

void Running::signal(int number) const {
    (void)syscall(SYS_pidfd_send_signal, pidfd_.get(), number, nullptr, 0);
}

std::string Running::out() const {
    return read_file(out_path_);
}
std::string Running::err() const {
    return read_file(err_path_);
}

Outcome Running::wait(std::chrono::milliseconds deadline, const std::function<void()>& on_timeout) {
    CHECK(pid_ > 0);
    Outcome outcome;
    pollfd ended{.fd = pidfd_.get(), .events = POLLIN, .revents = 0};
    if (poll(&ended, 1, static_cast<int>(deadline.count())) == 0) {
        outcome.timed_out = true;
        if (on_timeout) {
            on_timeout();
        }
        signal(SIGKILL);
    }
    int status = 0;
    CHECK(waitpid(pid_, &status, 0) == pid_);
    pid_ = -1;
    outcome.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    outcome.out = out();
    outcome.err = err();
    return outcome;
}

Outcome run(const Command& command, const fs::path& scratch, std::chrono::milliseconds deadline) {
    return Running(command, scratch).wait(deadline);
}

std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    std::istringstream stream(text);
    for (std::string line; std::getline(stream, line);) {
        lines.push_back(line);
    }
    return lines;
}

std::string read_file(const fs::path& path) {
    // An iterator over the file would throw where read(2) fails, as for a process that has ended.
    const std::ifstream file(path, std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

void write_file(const fs::path& path, const std::string& text) {
    std::ofstream file(path, std::ios::binary | std::ios::trunc);
    file << text;
    if (!file.flush()) {
        throw std::runtime_error("cannot write " + path.string());
    }
}

bool eventually(const std::function<bool()>& ready, std::chrono::milliseconds deadline) {
    const auto end = std::chrono::steady_clock::now() + deadline;
    while (!ready()) {
        if (std::chrono::steady_clock::now() > end) {
            return false;
        }
        (void)poll(nullptr, 0, 2);
    }
    return true;
}

}  // namespace execseal::e2e
