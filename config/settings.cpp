#include "config/settings.h"

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "config/glob.h"
#include "config/json_reader.h"
#include "config/policy.h"
#include "config/required_version.h"
#include "config/user_settings.h"
#include "hook/os/user_namespace.h"

namespace execseal {
namespace {

constexpr const char* kNodesSettings = "/etc/execseal/config.json";

std::string absolute_path(const JsonNode& node) {
    std::string path = node.non_empty_string("an absolute path");
    if (!path.empty() && path.front() != '/') {
        node.expected("an absolute path");
    }
    return path;
}

void read_runtimes(const JsonNode& node, std::vector<std::string>& runtimes) {
    runtimes.clear();
    for (const JsonNode& item : node.non_empty_items("a non-empty array of runtimes")) {
        std::string runtime = item.non_empty_string("a program's name or absolute path");
        if (runtime.find('/') != std::string::npos && runtime.front() != '/') {
            item.expected("a program's name or absolute path");
        }
        runtimes.push_back(std::move(runtime));
    }
}

void read_allowed(const JsonNode& node, std::optional<std::vector<std::string>>& allowed) {
    allowed.emplace();
    for (const JsonNode& item :
         node.items("an array of globs (empty: a container may name none)")) {
        std::string pattern = item.non_empty_string("a glob over policy names or absolute paths");
        if (const Result<Glob> glob = Glob::compile(pattern); !glob) {
            item.problem(glob.error().context);
        } else if (pattern.find('/') != std::string::npos &&
                   std::string_view("/*?[\\").find(pattern.front()) == std::string_view::npos) {
            // Neither a name nor an absolute path: it would match nothing.
            item.expected("a glob over policy names or absolute paths");
        }
        allowed->push_back(std::move(pattern));
    }
}

void read_audit(const JsonNode& node, AuditSettings& audit) {
    const JsonObject object =
        node.object({"file", "syslog", "arguments", "events_per_second", "secrets", "on_failure"});
    if (const auto file = object.get("file")) {
        audit.file = file->string("an absolute path, or \"\" for no file");
        if (!audit.file.empty() && audit.file.front() != '/') {
            file->expected("an absolute path, or \"\" for no file");
        }
    }
    if (const auto syslog = object.get("syslog")) {
        audit.syslog = syslog->boolean();
    }
    if (const auto arguments = object.get("arguments")) {
        audit.keep_all = arguments->choice({"short", "all"}) == 1;
    }
    if (const auto rate = object.get("events_per_second")) {
        audit.events_per_second = static_cast<unsigned>(rate->integer(0, 1'000'000));
    }
    if (const auto secrets = object.get("secrets")) {
        for (const JsonNode& item : secrets->items("an array of globs over names")) {
            audit.secrets.push_back(
                item.non_empty_string("a glob over a flag's or variable's name"));
            if (const Result<Glob> glob = Glob::compile(audit.secrets.back()); !glob) {
                item.problem(glob.error().context);
            }
        }
    }
    if (const auto on_failure = object.get("on_failure")) {
        audit.on_failure = on_failure->choice({"continue", "deny"}) == 1
                               ? AuditSettings::OnFailure::kDeny
                               : AuditSettings::OnFailure::kGoOn;
    }
    if (audit.on_failure == AuditSettings::OnFailure::kDeny && audit.file.empty()) {
        node.problem(
            "\"on_failure\": \"deny\": expected a \"file\" (whether syslog keeps an event "
            "cannot be known)");
    }
}

void read_log(const JsonNode& node, LogSettings& log) {
    const JsonObject object = node.object({"level", "file"});
    if (const auto level = object.get("level")) {
        (void)level->choice({"trace", "debug", "info", "warning", "error"});
        log.level = level->string();
    }
    if (const auto file = object.get("file")) {
        log.file = absolute_path(*file);
    }
}

void read_agent(const JsonNode& node, AgentSettings& agent) {
    const JsonObject object = node.object({"socket", "metrics", "supervisors_cgroup"});
    if (const auto socket = object.get("socket")) {
        agent.socket = absolute_path(*socket);
    }
    if (const auto metrics = object.get("metrics")) {
        agent.metrics =
            metrics->non_empty_string("a socket's absolute path, 127.0.0.1:PORT or [::1]:PORT");
    }
    if (const auto cgroup = object.get("supervisors_cgroup")) {
        agent.supervisors_cgroup = absolute_path(*cgroup);
    }
}

void read_supervisor_cpu(const JsonNode& node, SupervisorCpu& cpu) {
    const JsonObject object = node.object({"weight", "quota_percent"});
    if (const auto weight = object.get("weight")) {
        cpu.weight = static_cast<unsigned>(weight->integer(1, 10'000));
    }
    if (const auto quota = object.get("quota_percent")) {
        cpu.quota_percent = static_cast<unsigned>(quota->integer(1, 100'000));
    }
}

void read_deadlines(const JsonNode& node, Deadlines& deadlines) {
    const JsonObject object =
        node.object({"fork_grace_us", "exec_grace_us", "supervisor_start_ms", "remote_read_ms"});
    if (const auto value = object.get("fork_grace_us")) {
        deadlines.fork_grace = std::chrono::microseconds(value->integer(0, 1'000'000));
    }
    if (const auto value = object.get("exec_grace_us")) {
        deadlines.exec_grace = std::chrono::microseconds(value->integer(0, 1'000'000));
    }
    if (const auto value = object.get("supervisor_start_ms")) {
        deadlines.supervisor_start = std::chrono::milliseconds(value->integer(1, 60'000));
    }
    if (const auto value = object.get("remote_read_ms")) {
        deadlines.remote_read = std::chrono::milliseconds(value->integer(1, 60'000));
    }
}

void read_paths(const JsonObject& object, Settings& settings) {
    if (const auto runtimes = object.get("runtimes")) {
        read_runtimes(*runtimes, settings.runtimes);
    }
    if (const auto hook = object.get("hook")) {
        settings.hook = absolute_path(*hook);
    }
    if (const auto run_dir = object.get("run_dir")) {
        settings.run_dir = absolute_path(*run_dir);
    }
    if (const auto policies_dir = object.get("policies_dir")) {
        settings.policies_dir = absolute_path(*policies_dir);
    }
}

std::string read_policy_choice(const JsonNode& node) {
    std::string policy = node.non_empty_string("a policy's name or absolute path");
    if (!policy.empty() && policy.front() != '/' && !is_policy_name(policy)) {
        node.expected("a policy's name or absolute path");
    }
    return policy;
}

void read_choices(const JsonObject& object, Settings& settings) {
    if (const auto policy = object.get("default_policy")) {
        settings.default_policy = read_policy_choice(*policy);
    }
    if (const auto policy = object.get("floor_policy")) {
        settings.floor_policy = read_policy_choice(*policy);
    }
    if (const auto allowed = object.get("allowed_policies")) {
        read_allowed(*allowed, settings.allowed_policies);
    }
    if (const auto mode = object.get("mode")) {
        static constexpr Mode kModes[] = {Mode::kEnforce, Mode::kAudit, Mode::kLearn};
        settings.mode = kModes[mode->choice({"enforce", "audit", "learn"})];
    }
    if (const auto allow = object.get("allow_mode_annotation")) {
        settings.allow_mode_annotation = allow->boolean();
    }
    if (const auto allow = object.get("allow_mode_switch")) {
        settings.allow_mode_switch = allow->boolean();
    }
    if (const auto binding = object.get("binding")) {
        using enum Settings::Binding;
        static constexpr Settings::Binding kBindings[] = {kAuto, kKernel, kPtrace};
        settings.binding = kBindings[binding->choice({"auto", "kernel", "ptrace"})];
    }
}

}  // namespace

const char* mode_name(Mode mode) {
    switch (mode) {
        case Mode::kEnforce:
            return "enforce";
        case Mode::kAudit:
            return "audit";
        case Mode::kLearn:
            return "learn";
    }
    return "enforce";
}

std::string settings_path() {
    // NOLINTNEXTLINE(concurrency-mt-unsafe): read once at start; no thread of ours calls setenv
    const char* const home = std::getenv("HOME");
    return settings_path_at(home != nullptr ? home : "");
}

std::string settings_path_at(const std::string& home) {
    // NOLINTNEXTLINE(concurrency-mt-unsafe): as above
    const char* const path = std::getenv("EXECSEAL_CONFIG");
    if (path != nullptr && *path != '\0') {
        return path;
    }
    if (home.starts_with('/') && !is_root_of_the_node()) {
        std::string own = home + "/.config/execseal/config.json";
        std::error_code code;
        if (std::filesystem::exists(own, code)) {
            return own;
        }
    }
    return kNodesSettings;
}

Error with_users_way(const Settings& settings, Error error) {
    if (is_root_of_the_node() || !settings_may_be_absent(settings.path)) {
        return error;
    }
    return add_context(
        "the node's settings are for root's containers (for your own: execseal install --user)",
        error);
}

bool settings_may_be_absent(const std::string& path) {
    return path == kNodesSettings;
}

std::string policy_file(const std::string& choice, const Settings& settings) {
    return choice.starts_with('/') ? choice : settings.policies_dir + "/" + choice + ".json";
}

Result<Settings> load_settings(const std::string& path) {
    Settings settings;
    settings.path = path;
    const Result<nlohmann::ordered_json> json = load_json(path);
    if (!json) {
        if (json.error().code == ENOENT && settings_may_be_absent(path)) {
            settings.agent.socket = settings.run_dir + "/agent.sock";
            return settings;
        }
        return json.error();
    }
    JsonProblems problems(path);
    check_required_version(json.value(), problems);
    const JsonObject object =
        JsonNode(json.value(), problems)
            .object({"requires", "runtimes", "hook", "run_dir", "policies_dir", "default_policy",
                     "floor_policy", "allowed_policies", "mode", "allow_mode_annotation",
                     "allow_mode_switch", "binding", "audit", "log", "agent", "supervisor_cpu",
                     "deadlines"});
    read_paths(object, settings);
    read_choices(object, settings);
    if (const auto audit = object.get("audit")) {
        read_audit(*audit, settings.audit);
    }
    if (const auto log = object.get("log")) {
        read_log(*log, settings.log);
    }
    if (const auto agent = object.get("agent")) {
        read_agent(*agent, settings.agent);
    }
    if (const auto cpu = object.get("supervisor_cpu")) {
        read_supervisor_cpu(*cpu, settings.supervisor_cpu);
    }
    if (const auto deadlines = object.get("deadlines")) {
        read_deadlines(*deadlines, settings.deadlines);
    }
    if (settings.agent.socket.empty()) {
        settings.agent.socket = settings.run_dir + "/agent.sock";
    }
    if (problems.first()) {
        return *problems.first();
    }
    return settings;
}

}  // namespace execseal
