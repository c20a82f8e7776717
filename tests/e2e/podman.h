// Podman: the real podman on storage, state and configuration of its own in the test's scratch
// folder; the host's containers and images are neither seen nor touched.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/e2e/agents.h"
#include "tests/e2e/bundle.h"
#include "tests/e2e/command.h"
#include "tests/e2e/container.h"

namespace execseal::e2e {

// How execseal gets into podman's way.
enum class PodmanEntry {
    kRuntime,   // --runtime execseal-runtime
    kHooksDir,  // the engine itself, and deploy/podman/80-execseal.json in hooks_dir
    kBoth,      // as `execseal install --podman` leaves a node, with --runtime
    kNone,      // the engine itself
};
const char* podman_entry_name(PodmanEntry entry);

// kRootless: a user that no file of the host knows, so that one id is all that its user namespace
// maps; the node is to be handed over to it first.
enum class PodmanUser { kRoot, kRootless };

// A pod "web" with one container "app" (podman's name for it: "web-app"), which runs a shell
// script.
struct KubePod {
    std::string script{};
    std::map<std::string, std::string> annotations{};
    nlohmann::ordered_json security_context = nlohmann::ordered_json::object();
};

class Podman {
  public:
    static constexpr uid_t kRootlessUid = 54321;

    Podman(const Scratch& scratch, const Node& node, Engine engine, PodmanEntry entry,
           PodmanUser user = PodmanUser::kRoot);
    Podman(const Podman&) = delete;
    Podman& operator=(const Podman&) = delete;
    Podman(Podman&&) = delete;
    Podman& operator=(Podman&&) = delete;
    // Removes all containers and pods.
    ~Podman();

    [[nodiscard]] Outcome call(const std::vector<std::string>& words,
                               std::chrono::milliseconds deadline = kDeadline) const;
    // `podman run --rm FLAGS IMAGE ARGV`.
    [[nodiscard]] Outcome run(std::vector<std::string> flags,
                              const std::vector<std::string>& argv) const;
    // `podman kube play FLAGS` of that pod.
    [[nodiscard]] Outcome kube_play(const KubePod& pod,
                                    const std::vector<std::string>& flags = {}) const;
    // The container's config.json as podman wrote it for the runtime.
    [[nodiscard]] std::string config_of(const std::string& name) const;

  private:
    void write_configuration() const;
    void import_images() const;

    std::filesystem::path scratch_;
    const Node& node_;
    Engine engine_;
    PodmanEntry entry_;
    PodmanUser user_;
};

}  // namespace execseal::e2e
