// Container: one container of a test under runc or crun, bare or through execseal-runtime; gone
// when the object is gone, however the test ended.
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/e2e/bundle.h"
#include "tests/e2e/command.h"

namespace execseal::e2e {

enum class Engine { kRunc, kCrun };
const char* engine_name(Engine engine);

// How a container is run: the program in front of the engine (or the engine itself) and what it
// needs in its environment. Node::runtime() gives the one with execseal.
struct Runtime {
    Engine engine = Engine::kRunc;
    std::string program{};  // empty: the engine itself
    std::vector<std::pair<std::string, std::string>> env{};
};

// Words before a command line that runs crun, by itself or through an engine: a mount namespace
// without /sys/fs/cgroup/unified.
std::vector<std::string> without_unified_cgroup();

struct ExecOptions {
    std::string input{};
    std::string user{};                        // "UID:GID"
    std::vector<std::string> runtime_flags{};  // more flags of `exec`
    std::chrono::milliseconds deadline = kDeadline;
};

class Container {
  public:
    Container(Runtime runtime, const Bundle& bundle, const Scratch& scratch);
    Container(const Container&) = delete;
    Container& operator=(const Container&) = delete;
    Container(Container&&) = delete;
    Container& operator=(Container&&) = delete;
    ~Container();

    // In the foreground until it ends; the outcome is the container's own.
    Outcome run(std::chrono::milliseconds deadline = kDeadline);
    // The same, without waiting; finish with wait().
    std::unique_ptr<Running> run_in_background();
    Outcome wait(Running& running, std::chrono::milliseconds deadline = kDeadline);

    // A created container writes to out() and err() until it ends.
    Outcome create();
    Outcome start();
    Outcome exec(const std::vector<std::string>& argv, const ExecOptions& options = {});
    Outcome kill(const std::string& signal);
    Outcome remove();  // delete, without force

    // "created", "running", "stopped"; empty when the runtime does not know it.
    [[nodiscard]] std::string status() const;
    [[nodiscard]] bool wait_until_stopped(std::chrono::milliseconds deadline = kDeadline) const;
    [[nodiscard]] pid_t init_pid() const;
    [[nodiscard]] std::string out() const { return creation_ ? creation_->out() : ""; }
    [[nodiscard]] std::string err() const { return creation_ ? creation_->err() : ""; }
    [[nodiscard]] const std::string& id() const { return id_; }
    // The runtime's command line for a subcommand: for tests that start it in their own way.
    [[nodiscard]] Command command(const std::vector<std::string>& words) const;

  private:
    Outcome finish(Running& running, std::chrono::milliseconds deadline) const;

    Runtime runtime_;
    std::filesystem::path bundle_;
    std::filesystem::path scratch_;
    std::string id_;
    std::unique_ptr<Running> creation_;
};

}  // namespace execseal::e2e
