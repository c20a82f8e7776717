#include "tests/e2e/containerd.h"

#include <signal.h>

#include <sstream>
#include <stdexcept>

#include "tests/e2e/image.h"
#include "tests/e2e/task_report.h"

namespace execseal::e2e {
namespace {

namespace fs = std::filesystem;

// "default" is ctr's, "k8s.io" the CRI plugin's.
constexpr const char* kNamespaces[] = {"default", "k8s.io"};

// pod_annotations and container_annotations, as execseal install writes them.
std::string annotations_as_installed() {
    std::string lines;
    const fs::path shipped = fs::path(EXECSEAL_SOURCE_DIR) / "deploy/containerd/execseal.toml";
    for (const std::string& line : lines_of(read_file(shipped))) {
        if (line.find("_annotations = ") != std::string::npos) {
            lines += line + "\n";
        }
    }
    return lines;
}

}  // namespace

Containerd::Containerd(const Scratch& scratch, const Node& node, Engine engine)
    : scratch_(scratch.path()), node_(node), engine_(engine) {
    write_configuration();
    start();
    import_images(scratch);
}

Containerd::~Containerd() {
    for (const char* name : kNamespaces) {
        const auto in_namespace = [&](std::vector<std::string> words) {
            words.insert(words.begin(), {"--namespace", name});
            return call(std::move(words), std::chrono::seconds{30});
        };
        for (const std::string& id : lines_of(in_namespace({"tasks", "ls", "-q"}).out)) {
            (void)in_namespace({"tasks", "rm", "--force", id});
        }
        for (const std::string& id : lines_of(in_namespace({"containers", "ls", "-q"}).out)) {
            (void)in_namespace({"containers", "rm", id});
        }
    }
    daemon_->signal(SIGTERM);
    (void)daemon_->wait(std::chrono::seconds{30});
    kill_marked(scratch_);
}

// restrict_oom_score_adj: a host that is a container itself may not lower it (CAP_SYS_RESOURCE).
// native: the snapshotter that works on every file system. No CNI: pods are on the host's network.
void Containerd::write_configuration() const {
    const std::string cri = "plugins.\"io.containerd.grpc.v1.cri\"";
    const std::string runtimes = cri + ".containerd.runtimes";
    const std::string root = scratch_ / "containerd";
    std::ostringstream text;
    text << "version = 2\n"
         << "root = \"" << root << "/root\"\n"
         << "state = \"" << root << "/state\"\n"
         << "[grpc]\n"
         << "address = \"" << socket().string() << "\"\n"
         << "[" << cri << "]\n"
         << "sandbox_image = \"" << kPauseImage << "\"\n"
         << "restrict_oom_score_adj = true\n"
         << "[" << cri << ".containerd]\n"
         << "snapshotter = \"native\"\n"
         << "[" << runtimes << ".runc]\n"
         << "runtime_type = \"io.containerd.runc.v2\"\n"
         << "[" << runtimes << ".runc.options]\n"
         << "BinaryName = \"" << engine_name(engine_) << "\"\n"
         << "[" << runtimes << ".execseal]\n"
         << "runtime_type = \"io.containerd.runc.v2\"\n"
         << annotations_as_installed() << "[" << runtimes << ".execseal.options]\n"
         << "BinaryName = \"" << node_.runtime_script().string() << "\"\n";
    write_file(scratch_ / "containerd.toml", text.str());
}

void Containerd::start() {
    Command command;
    if (engine_ == Engine::kCrun) {
        command.argv = without_unified_cgroup();
    }
    command.argv.insert(command.argv.end(),
                        {"containerd", "--config", scratch_ / "containerd.toml"});
    daemon_ = std::make_unique<Running>(command, scratch_);
    const bool ready =
        eventually([&] { return ctr({"version"}).exit_code == 0; }, std::chrono::seconds{30});
    if (!ready) {
        throw std::runtime_error("containerd did not start: " + log());
    }
}

void Containerd::import_images(const Scratch& scratch) const {
    const fs::path archives[] = {
        image_archive(scratch, {kBusyboxImage, busybox_tar(scratch), {"/bin/sleep", "1000"}}),
        image_archive(scratch, {kPauseImage, program_tar(scratch, "pause"), {"/pause"}})};
    for (const char* name : kNamespaces) {
        for (const fs::path& archive : archives) {
            const Outcome imported =
                call({"--namespace", name, "images", "import", "--snapshotter", "native", archive},
                     kDeadline);
            if (imported.exit_code != 0) {
                throw std::runtime_error("ctr images import: " + imported.text());
            }
        }
    }
}

Outcome Containerd::call(std::vector<std::string> words, std::chrono::milliseconds deadline) const {
    words.insert(words.begin(), {"ctr", "--address", socket()});
    return run_watched({.argv = std::move(words)}, scratch_, deadline, [this] { return log(); });
}

Outcome Containerd::ctr(const std::vector<std::string>& words,
                        std::chrono::milliseconds deadline) const {
    return call(words, deadline);
}

Outcome Containerd::run(const std::vector<std::string>& flags, const std::string& id,
                        const std::vector<std::string>& argv) const {
    // What the container writes goes to a file, by the shim, and not through ctr: where it ends
    // soon, ctr 1.6.20 closes its pipes before it has read them (containerd's pull request 8643).
    const fs::path output = scratch_ / (id + ".out");
    fs::remove(output);
    std::vector<std::string> words{"run", "--snapshotter", "native", "--log-uri"};
    words.push_back("file://" + output.string());
    words.insert(words.end(), {"--runc-binary", node_.runtime_script()});
    words.insert(words.end(), flags.begin(), flags.end());
    words.insert(words.end(), {kBusyboxImage, id});
    words.insert(words.end(), argv.begin(), argv.end());
    Outcome outcome = ctr(words);
    outcome.out += read_file(output);
    return outcome;
}

std::string Containerd::config_of(const std::string& id, const std::string& space) const {
    return read_file(scratch_ / "containerd/state/io.containerd.runtime.v2.task" / space / id /
                     "config.json");
}

}  // namespace execseal::e2e
