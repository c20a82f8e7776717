#include "hook/supervisor/supervise.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <nlohmann/json.hpp>

#include "config/json_reader.h"
#include "config/policy.h"
#include "hook/launch/launch.h"
#include "hook/os/byte_io.h"
#include "hook/os/executable.h"
#include "hook/os/log.h"
#include "hook/os/state_dir.h"
#include "hook/supervisor/supervisor.h"

namespace execseal {
namespace {

constexpr int kNice = -10;
constexpr std::size_t kDocumentLimit = std::size_t{16} << 20U;

struct LaunchDocument {
    Plan plan;
    std::string settings_path;
    std::optional<std::chrono::milliseconds> arrival;
    std::string cgroup;
    std::optional<Tid> recover_from;
};

// Members that a launcher may leave out.
Result<> read_terms(const nlohmann::ordered_json& json, LaunchDocument& document) {
    if (const auto member = json.find("arrival_ms"); member != json.end()) {
        if (!member->is_number_unsigned()) {
            return make_error("launch document: /arrival_ms: expected milliseconds");
        }
        document.arrival = std::chrono::milliseconds(member->get<std::uint32_t>());
    }
    if (const auto member = json.find("cgroup"); member != json.end()) {
        if (!member->is_string()) {
            return make_error("launch document: /cgroup: expected a directory");
        }
        document.cgroup = member->get<std::string>();
    }
    if (const auto member = json.find("recover_from"); member != json.end()) {
        if (!member->is_number_integer()) {
            return make_error("launch document: /recover_from: expected a process id");
        }
        document.recover_from = Tid{member->get<pid_t>()};
    }
    return Ok{};
}

Result<LaunchDocument> read_launch_document() {
    auto text = read_all(kLaunchDocumentFd, kDocumentLimit);
    if (!text) {
        return add_context("launch document", text.error());
    }
    auto json = parse_json(*text, "launch document");
    if (!json) {
        return json.error();
    }
    if (!json->is_object() || !json->contains("plan") || !json->contains("settings") ||
        !(*json)["settings"].is_string()) {
        return make_error("launch document: expected {\"plan\": ..., \"settings\": PATH}");
    }
    auto plan = plan_from_json((*json)["plan"], "launch document: /plan");
    if (!plan) {
        return plan.error();
    }
    LaunchDocument document{std::move(*plan), (*json)["settings"].get<std::string>(), {}, {}, {}};
    if (auto read = read_terms(*json, document); !read) {
        return read.error();
    }
    return document;
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
    if (!document->cgroup.empty()) {
        if (auto moved = move_to_cgroup(document->cgroup); !moved) {
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
    UniqueFd creator(::fcntl(kCreatorPidFd, F_DUPFD_CLOEXEC, kCreatorPidFd + 1));
    return Supervisor::create({std::move(plan), std::move(*settings), std::move(*policy),
                               std::move(floor), std::move(creator), std::move(*lock),
                               document->arrival, document->recover_from});
}

void say(const std::string& line) {
    (void)write_all(kReadyPipeFd, line + "\n");
}

// Descriptor 1 was the launcher's pipe; from here on it is /dev/null, so that nobody waits for its
// end.
void close_launch_fds() {
    const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
    (void)::dup2(null.get(), kLaunchDocumentFd);
    (void)::dup2(null.get(), kReadyPipeFd);
    (void)::close(kCreatorPidFd);
}

}  // namespace

int run_supervise() {
    (void)std::signal(SIGPIPE, SIG_IGN);
    // Callers wait for us, and a signal that comes before we have seen them ends their call. Where
    // it is not allowed we do without.
    (void)::setpriority(PRIO_PROCESS, 0, kNice);
    auto supervisor = set_up();
    if (!supervisor) {
        log_error(supervisor.error().text());
        say(supervisor.error().text());
        return 1;
    }
    say("READY");
    close_launch_fds();
    forget_start_up_pages();
    return (*supervisor)->serve();
}

}  // namespace execseal
