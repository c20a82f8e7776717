// Command: runs one program of the host (a runtime, a tool) for an end-to-end test, under a
// deadline.
//
// Output goes to files, not pipes: `runc create` hands its stdout on to the container, and a pipe
// would have no end before the container's.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "hook/os/unique_fd.h"

namespace execseal::e2e {

struct Outcome {
    bool timed_out = false;
    int exit_code = -1;  // 128 + N after signal N, as shells say it
    std::string out;
    std::string err;

    // For messages of failed expectations.
    [[nodiscard]] std::string text() const;
};

struct Command {
    std::vector<std::string> argv{};
    std::vector<std::pair<std::string, std::string>> env{};  // added to the test's own
    std::filesystem::path cwd{};                             // empty: the test's own
    std::string input{};                                     // stdin; /dev/null if empty
    std::vector<int> fds{};                                  // become 3, 4, ... of the program
};

constexpr std::chrono::seconds kDeadline{60};

// A started program. Its destruction kills it (not what it started).
class Running {
  public:
    // The output files go to `scratch` and are removed with it.
    Running(const Command& command, const std::filesystem::path& scratch);
    Running(const Running&) = delete;
    Running& operator=(const Running&) = delete;
    Running(Running&&) = delete;
    Running& operator=(Running&&) = delete;
    ~Running();

    // Past the deadline `on_timeout` is called (it prints what hangs), then the program is killed.
    Outcome wait(std::chrono::milliseconds deadline = kDeadline,
                 const std::function<void()>& on_timeout = {});
    void signal(int number) const;
    [[nodiscard]] pid_t pid() const { return pid_; }
    // What it has written so far.
    [[nodiscard]] std::string out() const;
    [[nodiscard]] std::string err() const;

  private:
    pid_t pid_ = -1;
    UniqueFd pidfd_;
    std::filesystem::path out_path_;
    std::filesystem::path err_path_;
};

Outcome run(const Command& command, const std::filesystem::path& scratch,
            std::chrono::milliseconds deadline = kDeadline);

// Without their ends.
std::vector<std::string> lines_of(const std::string& text);

// What could be read: nothing of a file that is not there, or of a process that has ended.
std::string read_file(const std::filesystem::path& path);
void write_file(const std::filesystem::path& path, const std::string& text);

// Polls `ready` (for states that nothing announces, such as a file of another program) until it is
// true; false past the deadline.
bool eventually(const std::function<bool()>& ready,
                std::chrono::milliseconds deadline = std::chrono::seconds{10});

}  // namespace execseal::e2e
