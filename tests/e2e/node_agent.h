// NodeAgent: a real `execseal-hook agent` of a test's node, started plainly or by a stand-in for
// the service manager, and what it says to a scraper.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/e2e/agents.h"
#include "tests/e2e/bundle.h"
#include "tests/e2e/command.h"

namespace execseal::e2e {

// What systemd does for the two units in deploy/systemd: it owns the socket, listens to the
// notifications, and keeps descriptors until they hang up.
class ServiceManagerDouble {
  public:
    explicit ServiceManagerDouble(const Scratch& scratch, const Node& node);

    // `command` as a service of it, with all that is stored by now.
    [[nodiscard]] Command service(Command command) const;
    // Takes what has been said since the last time.
    void receive();
    [[nodiscard]] int said(const std::string& assignment) const;
    [[nodiscard]] std::size_t stored() const { return stored_.size(); }

  private:
    std::filesystem::path notify_path_;
    UniqueFd socket_;
    UniqueFd notify_;
    std::map<std::string, int> said_;
    std::vector<std::pair<std::string, UniqueFd>> stored_;
};

class NodeAgent {
  public:
    // Waits until it listens. `manager`: null, or who starts it.
    NodeAgent(const Scratch& scratch, Node& node, ServiceManagerDouble* manager = nullptr);

    // GET /metrics at the settings' address; throws when there is no answer.
    [[nodiscard]] std::string scrape() const;
    // The value of one sample, as it stands in the text; "" when there is none.
    [[nodiscard]] std::string sample(const std::string& name_and_labels) const;
    void signal(int number) const { agent_->signal(number); }
    Outcome wait() { return agent_->wait(); }

    // `execseal-hook profile ARGUMENTS` into a file.
    [[nodiscard]] std::filesystem::path profile(const std::vector<std::string>& arguments) const;

  private:
    std::filesystem::path scratch_;
    const Node& node_;
    std::filesystem::path metrics_socket_;
    std::unique_ptr<Running> agent_;
};

// Process ids of the supervisors that serve containers of this node.
std::vector<pid_t> supervisors_of(const Node& node);

// Of its first thread.
std::vector<pid_t> children_of(pid_t process);

}  // namespace execseal::e2e
