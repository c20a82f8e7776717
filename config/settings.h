// Settings: the node owner's file, /etc/execseal/config.json, read by every program.
//
// Without the node's file the defaults below hold; another one that was named must exist. What is
// there is checked strictly (unknown keys are errors).
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "execseal_version.h"
#include "hook/os/result.h"

namespace execseal {

struct AuditSettings {
    std::string file = "/var/log/execseal/audit.jsonl";  // empty: no file
    bool syslog = false;
    // Arguments and variables whole in every event, not only in mode learn.
    bool keep_all = false;
    // Of one container; what is over it is summed up. 0: no limit.
    unsigned events_per_second = 500;
    // Globs over further names of flags, variables and headers whose values are not recorded.
    std::vector<std::string> secrets{};
    // What becomes of an exec whose event cannot be written.
    enum class OnFailure { kGoOn, kDeny };
    OnFailure on_failure = OnFailure::kGoOn;
};

struct LogSettings {
    std::string level = "info";  // trace, debug, info, warning, error
    std::string file = "/var/log/execseal/execseal.log";
};

// `execseal-hook agent`.
struct AgentSettings {
    std::string socket;   // the profiles' listenerPath; empty: RUN_DIR/agent.sock
    std::string metrics;  // a unix socket's path, 127.0.0.1:PORT or [::1]:PORT; empty: none
    // A cgroup's directory that the supervisors move to, so that they outlive the agent where its
    // own is cleared (a Kubernetes pod); empty: they stay in the agent's.
    std::string supervisors_cgroup;
};

// Of the cgroup that a supervisor makes for itself beside the container's; both 0: it makes none.
struct SupervisorCpu {
    unsigned weight = 0;         // cpu.weight: 100 is usual
    unsigned quota_percent = 0;  // of one CPU
};

struct Deadlines {
    // How long a fork may take to show its event before the caller is interrupted (design: 500 us).
    std::chrono::microseconds fork_grace{500};
    std::chrono::microseconds exec_grace{500};
    std::chrono::milliseconds supervisor_start{3000};
    std::chrono::milliseconds remote_read{1000};
};

// enforce: verdicts are carried out. audit: what the container's policy would refuse is executed
// and marked. learn: as audit, for a policy that is still to be written. A floor policy is enforced
// in every mode.
enum class Mode { kEnforce, kAudit, kLearn };
const char* mode_name(Mode mode);

struct Settings {
    std::string path;  // where it was read from
    std::vector<std::string> runtimes{
        "runc", "crun"};  // the first that exists on PATH (or an absolute path)
    std::string hook = kInstalledHook;
    std::string run_dir = "/run/execseal";
    std::string policies_dir = "/etc/execseal/policies.d";
    std::optional<std::string>
        default_policy;  // for containers that name none; absent: they pass untouched
    std::optional<std::string>
        floor_policy;  // always judged too, for every container that is supervised
    // Globs over the names and absolute paths that a container may choose; absent: any name in
    // policies_dir, no paths.
    std::optional<std::vector<std::string>> allowed_policies;
    Mode mode = Mode::kEnforce;  // for containers that name none
    // May a container's annotation io.execseal.mode weaken the mode? Absent: only where there is no
    // default_policy, since an author who could have left the policy off may as well weaken it.
    std::optional<bool> allow_mode_annotation;
    // May `execseal mode` weaken the mode of a running container? Where it may, the filters of new
    // containers are made as for the mode enforce.
    bool allow_mode_switch = false;
    // What makes that an exec runs as it was judged: the kernel itself (BPF) or ptrace. kAuto: the
    // kernel where the node can, else ptrace; kKernel: no container starts where it cannot.
    enum class Binding { kAuto, kKernel, kPtrace };
    Binding binding = Binding::kPtrace;
    AuditSettings audit;
    LogSettings log;
    AgentSettings agent;
    SupervisorCpu supervisor_cpu;
    Deadlines deadlines;
};

// EXECSEAL_CONFIG, else /etc/execseal/config.json.
std::string settings_path();
// A file that somebody named (EXECSEAL_CONFIG, --config) may not: a typo there must not quietly
// leave a node without its floor policy.
bool settings_may_be_absent(const std::string& path);
Result<Settings> load_settings(const std::string& path);

// Where the policy is that a container or the settings name: NAME.json in policies_dir, or the
// absolute path itself.
std::string policy_file(const std::string& choice, const Settings& settings);

}  // namespace execseal
