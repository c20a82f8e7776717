#include "tests/e2e/container.h"

#include <atomic>
#include <iostream>

#include "tests/e2e/task_report.h"

namespace execseal::e2e {
namespace {

// On hosts with a cgroup v1 hierarchy and cgroup v2 beside it ("unified") crun 1.8 takes the wrong
// one; it starts when it cannot see the second.
constexpr const char* kHideUnified =
    "! grep -q ' /sys/fs/cgroup/unified ' /proc/self/mountinfo || "
    "umount /sys/fs/cgroup/unified; exec \"$@\"";

}  // namespace

const char* engine_name(Engine engine) {
    switch (engine) {
        case Engine::kRunc:
            return "runc";
        case Engine::kCrun:
            return "crun";
    }
    return "?";
}

std::vector<std::string> without_unified_cgroup() {
    return {"unshare", "-m", "sh", "-c", kHideUnified, "sh"};
}

Container::Container(Runtime runtime, const Bundle& bundle, const Scratch& scratch)
    : runtime_(std::move(runtime)), bundle_(bundle.path()), scratch_(scratch.path()) {
    static std::atomic<int> count{0};
    id_ = scratch_.filename().string() + "-" + std::to_string(++count);
}

Container::~Container() {
    const Outcome deleted =
        finish(*std::make_unique<Running>(command({"delete", "--force", id_}), scratch_),
               std::chrono::seconds{30});
    if (deleted.timed_out) {
        kill_marked(scratch_);
    }
}

Command Container::command(const std::vector<std::string>& words) const {
    Command command{.env = runtime_.env};
    if (runtime_.engine == Engine::kCrun) {
        command.argv = without_unified_cgroup();
    }
    command.argv.push_back(runtime_.program.empty() ? engine_name(runtime_.engine)
                                                    : runtime_.program);
    command.argv.insert(command.argv.end(), {"--root", scratch_ / "state"});
    command.argv.insert(command.argv.end(), words.begin(), words.end());
    return command;
}

Outcome Container::finish(Running& running, std::chrono::milliseconds deadline) const {
    return running.wait(deadline, [&] {
        std::cerr << "deadline passed; tasks of " << id_ << ":\n" << report_tasks(scratch_);
        kill_marked(scratch_);
    });
}

std::unique_ptr<Running> Container::run_in_background() {
    return std::make_unique<Running>(command({"run", "--bundle", bundle_, id_}), scratch_);
}

Outcome Container::wait(Running& running, std::chrono::milliseconds deadline) {
    return finish(running, deadline);
}

Outcome Container::run(std::chrono::milliseconds deadline) {
    return wait(*run_in_background(), deadline);
}

Outcome Container::create() {
    creation_ = std::make_unique<Running>(command({"create", "--bundle", bundle_, id_}), scratch_);
    return finish(*creation_, kDeadline);
}

Outcome Container::start() {
    Running running(command({"start", id_}), scratch_);
    return finish(running, kDeadline);
}

Outcome Container::exec(const std::vector<std::string>& argv, const ExecOptions& options) {
    std::vector<std::string> words{"exec"};
    words.insert(words.end(), options.runtime_flags.begin(), options.runtime_flags.end());
    if (!options.user.empty()) {
        words.insert(words.end(), {"--user", options.user});
    }
    words.push_back(id_);
    words.insert(words.end(), argv.begin(), argv.end());
    Command exec = command(words);
    exec.input = options.input;
    Running running(exec, scratch_);
    return finish(running, options.deadline);
}

Outcome Container::kill(const std::string& signal) {
    Running running(command({"kill", id_, signal}), scratch_);
    return finish(running, kDeadline);
}

Outcome Container::remove() {
    Running running(command({"delete", id_}), scratch_);
    return finish(running, kDeadline);
}

std::string Container::status() const {
    Running running(command({"state", id_}), scratch_);
    const auto state = nlohmann::json::parse(finish(running, kDeadline).out, nullptr, false);
    return state.is_object() ? state.value("status", "") : "";
}

bool Container::wait_until_stopped(std::chrono::milliseconds deadline) const {
    return eventually([&] { return status() == "stopped" || status().empty(); }, deadline);
}

pid_t Container::init_pid() const {
    Running running(command({"state", id_}), scratch_);
    const auto state = nlohmann::json::parse(finish(running, kDeadline).out, nullptr, false);
    return state.is_object() ? state.value("pid", 0) : 0;
}

}  // namespace execseal::e2e
