// Who answers a container's notifications in a test: the floor agent (tests/targets/floor_agent.c)
// or execseal, with settings, policies and audit file of its own in the test's scratch folder.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/e2e/bundle.h"
#include "tests/e2e/command.h"
#include "tests/e2e/container.h"

namespace execseal::e2e {

class FloorAgent {
  public:
    enum class Kind {
        kContinue,      // says CONTINUE to everything
        kContinueSync,  // the same with SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP (Linux 6.6)
        // What no gate can save, a step more each (tests/targets/bare_gate.h).
        kGateForks,
        kGateExecs,
        kGateVerify,
        kGateFreeze,
        kNaive,  // looks at the caller's memory, then says CONTINUE: the agent that attacks beat
    };
    FloorAgent(Kind kind, const Scratch& scratch);
    [[nodiscard]] const std::filesystem::path& socket() const { return socket_; }

  private:
    std::filesystem::path socket_;
    Running agent_;
};

// Whether this build has the BPF programs; a test without them is skipped.
bool can_bind_in_kernel();

// A node with execseal installed: run_dir, policies and audit file lie in the scratch folder.
class Node {
  public:
    explicit Node(const Scratch& scratch, Engine engine = Engine::kRunc);

    // policies.d/NAME.json; containers choose it by the annotation io.execseal.policy = NAME.
    Node& policy(const std::string& name, const nlohmann::ordered_json& policy);
    // The settings file, for what has no setter; write() after a change.
    [[nodiscard]] nlohmann::ordered_json& settings() { return settings_; }
    void write() const;

    // Execs are bound by "kernel", "auto" or "ptrace", in a node with a bpffs, as systemd mounts
    // it.
    Node& binding(const std::string& how);

    // To a user without rights: the scratch folder, with copies of the programs in it, since the
    // build tree may be out of that user's reach.
    void hand_over(uid_t owner);

    // execseal-runtime in front of the node's engine.
    [[nodiscard]] Runtime runtime() const;
    // The same as one program that needs nothing in its environment: engines hand on little of
    // theirs, where a real node has its settings in /etc/execseal.
    [[nodiscard]] std::filesystem::path runtime_script() const;
    // The audit file, parsed; all events so far, in order.
    [[nodiscard]] std::vector<nlohmann::json> events() const;
    // Those about one program. An exec's event is written a little after the exec itself went on or
    // was refused: waits until there are `at_least` so many.
    [[nodiscard]] std::vector<nlohmann::json> events_of(const std::string& exe,
                                                        std::size_t at_least = 1) const;
    // What the one supervisor that runs answers on its control socket; {} where none does.
    [[nodiscard]] nlohmann::ordered_json ask_supervisor(const std::string& command) const;
    // No supervisor, no socket: waits a little, supervisors remove their directory as the last
    // thing they do.
    [[nodiscard]] bool nothing_left() const;
    [[nodiscard]] const std::filesystem::path& settings_path() const { return settings_path_; }
    [[nodiscard]] std::string hook() const { return settings_["hook"]; }  // execseal-hook
    [[nodiscard]] std::filesystem::path run_dir() const { return scratch_ / "run"; }
    [[nodiscard]] std::filesystem::path log_path() const { return scratch_ / "execseal.log"; }

  private:
    std::filesystem::path scratch_;
    std::filesystem::path settings_path_;
    std::filesystem::path shim_;
    Engine engine_;
    nlohmann::ordered_json settings_;
};

}  // namespace execseal::e2e
