#include "tests/e2e/cri.h"

#include <stdexcept>

#include "tests/e2e/image.h"

namespace execseal::e2e {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

// crictl reads these files into the CRI's Go types: enumerators by number.
constexpr int kOwnPids = 1;                       // NamespaceMode CONTAINER
constexpr int kNode = 2;                          // NamespaceMode NODE
constexpr int kTarget = 3;                        // NamespaceMode TARGET
const Json kRuntimeDefault{{"profile_type", 0}};  // SecurityProfile RuntimeDefault
constexpr int kLocalhost = 2;                     // SecurityProfile Localhost

std::string first_line(const std::string& text) {
    return text.substr(0, text.find('\n'));
}

}  // namespace

CriPod::CriPod(const Scratch& scratch, const Containerd& containerd, std::string name,
               CriPodOptions options)
    : scratch_(scratch.path()), name_(std::move(name)), options_(std::move(options)) {
    if (!fs::exists(EXECSEAL_CRICTL)) {
        throw std::runtime_error("no " EXECSEAL_CRICTL ": tests/go_tools.sh makes it");
    }
    const std::string endpoint = "unix://" + containerd.socket().string();
    write_file(
        configuration(),
        Json{{"runtime-endpoint", endpoint}, {"image-endpoint", endpoint}, {"timeout", 50}}.dump());
    fs::create_directories(log_directory());
    write_file(
        pod_file(),
        Json{{"metadata", {{"name", name_}, {"uid", "uid-" + name_}, {"namespace", "default"}}},
             {"log_directory", log_directory()},
             {"annotations", options_.annotations},
             {"linux",
              {{"security_context",
                {{"namespace_options", namespaces("")}, {"privileged", options_.privileged}}}}}}
            .dump());
    const Outcome made = crictl({"runp", "--runtime", options_.handler, pod_file()});
    if (made.exit_code != 0) {
        throw std::runtime_error("crictl runp: " + made.text() + containerd.log());
    }
    sandbox_ = first_line(made.out);
}

CriPod::~CriPod() {
    remove();
}

void CriPod::remove() {
    ids_.clear();
    if (!sandbox_.empty()) {
        (void)crictl({"rmp", "--force", sandbox_});  // its containers, too
        sandbox_.clear();
    }
}

Outcome CriPod::start(const std::string& name, const CriContainerOptions& options) {
    Json seccomp = kRuntimeDefault;
    if (!options.seccomp_profile.empty()) {
        seccomp = {{"profile_type", kLocalhost}, {"localhost_ref", options.seccomp_profile}};
    }
    const fs::path file = scratch_ / (name_ + "-" + name + ".json");
    write_file(file, Json{{"metadata", {{"name", name}}},
                          {"image", {{"image", kBusyboxImage}}},
                          {"command", options.command},
                          {"log_path", name + ".log"},
                          {"linux",
                           {{"security_context",
                             {{"privileged", options_.privileged},
                              {"namespace_options", namespaces(options.target)},
                              {"seccomp", seccomp}}}}}}
                         .dump());
    Outcome created = crictl({"create", "--no-pull", sandbox_, file, pod_file()});
    if (created.exit_code != 0) {
        return created;
    }
    ids_[name] = first_line(created.out);
    return crictl({"start", ids_[name]});
}

Json CriPod::namespaces(const std::string& target) const {
    Json options{{"network", kNode}};
    if (!target.empty()) {
        options["pid"] = kTarget;
        options["target_id"] = ids_.at(target);
    } else if (options_.own_pids) {
        options["pid"] = kOwnPids;
    }
    return options;
}

Outcome CriPod::exec(const std::string& name, const std::vector<std::string>& argv) const {
    std::vector<std::string> words{"exec", ids_.at(name)};
    words.insert(words.end(), argv.begin(), argv.end());
    return crictl(words);
}

Outcome CriPod::probe(const std::string& name, const std::vector<std::string>& argv) const {
    std::vector<std::string> words{"exec", "--sync", ids_.at(name)};
    words.insert(words.end(), argv.begin(), argv.end());
    return crictl(words);
}

int CriPod::exit_code(const std::string& name) const {
    int code = -1;
    const bool ended = eventually(
        [&] {
            const Outcome asked = crictl({"inspect", ids_.at(name)});
            const Json status = Json::parse(asked.out)["status"];
            code = status["exitCode"];
            return status["state"] == "CONTAINER_EXITED";
        },
        std::chrono::seconds{30});
    return ended ? code : -1;
}

std::string CriPod::log(const std::string& name) const {
    const Outcome logs = crictl({"logs", ids_.at(name)});
    return logs.out + logs.err;
}

Outcome CriPod::crictl(std::vector<std::string> words) const {
    words.insert(words.begin(), {EXECSEAL_CRICTL, "--config", configuration()});
    return e2e::run({.argv = std::move(words)}, scratch_);
}

}  // namespace execseal::e2e
