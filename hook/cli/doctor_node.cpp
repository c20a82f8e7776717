#include "hook/cli/doctor_node.h"

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "config/policy.h"
#include "config/real_runtime.h"
#include "execseal_version.h"
#include "hook/cli/podman_hooks.h"
#include "hook/cli/policy_check.h"
#include "hook/os/captured_run.h"
#include "hook/os/executable.h"
#include "hook/os/file_read.h"

namespace execseal {
namespace {

using nlohmann::ordered_json;

constexpr std::chrono::seconds kDeadline{10};
constexpr std::size_t kLargest = std::size_t{1} << 20U;

std::string first_line(const std::string& text) {
    return text.substr(0, text.find('\n'));
}

void examine_runtime(const std::string& path, Findings& findings) {
    // It hands --version on, and so looks like what stands behind it.
    if (const auto real = real_path(path); real && real->ends_with("/execseal-runtime")) {
        findings.push_back(found_fail("runtime", path + ": is execseal-runtime itself",
                                      "name runc or crun in \"runtimes\" of the settings"));
        return;
    }
    const auto version = run_captured({path, "--version"}, kDeadline);
    if (!version || version->exit_code != 0) {
        findings.push_back(found_fail(
            "runtime", path + ": " + (version ? "--version failed" : version.error().text()),
            "name another one in \"runtimes\" of the settings"));
        return;
    }
    const std::string name = first_line(version->out);
    findings.push_back(found_ok("runtime", path + ": " + name));
    if (name.starts_with("crun")) {
        findings.push_back(version->out.find("+SECCOMP") != std::string::npos
                               ? found_ok("runtime seccomp", path + ": built with libseccomp")
                               : found_fail("runtime seccomp", path + ": built without seccomp",
                                            "use a build with +SECCOMP"));
        return;
    }
    const auto features = run_captured({path, "features"}, kDeadline);
    findings.push_back(features_finding(path, features ? features->out : ""));
}

void examine_policy_file(const std::string& path, const char* subject, const Settings& settings,
                         Findings& findings) {
    const auto policy = load_policy(path, settings);
    if (!policy) {
        findings.push_back(found_fail(subject, policy.error().text(),
                                      "containers that it is for do not start: put it right"));
    }
}

bool is_hook_of_ours(const ordered_json& json) {
    return json.is_object() && json.dump().find("execseal") != std::string::npos;
}

// Where buildah and CRI-O look as well.
bool breaks_others(const ordered_json& json, const std::string& folder) {
    const auto stages = json.find("stages");
    return folder != kExecsealHooksDir && stages != json.end() && stages->is_array() &&
           std::find(stages->begin(), stages->end(), "precreate") != stages->end();
}

void examine_hooks_dir(const std::string& root, Findings& findings) {
    const auto dirs = podman_hooks_dirs(root);
    if (!dirs) {
        findings.push_back(found_fail("podman hook", dirs.error().text(), "put it right"));
    } else if (!dirs->ours) {
        findings.push_back(
            found_fail("podman hook",
                       std::string("no containers.conf names ") + kExecsealHooksDir +
                           " in /engine/hooks_dir: podman runs containers without their policy",
                       "execseal install --podman"));
    }
}

void examine_hook_file(const std::filesystem::path& file, const std::string& folder,
                       const std::string& root, const Settings& settings, Findings& findings) {
    const auto text = read_file(file, kLargest);
    const auto json = ordered_json::parse(text ? text.value() : "", nullptr, false);
    if (!is_hook_of_ours(json)) {
        return;
    }
    const auto pointer = ordered_json::json_pointer("/hook/path");
    const std::string path = json.contains(pointer) && json[pointer].is_string()
                                 ? json[pointer].get<std::string>()
                                 : std::string();
    if (breaks_others(json, folder)) {
        findings.push_back(found_fail(
            "podman hook",
            file.string() + ": left over: podman build and CRI-O fail at its stage \"precreate\"",
            "execseal install --podman puts it into a folder of its own; or remove the file"));
        return;
    }
    if (folder == kExecsealHooksDir) {
        examine_hooks_dir(root, findings);
    }
    if (is_executable(root + path)) {
        findings.push_back(found_ok("podman hook", file.string() + ": " + path));
        if (settings.default_policy) {
            findings.push_back(
                found_warn("podman hook",
                           "podman calls it for annotations of execseal only: the default policy "
                           "does not reach containers without one",
                           "podman --runtime execseal, or runtime = \"execseal\" in the [engine] "
                           "of containers.conf"));
        }
        return;
    }
    findings.push_back(
        found_fail("podman hook",
                   file.string() + ": its hook " + path +
                       " is not there: podman then runs the container without a policy",
                   "install execseal-hook there, or remove the file"));
}

}  // namespace

Finding features_finding(const std::string& runtime, const std::string& features) {
    const auto json = ordered_json::parse(features, nullptr, false);
    const auto enabled = ordered_json::json_pointer("/linux/seccomp/enabled");
    const auto actions = ordered_json::json_pointer("/linux/seccomp/actions");
    if (!json.is_object() || !json.contains(enabled)) {
        return found_warn("runtime seccomp", runtime + ": does not tell its features",
                          "runc 1.1 and later do");
    }
    const bool notifies =
        json[enabled] == true && json.contains(actions) && json[actions].is_array() &&
        std::find(json[actions].begin(), json[actions].end(), "SCMP_ACT_NOTIFY") !=
            json[actions].end();
    if (!notifies) {
        return found_fail("runtime seccomp", runtime + ": cannot notify a supervisor",
                          "use a build with seccomp and libseccomp 2.5 or later");
    }
    const auto annotations =
        ordered_json::json_pointer("/annotations/io.github.seccomp.libseccomp.version");
    const bool tells = json.contains(annotations) && json[annotations].is_string();
    return found_ok("runtime seccomp",
                    runtime + ": can notify" +
                        (tells ? ", libseccomp " + json[annotations].get<std::string>() : ""));
}

void examine_runtimes(const Settings& settings, Findings& findings) {
    bool any = false;
    for (const std::string& name : settings.runtimes) {
        const auto path = find_real_runtime({name}, program_path());
        if (path) {
            any = true;
            examine_runtime(*path, findings);
        }
    }
    if (!any) {
        std::string names;
        for (const std::string& name : settings.runtimes) {
            names += (names.empty() ? "" : ", ") + name;
        }
        findings.push_back(
            found_fail("runtime", "none of " + names + " is on this node",
                       "install runc or crun, or name one in \"runtimes\" of " + settings.path));
    }
}

void examine_programs(const Settings& settings, Findings& findings) {
    const auto version = run_captured({settings.hook, "--version"}, kDeadline);
    if (!version) {
        findings.push_back(found_fail("hook", version.error().text(),
                                      "install it, or set \"hook\" in " + settings.path));
        return;
    }
    const std::string expected = std::string("execseal-hook ") + kVersion;
    findings.push_back(first_line(version->out) == expected
                           ? found_ok("hook", settings.hook + ": " + expected)
                           : found_warn("hook",
                                        settings.hook + ": \"" + first_line(version->out) +
                                            "\", this is " + expected,
                                        "install both from one build"));
}

void examine_places(const Settings& settings, Findings& findings) {
    const std::string advice = "name another one in " + settings.path;
    std::error_code code;
    for (const auto& [subject, path] :
         {std::pair("audit file", settings.audit.file), std::pair("log file", settings.log.file)}) {
        if (std::filesystem::is_directory(path, code)) {
            findings.push_back(found_fail(subject, path + ": is a directory", advice));
        }
    }
    if (std::filesystem::exists(settings.run_dir, code) &&
        !std::filesystem::is_directory(settings.run_dir, code)) {
        findings.push_back(
            found_fail("run_dir", settings.run_dir + ": is not a directory", advice));
    }
}

void examine_policies(const Settings& settings, Findings& findings) {
    const std::size_t before = findings.size();
    std::error_code code;
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(settings.policies_dir, code)) {
        if (entry.path().extension() == ".json") {
            ++count;
            examine_policy_file(entry.path(), "policy", settings, findings);
        }
    }
    if (settings.default_policy) {
        examine_policy_file(policy_file(*settings.default_policy, settings), "default policy",
                            settings, findings);
    }
    if (settings.floor_policy) {
        examine_policy_file(policy_file(*settings.floor_policy, settings), "floor policy", settings,
                            findings);
    }
    if (count == 0 && findings.size() == before && !settings.default_policy) {
        findings.push_back(
            found_warn("policies", "none in " + settings.policies_dir,
                       "write one there, see execseal-policy(5); samples: config/policies, "
                       "installed as share/execseal/policies"));
    } else if (findings.size() == before) {
        findings.push_back(found_ok(
            "policies", std::to_string(count) + " in " + settings.policies_dir + ", all right"));
    }
}

void examine_hooks(const std::string& root, const Settings& settings, Findings& findings) {
    for (const char* directory :
         {kDefaultHooksDir, "/etc/containers/oci/hooks.d", kExecsealHooksDir}) {
        std::error_code code;
        for (const auto& entry : std::filesystem::directory_iterator(root + directory, code)) {
            if (entry.path().extension() == ".json") {
                examine_hook_file(entry.path(), directory, root, settings, findings);
            }
        }
    }
}

void examine_wiring(const NodePlace& place, Findings& findings) {
    for (const NodeProgram program : {NodeProgram::kContainerd, NodeProgram::kCrio,
                                      NodeProgram::kPodman, NodeProgram::kDocker}) {
        if (!is_on_node(program, place.root)) {
            continue;
        }
        const std::string name = node_program_name(program);
        const auto edits = edits_of(program, place, InstallDirection::kInstall);
        if (!edits) {
            findings.push_back(found_warn(name, edits.error().text(), "see the message"));
            continue;
        }
        const bool wired = std::all_of(edits->begin(), edits->end(), [](const FileEdit& edit) {
            return edit.before == edit.after;
        });
        findings.push_back(wired ? found_ok(name, "knows the runtime execseal")
                                 : found_warn(name, "does not know this execseal",
                                              "execseal install --" + name +
                                                  " (--dry-run shows what that changes)"));
    }
}

}  // namespace execseal
