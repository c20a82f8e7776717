#include "tests/e2e/podman.h"

#include <stdexcept>

#include "tests/e2e/image.h"
#include "tests/e2e/task_report.h"

namespace execseal::e2e {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

}  // namespace

const char* podman_entry_name(PodmanEntry entry) {
    switch (entry) {
        case PodmanEntry::kRuntime:
            return "Runtime";
        case PodmanEntry::kHooksDir:
            return "HooksDir";
        case PodmanEntry::kBoth:
            return "Both";
        case PodmanEntry::kNone:
            return "None";
    }
    return "?";
}

Podman::Podman(const Scratch& scratch, const Node& node, Engine engine, PodmanEntry entry,
               PodmanUser user)
    : scratch_(scratch.path()), node_(node), engine_(engine), entry_(entry), user_(user) {
    (void)busybox_tar(scratch);
    write_configuration();
    import_images();
}

Podman::~Podman() {
    for (const std::vector<std::string>& words :
         {std::vector<std::string>{"pod", "rm", "--all", "--force", "--time", "0"},
          std::vector<std::string>{"rm", "--all", "--force", "--time", "0"}}) {
        if (call(words).timed_out) {
            kill_marked(scratch_);
        }
    }
    if (user_ == PodmanUser::kRootless) {
        kill_marked(scratch_);  // the process that keeps the user namespace
    }
}

// Limits: podman raises them to the kernel's maximum, which a host that is a container itself may
// not. Networks: none, there are no plugins to rely on. vfs: works on every file system.
void Podman::write_configuration() const {
    fs::create_directories(scratch_ / "hooks.d");
    if (entry_ == PodmanEntry::kHooksDir || entry_ == PodmanEntry::kBoth) {
        Json hook = Json::parse(
            read_file(fs::path(EXECSEAL_SOURCE_DIR) / "deploy/podman/80-execseal.json"));
        hook["hook"]["path"] = node_.hook();
        hook["hook"]["env"] = {"EXECSEAL_CONFIG=" + node_.settings_path().string()};
        write_file(scratch_ / "hooks.d/80-execseal.json", hook.dump());
    }
    write_file(scratch_ / "containers.conf",
               "[containers]\n"
               "default_ulimits = [\"nofile=1024:1024\", \"nproc=4096:4096\"]\n"
               "netns = \"none\"\n"
               "[engine]\n"
               "cgroup_manager = \"cgroupfs\"\n"
               "events_logger = \"file\"\n"
               "infra_image = \"" +
                   std::string(kPauseImage) +
                   "\"\n"
                   "tmp_dir = \"" +
                   (scratch_ / "libpod").string() +
                   "\"\n"
                   "hooks_dir = [\"" +
                   (scratch_ / "hooks.d").string() +
                   "\"]\n"
                   "runtime = \"" +
                   (entry_ == PodmanEntry::kRuntime || entry_ == PodmanEntry::kBoth
                        ? node_.runtime_script().string()
                        : std::string(engine_name(engine_))) +
                   "\"\n");
    write_file(scratch_ / "storage.conf",
               "[storage]\n"
               "driver = \"vfs\"\n"
               "graphroot = \"" +
                   (scratch_ / "graph").string() +
                   "\"\n"
                   "runroot = \"" +
                   (scratch_ / "runroot").string() + "\"\n");
}

void Podman::import_images() const {
    const fs::path tar = scratch_ / "busybox.tar";
    for (const std::vector<std::string>& words :
         {std::vector<std::string>{"import", tar, kBusyboxImage},
          std::vector<std::string>{"import", "--change", "CMD [\"/bin/sleep\", \"1000\"]", tar,
                                   kPauseImage}}) {
        const Outcome imported = call(words);
        if (imported.exit_code != 0) {
            throw std::runtime_error("podman import: " + imported.text());
        }
    }
}

Outcome Podman::call(const std::vector<std::string>& words,
                     std::chrono::milliseconds deadline) const {
    Command command{.env = {{"CONTAINERS_CONF", scratch_ / "containers.conf"},
                            {"CONTAINERS_STORAGE_CONF", scratch_ / "storage.conf"}}};
    if (engine_ == Engine::kCrun) {
        command.argv = without_unified_cgroup();
    }
    if (user_ == PodmanUser::kRootless) {
        const std::string id = std::to_string(kRootlessUid);
        command.argv.insert(command.argv.end(),
                            {"setpriv", "--reuid", id, "--regid", id, "--clear-groups"});
        command.env.insert(command.env.end(), {{"HOME", scratch_}, {"XDG_RUNTIME_DIR", scratch_}});
    }
    command.argv.emplace_back("podman");
    command.argv.insert(command.argv.end(), words.begin(), words.end());
    return run_watched(command, scratch_, deadline);
}

Outcome Podman::run(std::vector<std::string> flags, const std::vector<std::string>& argv) const {
    flags.insert(flags.begin(), "--rm");
    return call(run_words(flags, argv));
}

Outcome Podman::kube_play(const KubePod& pod, const std::vector<std::string>& flags) const {
    const Json container{{"name", "app"},
                         {"image", kBusyboxImage},
                         {"command", {"/bin/sh", "-c", pod.script}},
                         {"securityContext", pod.security_context}};
    const Json manifest{{"apiVersion", "v1"},
                        {"kind", "Pod"},
                        {"metadata", {{"name", "web"}, {"annotations", pod.annotations}}},
                        {"spec",
                         {{"hostNetwork", true},
                          {"restartPolicy", "Never"},
                          {"containers", Json::array({container})}}}};
    const fs::path file = scratch_ / "pod.yaml";
    write_file(file, manifest.dump());  // JSON is YAML
    std::vector<std::string> words{"kube", "play"};
    words.insert(words.end(), flags.begin(), flags.end());
    words.push_back(file);
    return call(words);
}

std::string Podman::config_of(const std::string& name) const {
    const Outcome found = call({"inspect", "--format", "{{.OCIConfigPath}}", name});
    return read_file(found.out.substr(0, found.out.find('\n')));
}

}  // namespace execseal::e2e
