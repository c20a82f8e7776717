// PolicyFiles: says that a file of the container's policies may have changed.
//
// Watches the folder in which each file has its name, and the one where it really is: a ConfigMap's
// `..data` link is renamed over, and then another folder has the file. Changes are told a moment
// after the first of them, so that several files that are replaced together are seen together. One
// inotify instance; where there is none to be had, the log says so and only `execseal reload`
// works.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "hook/os/directory_watch.h"
#include "hook/os/event_loop.h"

namespace execseal {

class PolicyFiles {
  public:
    using Clock = EventLoop::Clock;

    // `loop` must outlive this. `changed` reads the files; it may find that nothing is new.
    PolicyFiles(EventLoop& loop, std::vector<std::string> paths, std::function<void()> changed);
    ~PolicyFiles();
    PolicyFiles(const PolicyFiles&) = delete;
    PolicyFiles& operator=(const PolicyFiles&) = delete;
    PolicyFiles(PolicyFiles&&) = delete;
    PolicyFiles& operator=(PolicyFiles&&) = delete;

    [[nodiscard]] std::optional<Clock::time_point> next_deadline() const { return due_; }
    void on_deadline(Clock::time_point now);

  private:
    void watch();
    void forget();

    EventLoop& loop_;
    std::vector<std::string> paths_;
    std::function<void()> changed_;
    std::optional<DirectoryWatch> watch_;
    std::optional<Clock::time_point> due_;
};

}  // namespace execseal
