#include "tests/e2e/cri.h"

#include <sstream>
#include <stdexcept>

namespace execseal::e2e {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

// Debian's, which has grpc; another python may come first on PATH.
constexpr const char* kPython = "/usr/bin/python3";

const Json kHostNetwork{{"network", "NODE"}};

}  // namespace

CriPod::CriPod(const Scratch& scratch, const Containerd& containerd, std::string name,
               CriPodOptions options)
    : scratch_(scratch.path()),
      containerd_(containerd),
      name_(std::move(name)),
      options_(std::move(options)) {
    fs::create_directories(log_directory());
    config_ = {{"metadata", {{"name", name_}, {"uid", "uid-" + name_}, {"namespace", "default"}}},
               {"log_directory", log_directory()},
               {"annotations", options_.annotations},
               {"linux",
                {{"security_context",
                  {{"namespace_options", kHostNetwork}, {"privileged", options_.privileged}}}}}};
    const Outcome made =
        call("RunPodSandbox", {{"config", config_}, {"runtime_handler", options_.handler}});
    if (made.exit_code != 0) {
        throw std::runtime_error("RunPodSandbox: " + made.text() + containerd.log());
    }
    sandbox_ = Json::parse(made.out)["pod_sandbox_id"];
}

CriPod::~CriPod() {
    remove();
}

void CriPod::remove() {
    for (const auto& [name, id] : ids_) {
        (void)call("StopContainer", {{"container_id", id}});
        (void)call("RemoveContainer", {{"container_id", id}});
    }
    ids_.clear();
    if (!sandbox_.empty()) {
        (void)call("StopPodSandbox", {{"pod_sandbox_id", sandbox_}});
        (void)call("RemovePodSandbox", {{"pod_sandbox_id", sandbox_}});
        sandbox_.clear();
    }
}

Outcome CriPod::start(const std::string& name, const CriContainerOptions& options) {
    Json seccomp{{"profile_type", "RuntimeDefault"}};
    if (!options.seccomp_profile.empty()) {
        seccomp = {{"profile_type", "Localhost"}, {"localhost_ref", options.seccomp_profile}};
    }
    const Json config{{"metadata", {{"name", name}}},
                      {"image", {{"image", Containerd::kImage}}},
                      {"command", options.command},
                      {"log_path", name + ".log"},
                      {"linux",
                       {{"security_context",
                         {{"privileged", options_.privileged},
                          {"namespace_options", kHostNetwork},
                          {"seccomp", seccomp}}}}}};
    Outcome created =
        call("CreateContainer",
             {{"pod_sandbox_id", sandbox_}, {"config", config}, {"sandbox_config", config_}});
    if (created.exit_code != 0) {
        return created;
    }
    ids_[name] = Json::parse(created.out)["container_id"];
    return call("StartContainer", {{"container_id", ids_[name]}});
}

Outcome CriPod::exec(const std::string& name, const std::vector<std::string>& argv) const {
    Outcome called =
        call("ExecSync", {{"container_id", ids_.at(name)}, {"cmd", argv}, {"timeout", 40}});
    if (called.exit_code != 0) {
        return called;
    }
    const Json answer = Json::parse(called.out);
    called.exit_code = answer["exit_code"];
    called.out = answer["stdout"];
    called.err = answer["stderr"];
    return called;
}

int CriPod::exit_code(const std::string& name) const {
    int code = -1;
    const bool ended = eventually(
        [&] {
            const Outcome asked = call("ContainerStatus", {{"container_id", ids_.at(name)}});
            const Json status = Json::parse(asked.out)["status"];
            code = status["exit_code"];
            return status["state"] == "CONTAINER_EXITED";
        },
        std::chrono::seconds{30});
    return ended ? code : -1;
}

// CRI log format: TIME STREAM P|F TEXT
std::string CriPod::log(const std::string& name) const {
    std::istringstream lines(read_file(log_directory() / (name + ".log")));
    std::string text;
    for (std::string line; std::getline(lines, line);) {
        std::istringstream columns(line);
        std::string time;
        std::string stream;
        std::string tag;
        columns >> time >> stream >> tag;
        columns.get();
        std::string rest;
        std::getline(columns, rest);
        text += rest + "\n";
    }
    return text;
}

Outcome CriPod::call(const std::string& method, const Json& request) const {
    return e2e::run(
        {.argv = {kPython, fs::path(EXECSEAL_SOURCE_DIR) / "tests/e2e/cri_client.py",
                  containerd_.socket(), method},
         .env = {{"PYTHONPATH", EXECSEAL_CRI_MODULES}, {"PYTHONDONTWRITEBYTECODE", "1"}},
         .input = request.dump()},
        scratch_);
}

}  // namespace execseal::e2e
