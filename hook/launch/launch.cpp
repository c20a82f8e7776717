#include "hook/launch/launch.h"

#include <nlohmann/json.hpp>
#include <string>

#include "hook/launch/control_client.h"
#include "hook/launch/engine_name.h"
#include "hook/os/byte_io.h"
#include "hook/os/pidfd.h"
#include "hook/os/spawn.h"
#include "hook/os/state_dir.h"

namespace execseal {
namespace {

using Clock = std::chrono::steady_clock;

UniqueFd open_crash_log(const std::string& file) {
    auto log = open_for_append(file);
    return log ? std::move(*log) : UniqueFd();
}

// Until nobody holds the container's directory.
Result<> end_supervisor(const Plan& plan, const Settings& settings) {
    const auto deadline = Clock::now() + settings.deadlines.supervisor_start;
    auto occupied = state_dir_is_occupied(plan.container_dir);
    if (!occupied) {
        return occupied.error();
    }
    if (!*occupied) {
        return Ok{};
    }
    // No answer is the ordinary one of a supervisor that is ending by itself just now: its lock
    // tells.
    const auto answer =
        ask_supervisor(plan.control_path, "retire", settings.deadlines.supervisor_start);
    if (answer && !answer->value("retiring", false)) {
        return make_error("container " + answer->value("container_id", "?") +
                          ": a supervisor still serves it from " + plan.container_dir);
    }
    auto freed = wait_until_state_dir_is_free(plan.container_dir, deadline);
    if (!freed && !answer) {
        return add_context("supervisor that holds " + plan.container_dir, answer.error());
    }
    return freed;
}

}  // namespace

Result<> launch_supervisor(const Plan& plan, const Settings& settings, const LaunchTerms& terms) {
    // A successor needs what its predecessor kept of the container's start.
    const bool succeeds = terms.recover_from != 0;
    if (auto free = succeeds ? end_supervisor(plan, settings) : retire_supervisor(plan, settings);
        !free) {
        return free.error();
    }
    LaunchDocument document{plan, settings.path, terms};
    if (plan.container_name.empty()) {
        document.plan.container_name = name_by_engine(plan.bundle, plan.container_id);
    }
    auto handed = memfd_with("execseal-launch", launch_document_text(document));
    if (!handed) {
        return handed.error();
    }
    auto ready = make_pipe();
    if (!ready) {
        return ready.error();
    }
    auto creator_fd = open_pidfd(terms.creator);
    if (!creator_fd) {
        return creator_fd.error();
    }
    const UniqueFd crash_log = open_crash_log(settings.log.file);
    SpawnRequest request;
    request.argv = {settings.hook, "supervise"};
    request.environment = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin",
                           "EXECSEAL_CONFIG=" + settings.path};
    request.fds.resize(kLaunchFds);
    request.fds[kLaunchDocumentFd] = handed->get();
    request.fds[kReadyPipeFd] = ready->write.get();
    request.fds[kCrashLogFd] = crash_log.get();
    request.fds[kCreatorPidFd] = creator_fd->get();
    if (auto started = spawn_detached(request); !started) {
        return add_context(settings.path + ": /hook", started.error());
    }
    ready->write.reset();
    auto line = read_line(ready->read.get(), Clock::now() + settings.deadlines.supervisor_start);
    if (!line) {
        // Its own line fails from here on, on which it ends by itself.
        return add_context("supervisor of container " + plan.container_id, line.error());
    }
    if (*line != kReadyWord) {
        return make_error("supervisor of container " + plan.container_id + ": " + *line);
    }
    return Ok{};
}

Result<> retire_supervisor(const Plan& plan, const Settings& settings) {
    if (auto ended = end_supervisor(plan, settings); !ended) {
        return ended;
    }
    return remove_state_dir(plan.container_dir);
}

}  // namespace execseal
