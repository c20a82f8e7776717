#include "hook/precreate.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "config/json_reader.h"
#include "config/spec/spec_edit.h"
#include "config/spec/spec_file.h"
#include "config/user_settings.h"
#include "hook/launch/bundle.h"
#include "hook/launch/launch.h"
#include "hook/os/byte_io.h"
#include "hook/os/executable.h"
#include "hook/os/pidfd.h"
#include "hook/os/user_namespace.h"
#include "hook/podman_spec.h"

namespace execseal {
namespace {

// podman lives on after a create that failed where it is a service (podman.socket): the runtime it
// starts next connects within seconds or never.
constexpr std::chrono::seconds kArrival{120};

bool is_directory(const std::string& path) {
    std::error_code unknown;
    return std::filesystem::is_directory(path, unknown);
}

// podman gives this stage an empty environment: its own home is the user's.
std::string home() {
    // NOLINTNEXTLINE(concurrency-mt-unsafe): read once at start; no thread of ours calls setenv
    const char* const own = std::getenv("HOME");
    return own != nullptr && *own != '\0' ? own : variable_of(::getppid(), "HOME");
}

// containers-storage.conf(5): the defaults of root and of everybody else.
std::vector<std::string> default_graph_roots() {
    std::vector<std::string> roots{"/var/lib/containers/storage"};
    if (const std::string users = home(); users.starts_with('/')) {
        roots.push_back(users + "/.local/share/containers/storage");
    }
    return roots;
}

// The document as it has to be printed.
Result<std::string> edited_spec(const std::string& text, const Settings& settings) {
    JsonLimits limits;
    limits.bytes = kSpecLimit;
    const auto spec = parse_json(text, "config.json on stdin", limits);
    if (!spec) {
        return spec.error();
    }
    const auto container = podman_container_of(*spec, default_graph_roots(), is_directory);
    if (!container) {
        return add_context("config.json on stdin", container.error());
    }
    // As the runtime will report it to the createRuntime hook.
    const auto bundle = real_path(container->bundle);
    if (!bundle) {
        return bundle.error();
    }
    const auto plan = plan_container(*spec, container->id, *bundle, settings);
    if (!plan) {
        return plan.error();
    }
    if (!*plan) {
        return text;
    }
    const auto edited = edit_spec(*spec, **plan, edit_inputs_from(settings));
    if (!edited) {
        return add_context(*bundle + "/config.json", edited.error());
    }
    LaunchTerms terms;
    terms.creator = ::getppid();
    terms.arrival = kArrival;
    if (auto launched = launch_supervisor(**plan, settings, terms); !launched) {
        return add_context("supervisor", launched.error());
    }
    return edited->dump() + "\n";
}

Result<std::string> precreate() {
    const auto text = read_stdin();
    if (!text) {
        return text.error();
    }
    const auto settings = load_settings(settings_path_at(home()));
    if (!settings) {
        return settings.error();
    }
    auto edited = edited_spec(*text, *settings);
    return edited ? std::move(edited) : with_users_way(*settings, edited.error());
}

// podman gives this stage no stderr and says only that the hook has failed
// (pkg/hooks/exec/runtimeconfigfilter.go, 4.3.1): the line goes to podman's own stderr as well.
int refuse(const Error& error) {
    const std::string line = "execseal-hook precreate: " + error.text() + "\n";
    (void)write_all(STDERR_FILENO, line);
    const auto own = identity_of("/proc/self/fd/2");
    const auto podmans = identity_of("/proc/" + std::to_string(::getppid()) + "/fd/2");
    if (own && podmans && *own == *podmans) {
        return 1;
    }
    if (const auto podman = open_pidfd(::getppid())) {
        if (const auto stream = borrow_fd(podman->get(), STDERR_FILENO)) {
            (void)write_all(stream->get(), line);
        }
    }
    return 1;
}

}  // namespace

int run_precreate() {
    const auto document = precreate();
    if (!document) {
        return refuse(document.error());
    }
    // A supervisor that was started ends with podman.
    if (auto written = write_all(STDOUT_FILENO, *document); !written) {
        return refuse(add_context("stdout", written.error()));
    }
    return 0;
}

}  // namespace execseal
