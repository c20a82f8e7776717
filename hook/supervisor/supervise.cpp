#include "hook/supervisor/supervise.h"

#include <csignal>

#include "config/policy.h"
#include "hook/launch/launch_document.h"
#include "hook/os/byte_io.h"
#include "hook/os/executable.h"
#include "hook/os/log.h"
#include "hook/os/own_limits.h"
#include "hook/os/privileges.h"
#include "hook/os/spawn.h"
#include "hook/os/state_dir.h"
#include "hook/supervisor/supervisor.h"

namespace execseal {
namespace {

constexpr int kNice = -10;
constexpr std::size_t kDocumentLimit = std::size_t{16} << 20U;

Result<LaunchDocument> read_launch_document() {
    const auto given = take_given_fd(kLaunchDocumentFd);
    if (!given) {
        return given.error();
    }
    const auto text = read_all(given->get(), kDocumentLimit);
    if (!text) {
        return add_context("launch document", text.error());
    }
    return parse_launch_document(*text);
}

// cgroups(7): 0 is the writer itself.
Result<> move_to_cgroup(const std::string& directory) {
    auto procs = open_for_write(directory + "/cgroup.procs");
    if (!procs) {
        return procs.error();
    }
    return write_all(procs->get(), "0");
}

Result<std::unique_ptr<Supervisor>> set_up() {
    auto document = read_launch_document();
    if (!document) {
        return document.error();
    }
    Plan& plan = document->plan;
    if (!document->terms.cgroup.empty()) {
        if (auto moved = move_to_cgroup(document->terms.cgroup); !moved) {
            return add_context("moving to its cgroup", moved.error());
        }
    }
    auto settings = load_settings(document->settings_path);
    if (!settings) {
        return settings.error();
    }
    auto level = log_level_from(settings->log.level);
    if (!level) {
        return add_context(settings->path + ": /log/level", level.error());
    }
    if (auto logging = log_to(settings->log.file, *level, "execseal[" + plan.container_id + "]");
        !logging) {
        return logging.error();
    }
    if (const auto spared = be_spared_by_oom_killer(); !spared) {
        log_info("where memory runs out this supervisor is killed like others: " +
                 spared.error().text());
    }
    auto policy = load_planned_policy(plan.policy);
    if (!policy) {
        return policy.error();
    }
    std::optional<Policy> floor;
    if (plan.floor) {
        auto loaded = load_planned_policy(*plan.floor);
        if (!loaded) {
            return loaded.error();
        }
        floor = std::move(*loaded);
    }
    auto lock = occupy_state_dir(plan.container_dir);
    if (!lock) {
        return lock.error();
    }
    auto creator = take_given_fd(kCreatorPidFd);
    if (!creator) {
        return creator.error();
    }
    const std::string directory = plan.container_dir;
    const bool follows = document->terms.recover_from != 0;
    auto made = Supervisor::create({std::move(plan), std::move(*settings), std::move(*policy),
                                    std::move(floor), std::move(*creator), std::move(*lock),
                                    std::move(document->terms)});
    if (!made && !follows) {  // else what the predecessor kept is for the next one
        (void)remove_state_dir(directory);
    }
    return made;
}

}  // namespace

int run_supervise() {
    (void)std::signal(SIGPIPE, SIG_IGN);
    // Callers wait for us, and a signal that comes before we have seen them ends their call.
    try_set_nice(kNice);
    keep_large_allocations_apart();
    auto ready = take_given_fd(kReadyPipeFd);
    if (!ready) {
        log_error(ready.error().text());
        return 1;
    }
    auto supervisor = set_up();
    const std::string word = supervisor ? std::string(kReadyWord) : supervisor.error().text();
    (void)write_all(ready->get(), word + "\n");
    if (!supervisor) {
        log_error(word);
        return 1;
    }
    ready->reset();  // nobody waits for its end
    forget_start_up_pages();
    return (*supervisor)->serve();
}

}  // namespace execseal
