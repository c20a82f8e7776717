#include "tests/e2e/docker.h"

#include <signal.h>

#include <stdexcept>

#include "tests/e2e/image.h"
#include "tests/e2e/task_report.h"

namespace execseal::e2e {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

// By its path: a newer client of someone else's may come first on PATH.
constexpr const char* kClient = "/usr/bin/docker";

// dockerd starts a containerd of its own where it does not see the host's.
constexpr const char* kHideContainerd =
    "mkdir -p /run/containerd && mount -t tmpfs none /run/containerd && exec \"$@\"";

std::string endpoint(const fs::path& scratch) {
    return "unix://" + (scratch / "docker.sock").string();
}

}  // namespace

// No bridge and no iptables: the host's network stays as it is. vfs: works on every file system.
Docker::Docker(const Scratch& scratch, const Node& node, Engine engine) : scratch_(scratch.path()) {
    Json configuration =
        Json::parse(read_file(fs::path(EXECSEAL_SOURCE_DIR) / "deploy/docker/daemon.json"));
    configuration["runtimes"]["execseal"]["path"] = node.runtime_script();
    write_file(scratch_ / "daemon.json", configuration.dump());
    Command command{.argv = {"unshare", "-m", "sh", "-c", kHideContainerd, "sh"}};
    if (engine == Engine::kCrun) {
        const auto words = without_unified_cgroup();
        command.argv.insert(command.argv.end(), words.begin(), words.end());
    }
    command.argv.insert(command.argv.end(),
                        {"dockerd", "--config-file", scratch_ / "daemon.json", "--data-root",
                         scratch_ / "data", "--exec-root", scratch_ / "exec", "--pidfile",
                         scratch_ / "dockerd.pid", "--host", endpoint(scratch_), "--bridge=none",
                         "--iptables=false", "--ip6tables=false", "--storage-driver=vfs"});
    daemon_ = std::make_unique<Running>(command, scratch_);
    const bool ready = eventually([&] { return call({"version"}).exit_code == 0; });
    if (!ready) {
        throw std::runtime_error("dockerd did not start: " + daemon_->err());
    }
    const Outcome imported = call({"import", busybox_tar(scratch), kBusyboxImage});
    if (imported.exit_code != 0) {
        throw std::runtime_error("docker import: " + imported.text());
    }
}

Docker::~Docker() {
    for (const std::string& id : lines_of(call({"ps", "--all", "--quiet"}).out)) {
        (void)call({"rm", "--force", id});
    }
    daemon_->signal(SIGTERM);
    (void)daemon_->wait(std::chrono::seconds{30});
    kill_marked(scratch_);
}

Outcome Docker::call(std::vector<std::string> words, std::chrono::milliseconds deadline) const {
    words.insert(words.begin(), {kClient, "--host", endpoint(scratch_)});
    return run_watched({.argv = std::move(words)}, scratch_, deadline,
                       [this] { return daemon_->err(); });
}

Outcome Docker::run(const std::vector<std::string>& flags,
                    const std::vector<std::string>& argv) const {
    return call(run_words(flags, argv));
}

std::string Docker::config_of(const std::string& name) const {
    const Outcome found = call({"inspect", "--format", "{{.Id}}", name});
    const std::string id = found.out.substr(0, found.out.find('\n'));
    return read_file(scratch_ / "exec/containerd/daemon/io.containerd.runtime.v2.task/moby" / id /
                     "config.json");
}

}  // namespace execseal::e2e
