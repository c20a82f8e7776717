// CriPod: one pod on containerd's CRI plugin, made by crictl with the calls that the kubelet makes
// for a RuntimeClass; on the host's network, since there is no CNI.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "tests/e2e/containerd.h"

namespace execseal::e2e {

struct CriPodOptions {
    std::map<std::string, std::string> annotations{};
    std::string handler = "execseal";  // the RuntimeClass's
    bool privileged = false;
    bool own_pids = false;  // a PID namespace for each container, Kubernetes' usual
};

struct CriContainerOptions {
    std::vector<std::string> command{};
    std::string seccomp_profile{};  // seccompProfile Localhost: a file; empty: RuntimeDefault
    std::string target{};           // `kubectl debug --target`: in that one's PID namespace
};

class CriPod {
  public:
    // Throws when the sandbox cannot be made.
    CriPod(const Scratch& scratch, const Containerd& containerd, std::string name,
           CriPodOptions options);
    CriPod(const CriPod&) = delete;
    CriPod& operator=(const CriPod&) = delete;
    CriPod(CriPod&&) = delete;
    CriPod& operator=(CriPod&&) = delete;
    // Stops and removes the containers and the sandbox.
    ~CriPod();

    // Creates and starts container `name`; on failure `err` is what the kubelet would report.
    Outcome start(const std::string& name, const CriContainerOptions& options);
    // Through the streaming server, which is the way of `kubectl exec`.
    [[nodiscard]] Outcome exec(const std::string& name, const std::vector<std::string>& argv) const;
    // ExecSync, which is the kubelet's exec probe.
    [[nodiscard]] Outcome probe(const std::string& name,
                                const std::vector<std::string>& argv) const;
    // Waits for its end; its exit code.
    [[nodiscard]] int exit_code(const std::string& name) const;
    // What it wrote to stdout and stderr so far, without the log's own columns.
    [[nodiscard]] std::string log(const std::string& name) const;
    [[nodiscard]] std::string id_of(const std::string& name) const { return ids_.at(name); }
    void remove();

  private:
    [[nodiscard]] Outcome crictl(std::vector<std::string> words) const;
    // Of a container, "" for the pod.
    [[nodiscard]] nlohmann::ordered_json namespaces(const std::string& target) const;
    [[nodiscard]] std::filesystem::path log_directory() const { return scratch_ / "logs" / name_; }
    [[nodiscard]] std::filesystem::path configuration() const { return scratch_ / "crictl.yaml"; }
    [[nodiscard]] std::filesystem::path pod_file() const { return scratch_ / (name_ + ".json"); }

    std::filesystem::path scratch_;
    std::string name_;
    CriPodOptions options_;
    std::string sandbox_;
    std::map<std::string, std::string> ids_;
};

}  // namespace execseal::e2e
