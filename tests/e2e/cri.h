// CriPod: one pod on containerd's CRI plugin, made with the calls that the kubelet makes for a
// RuntimeClass; on the host's network, since there is no CNI.
#pragma once

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "tests/e2e/containerd.h"

namespace execseal::e2e {

struct CriPodOptions {
    std::map<std::string, std::string> annotations{};
    std::string handler = "execseal";  // the RuntimeClass's
    bool privileged = false;
};

struct CriContainerOptions {
    std::vector<std::string> command{};
    std::string seccomp_profile{};  // seccompProfile Localhost: a file; empty: RuntimeDefault
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
    // ExecSync, which a kubelet's exec probe is.
    [[nodiscard]] Outcome exec(const std::string& name, const std::vector<std::string>& argv) const;
    // Waits for its end; its exit code.
    [[nodiscard]] int exit_code(const std::string& name) const;
    // What it wrote to stdout and stderr so far, without the log's own columns.
    [[nodiscard]] std::string log(const std::string& name) const;
    [[nodiscard]] std::string id_of(const std::string& name) const { return ids_.at(name); }
    void remove();

  private:
    [[nodiscard]] Outcome call(const std::string& method,
                               const nlohmann::ordered_json& request) const;
    [[nodiscard]] std::filesystem::path log_directory() const { return scratch_ / "logs" / name_; }

    std::filesystem::path scratch_;
    const Containerd& containerd_;
    std::string name_;
    CriPodOptions options_;
    nlohmann::ordered_json config_;
    std::string sandbox_;
    std::map<std::string, std::string> ids_;
};

}  // namespace execseal::e2e
