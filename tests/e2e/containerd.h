// Containerd: a real containerd of the test's own (root, state and socket in the scratch folder),
// with two images and the handlers `runc` (bare) and `execseal`; the host's containerd is not
// touched.
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

class Containerd {
  public:
    Containerd(const Scratch& scratch, const Node& node, Engine engine);
    Containerd(const Containerd&) = delete;
    Containerd& operator=(const Containerd&) = delete;
    Containerd(Containerd&&) = delete;
    Containerd& operator=(Containerd&&) = delete;
    // Ends all containers and the daemon.
    ~Containerd();

    // `ctr WORDS` in the namespace "default".
    [[nodiscard]] Outcome ctr(const std::vector<std::string>& words,
                              std::chrono::milliseconds deadline = kDeadline) const;
    // `ctr run FLAGS IMAGE ID ARGV` with execseal as its runtime binary. The outcome's `out` has
    // all that the container wrote to stdout, and what it wrote to stderr unless that came last
    // (the shim closes the file with stdout's end); its `err` is ctr's own.
    [[nodiscard]] Outcome run(const std::vector<std::string>& flags, const std::string& id,
                              const std::vector<std::string>& argv) const;
    // The container's config.json while it lives; `space`: "k8s.io" for the CRI plugin's.
    [[nodiscard]] std::string config_of(const std::string& id,
                                        const std::string& space = "default") const;
    [[nodiscard]] std::filesystem::path socket() const { return scratch_ / "containerd.sock"; }
    [[nodiscard]] std::string log() const { return daemon_->err(); }

  private:
    void write_configuration() const;
    void start();
    void import_images(const Scratch& scratch) const;
    [[nodiscard]] Outcome call(std::vector<std::string> words,
                               std::chrono::milliseconds deadline) const;

    std::filesystem::path scratch_;
    const Node& node_;
    Engine engine_;
    std::unique_ptr<Running> daemon_;
};

}  // namespace execseal::e2e
