#include "config/plan.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string_view>
#include <vector>

#include "config/digest.h"
#include "config/glob.h"
#include "config/json_reader.h"
#include "config/policy.h"
#include "hook/os/file_read.h"

namespace execseal {
namespace {

using Json = nlohmann::ordered_json;
using Annotations = std::map<std::string, std::string>;

// In any case and anywhere in a key: whoever writes that means us.
constexpr std::string_view kOurWord = "execseal";
constexpr std::string_view kPolicyKey = "io.execseal.policy";
constexpr std::string_view kPolicyOfKey = "io.execseal.policy.";
constexpr std::string_view kModeKey = "io.execseal.mode";
constexpr std::size_t kSunPath = 108;  // sockaddr_un.sun_path with its NUL, unix(7)
constexpr std::size_t kIdInDirectory = 40;

std::string value_of(const Annotations& annotations, std::string_view key) {
    const auto found = annotations.find(std::string(key));
    return found == annotations.end() ? std::string() : found->second;
}

Error annotation_error(const std::string& origin, std::string_view key, std::string_view text) {
    return make_error(origin + ": annotation " + std::string(key) + ": " + std::string(text));
}

Result<Annotations> read_annotations(const Json& spec, const std::string& origin) {
    Annotations annotations;
    if (!spec.is_object()) {
        return make_error(origin + ": /: expected an object");
    }
    const auto found = spec.find("annotations");
    if (found == spec.end() || found->is_null()) {
        return annotations;
    }
    if (!found->is_object()) {
        return make_error(origin + ": /annotations: expected an object of strings");
    }
    for (const auto& [key, value] : found->get_ref<const Json::object_t&>()) {
        if (value.is_null()) {
            annotations[key];  // Go reads null as the empty string
            continue;
        }
        if (!value.is_string()) {
            return annotation_error(origin, key, "expected a string");
        }
        annotations[key] = value.get<std::string>();
    }
    return annotations;
}

bool has_our_word(std::string_view key) {
    const auto same = [](char a, char b) {
        return (a >= 'A' && a <= 'Z' ? static_cast<char>(a - 'A' + 'a') : a) == b;
    };
    return std::search(key.begin(), key.end(), kOurWord.begin(), kOurWord.end(), same) != key.end();
}

enum class Cri { kNone, kContainerd, kCrio };

// containerd: BundlePath of runtime v2, in the namespace of its CRI plugin. CRI-O: the run root of
// containers/storage (podman's bundles lie in the graph root, which is not below /run).
Cri cri_of(const std::string& container_id, const std::string& bundle) {
    if (container_id.empty()) {
        return Cri::kNone;
    }
    if (bundle.ends_with("/io.containerd.runtime.v2.task/k8s.io/" + container_id)) {
        return Cri::kContainerd;
    }
    const bool runs = bundle.starts_with("/run/") || bundle.starts_with("/var/run/");
    return runs && bundle.ends_with("/overlay-containers/" + container_id + "/userdata")
               ? Cri::kCrio
               : Cri::kNone;
}

// Without the keys that the container's manager does not set itself: an author may have.
Annotations vouched_for(Annotations annotations, Cri cri) {
    std::erase_if(annotations, [&](const auto& entry) {
        const std::string& key = entry.first;
        return (cri == Cri::kContainerd && key.starts_with("io.kubernetes.") &&
                !key.starts_with("io.kubernetes.cri.")) ||
               (cri == Cri::kCrio && key.starts_with("io.kubernetes.cri."));
    });
    return annotations;
}

// A pod's pause container gets the pod's annotations too; nobody execs in it. Annotations alone are
// not believed: an image or a pod's author may have written them, and who chooses the container's
// id can write that, too.
bool is_sandbox(const Annotations& annotations, const std::string& container_id, Cri cri) {
    switch (cri) {
        case Cri::kNone:
            return false;
        case Cri::kContainerd:
            return value_of(annotations, "io.kubernetes.cri.container-type") == "sandbox" &&
                   value_of(annotations, "io.kubernetes.cri.sandbox-id") == container_id;
        case Cri::kCrio:
            return value_of(annotations, "io.kubernetes.cri-o.ContainerType") == "sandbox" &&
                   value_of(annotations, "io.kubernetes.cri-o.SandboxID") == container_id;
    }
    return false;
}

// What the first of `keys` says. CRI-O puts the kubelet's labels into one annotation, as JSON.
std::string told_by(const Annotations& annotations, std::initializer_list<std::string_view> keys,
                    const char* label) {
    for (const std::string_view key : keys) {
        if (std::string text = value_of(annotations, key); !text.empty()) {
            return text;
        }
    }
    const auto labels = parse_json(value_of(annotations, "io.kubernetes.cri-o.Labels"),
                                   "io.kubernetes.cri-o.Labels");
    if (labels && labels.value().is_object()) {
        const auto found = labels.value().find(label);
        if (found != labels.value().end() && found->is_string()) {
            return found->get<std::string>();
        }
    }
    return {};
}

std::string container_name(const Annotations& annotations) {
    return told_by(annotations,
                   {"io.kubernetes.cri.container-name", "io.kubernetes.container.name",
                    "io.kubernetes.cri-o.ContainerName"},
                   "io.kubernetes.container.name");
}

// Container names repeat from pod to pod.
std::string pod_of(const Annotations& annotations) {
    const std::string name =
        told_by(annotations, {"io.kubernetes.cri.sandbox-name", "io.kubernetes.pod.name"},
                "io.kubernetes.pod.name");
    if (name.empty()) {
        return {};
    }
    return told_by(annotations,
                   {"io.kubernetes.cri.sandbox-namespace", "io.kubernetes.pod.namespace"},
                   "io.kubernetes.pod.namespace") +
           "/" + name;
}

// A key that was meant for us must not leave a container without its policy.
Result<> check_own_annotations(const Annotations& own, const std::string& name,
                               const std::string& origin) {
    for (const auto& [key, value] : own) {
        const bool of_container = key.starts_with(kPolicyOfKey) && key.size() > kPolicyOfKey.size();
        if (key != kPolicyKey && key != kModeKey && !of_container) {
            return annotation_error(origin, key,
                                    "unknown, expected io.execseal.policy, "
                                    "io.execseal.policy.CONTAINER or io.execseal.mode");
        }
        if (of_container && name.empty()) {
            return annotation_error(origin, key,
                                    "expected a runtime that tells the container's name (CRI), or "
                                    "io.execseal.policy instead");
        }
        if (value.empty()) {
            return annotation_error(origin, key, "expected a non-empty value");
        }
    }
    return Ok{};
}

bool is_clean_path(std::string_view path) {
    if (path.size() < 2 || path.front() != '/' || path.find("//") != std::string_view::npos) {
        return false;
    }
    const std::string closed = std::string(path) + '/';
    return closed.find("/./") == std::string::npos && closed.find("/../") == std::string::npos &&
           path.back() != '/';
}

struct LoadedRef {
    PolicyRef ref;
    Policy policy;
};

// `source` names who asked for it in errors: the annotation, or the settings' key.
Result<LoadedRef> load_ref(const std::string& wanted, const Settings& settings,
                           const std::string& source) {
    const std::string quoted = source + ": \"" + wanted + "\": ";
    PolicyRef ref;
    if (wanted.starts_with('/')) {
        if (!is_clean_path(wanted)) {
            return make_error(quoted +
                              "expected an absolute path without \"//\", \".\" and \"..\"");
        }
    } else if (!is_policy_name(wanted)) {
        return make_error(quoted +
                          "expected a policy's name (letters, digits, \".\", \"_\", \"-\") or an "
                          "absolute path");
    }
    ref.path = policy_file(wanted, settings);
    const Result<std::string> text = read_file(ref.path, kPolicyBytes);
    if (!text) {
        return add_context(quoted + "expected a policy file", text.error());
    }
    const Result<Policy> policy = Policy::parse(text.value(), ref.path);
    if (!policy) {
        return add_context(quoted + "expected a valid policy", policy.error());
    }
    ref.name = policy->name();
    if (!wanted.starts_with('/') && ref.name != wanted) {
        return make_error(quoted + "expected " + ref.path + " to have \"name\": \"" + wanted +
                          "\", got \"" + ref.name + "\"");
    }
    ref.sha256 = sha256_hex(text.value());
    return LoadedRef{std::move(ref), *policy};
}

Result<> check_allowed(const std::string& wanted, const Settings& settings,
                       const std::string& source) {
    const std::string quoted = source + ": \"" + wanted + "\": ";
    if (!settings.allowed_policies) {
        if (wanted.starts_with('/')) {
            return make_error(quoted + "expected a policy's name (" + settings.path +
                              " has no allowed_policies, so paths are refused)");
        }
        return Ok{};
    }
    for (const std::string& pattern : *settings.allowed_policies) {
        const Result<Glob> glob = Glob::compile(pattern);
        if (glob && glob->matches(wanted)) {
            return Ok{};
        }
    }
    return make_error(quoted + "expected one of allowed_policies in " + settings.path);
}

struct Choice {
    std::string wanted;
    std::string source;
    bool by_container = false;
};

// The container's own annotation, the pod's, the node's default.
std::optional<Choice> choose_policy(const Annotations& own, const std::string& name,
                                    const Settings& settings, const std::string& origin) {
    const std::string of_container = std::string(kPolicyOfKey) + name;
    for (const std::string& key : {of_container, std::string(kPolicyKey)}) {
        if (const auto found = own.find(key); found != own.end()) {
            Choice choice{found->second, origin, true};
            choice.source.append(": annotation ").append(key);
            return choice;
        }
    }
    if (settings.default_policy) {
        return Choice{*settings.default_policy, settings.path + ": /default_policy", false};
    }
    return std::nullopt;
}

// The plan's mode must be chosen by then.
Result<> load_policies(Plan& plan, const Choice& choice, const Settings& settings) {
    const Result<LoadedRef> chosen = load_ref(choice.wanted, settings, choice.source);
    if (!chosen) {
        return chosen.error();
    }
    plan.policy = chosen->ref;
    plan.track_forks = tracks_forks(plan.mode, chosen->policy, nullptr);
    if (settings.floor_policy) {
        const Result<LoadedRef> floor =
            load_ref(*settings.floor_policy, settings, settings.path + ": /floor_policy");
        if (!floor) {
            return floor.error();
        }
        plan.floor = floor->ref;
        plan.track_forks = tracks_forks(plan.mode, chosen->policy, &floor->policy);
    }
    return Ok{};
}

// An author who could have left the policy off may weaken it; where the node's owner forces one,
// only allow_mode_annotation lets the mode be weakened. The floor is enforced in any mode.
Result<Mode> choose_mode(const Annotations& own, const Settings& settings,
                         const std::string& origin) {
    const auto found = own.find(std::string(kModeKey));
    if (found == own.end()) {
        return settings.mode;
    }
    const std::string source = origin + ": annotation " + found->first;
    for (const Mode mode : {Mode::kEnforce, Mode::kAudit, Mode::kLearn}) {
        if (found->second != mode_name(mode)) {
            continue;
        }
        const bool may_weaken =
            settings.allow_mode_annotation.value_or(!settings.default_policy.has_value());
        if (mode != Mode::kEnforce && settings.mode == Mode::kEnforce && !may_weaken) {
            return make_error(source + ": \"" + found->second + "\": expected \"enforce\" (" +
                              settings.path + " does not have \"allow_mode_annotation\": true)");
        }
        return mode;
    }
    return make_error(source + ": \"" + found->second +
                      "\": expected \"enforce\", \"audit\" or \"learn\"");
}

// `key`: what makes this container's directory its own, beside the id.
Result<> place(Plan& plan, const Settings& settings, const std::string& key) {
    static constexpr std::string_view kIdBytes =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.+-";
    if (plan.container_id.empty() ||
        plan.container_id.find_first_not_of(kIdBytes) != std::string::npos) {
        return make_error("container id \"" + plan.container_id +
                          "\": expected letters, digits, \"_\", \".\", \"+\" and \"-\"");
    }
    const std::string digest = sha256_hex(plan.container_id + std::string(1, '\0') + key);
    plan.container_dir = settings.run_dir + "/" + plan.container_id.substr(0, kIdInDirectory) +
                         "-" + digest.substr(0, 8);
    plan.listener_path = plan.container_dir + "/seccomp.sock";
    plan.control_path = plan.container_dir + "/control.sock";
    const std::size_t longest = std::max(plan.listener_path.size(), plan.control_path.size());
    if (longest >= kSunPath) {
        return make_error(settings.path + ": /run_dir: \"" + settings.run_dir +
                          "\": expected a path at least " + std::to_string(longest - kSunPath + 1) +
                          " bytes shorter, sockets below it must stay under 108 bytes");
    }
    return Ok{};
}

}  // namespace

bool names_are_vouched_for(const std::string& container_id, const std::string& bundle) {
    return cri_of(container_id, bundle) != Cri::kNone;
}

bool tracks_forks(Mode mode, const Policy& policy, const Policy* floor) {
    return (mode == Mode::kEnforce && policy.needs_fork_tracking()) ||
           (floor != nullptr && floor->needs_fork_tracking());
}

Result<std::optional<Plan>> plan_container(const Json& spec, const std::string& container_id,
                                           const std::string& bundle, const Settings& settings) {
    const std::string origin = bundle + "/config.json";
    const Result<Annotations> annotations = read_annotations(spec, origin);
    if (!annotations) {
        return annotations.error();
    }
    const Cri cri = cri_of(container_id, bundle);
    const Annotations told = vouched_for(annotations.value(), cri);
    if (is_sandbox(told, container_id, cri)) {
        return std::optional<Plan>();
    }
    Plan plan;
    plan.container_id = container_id;
    plan.bundle = bundle;
    plan.container_name = container_name(told);
    plan.pod = pod_of(told);
    for (const auto& [key, value] : annotations.value()) {
        if (has_our_word(key)) {
            plan.annotations[key] = value;
        }
    }
    if (Result<> known = check_own_annotations(plan.annotations, plan.container_name, origin);
        !known) {
        return known.error();
    }
    const std::optional<Choice> choice =
        choose_policy(plan.annotations, plan.container_name, settings, origin);
    if (!choice) {
        if (plan.annotations.contains(std::string(kModeKey)) && plan.annotations.size() == 1) {
            return annotation_error(origin, kModeKey, "expected io.execseal.policy beside it");
        }
        return std::optional<Plan>();
    }
    if (choice->by_container) {
        if (Result<> allowed = check_allowed(choice->wanted, settings, choice->source); !allowed) {
            return allowed.error();
        }
    }
    const Result<Mode> mode = choose_mode(plan.annotations, settings, origin);
    if (!mode) {
        return mode.error();
    }
    plan.mode = mode.value();
    if (!bundle.starts_with('/')) {
        return make_error("bundle \"" + bundle + "\": expected an absolute path");
    }
    if (Result<> placed = place(plan, settings, bundle); !placed) {
        return placed.error();
    }
    if (Result<> loaded = load_policies(plan, *choice, settings); !loaded) {
        return loaded.error();
    }
    return std::optional<Plan>(std::move(plan));
}

Result<Plan> place_profile(const std::string& container_id, const Settings& settings) {
    Plan plan;
    plan.container_id = container_id;
    // Not by the bundle: crun says "." for an exec.
    if (Result<> placed = place(plan, settings, "agent"); !placed) {
        return placed.error();
    }
    return plan;
}

Result<Plan> plan_profile(const ProfileContainer& container, const Settings& settings) {
    Result<Plan> placed = place_profile(container.id, settings);
    if (!placed) {
        return placed;
    }
    Plan& plan = *placed;
    const Annotations told =
        vouched_for(container.annotations, cri_of(container.id, container.bundle));
    plan.container_name = container_name(told);
    plan.pod = pod_of(told);
    plan.bundle = container.bundle;
    plan.mode = settings.mode;
    Choice choice{container.policy,
                  "container " + container.id + ": /linux/seccomp/listenerMetadata", true};
    if (container.policy.empty()) {
        if (!settings.default_policy) {
            return make_error(choice.source + ": \"\": expected a policy's name (" + settings.path +
                              " has no default_policy)");
        }
        choice = {*settings.default_policy, settings.path + ": /default_policy", false};
    } else if (Result<> allowed = check_allowed(choice.wanted, settings, choice.source); !allowed) {
        return allowed.error();
    }
    if (Result<> loaded = load_policies(plan, choice, settings); !loaded) {
        return loaded.error();
    }
    return placed;
}

Result<Policy> load_planned_policy(const PolicyRef& ref) {
    const Result<std::string> text = read_file(ref.path, kPolicyBytes);
    if (!text) {
        return text.error();
    }
    if (sha256_hex(text.value()) != ref.sha256) {
        return make_error(ref.path + ": expected the file that was planned with (sha256 " +
                          ref.sha256 + "), it has changed since");
    }
    return Policy::parse(text.value(), ref.path);
}

}  // namespace execseal
