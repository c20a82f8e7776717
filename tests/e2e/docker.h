// Docker: a real dockerd of the test's own (data, state, socket and containerd in the scratch
// folder) that reads deploy/docker/daemon.json; the host's Docker is not touched.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "tests/e2e/agents.h"
#include "tests/e2e/bundle.h"
#include "tests/e2e/command.h"
#include "tests/e2e/container.h"

namespace execseal::e2e {

class Docker {
  public:
    Docker(const Scratch& scratch, const Node& node, Engine engine);
    Docker(const Docker&) = delete;
    Docker& operator=(const Docker&) = delete;
    Docker(Docker&&) = delete;
    Docker& operator=(Docker&&) = delete;
    // Removes all containers and ends the daemon.
    ~Docker();

    // `docker WORDS`.
    [[nodiscard]] Outcome call(std::vector<std::string> words,
                               std::chrono::milliseconds deadline = kDeadline) const;
    // `docker run FLAGS IMAGE ARGV`; FLAGS choose the runtime, without one it is plain runc.
    [[nodiscard]] Outcome run(const std::vector<std::string>& flags,
                              const std::vector<std::string>& argv) const;
    // A running container's config.json.
    [[nodiscard]] std::string config_of(const std::string& name) const;

  private:
    std::filesystem::path scratch_;
    std::unique_ptr<Running> daemon_;
};

}  // namespace execseal::e2e
