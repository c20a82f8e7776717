#include "config/plan.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string_view>
#include <vector>

#include "config/annotations.h"
#include "config/digest.h"
#include "config/glob.h"
#include "config/json_reader.h"
#include "config/policy.h"
#include "hook/os/file_read.h"
#include "hook/os/state_dir.h"

namespace execseal {
namespace {

using Json = nlohmann::ordered_json;
constexpr std::size_t kSunPath = 108;  // sockaddr_un.sun_path with its NUL, unix(7)
constexpr std::size_t kIdInDirectory = 40;

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
    // Where the mode of a running container may be switched, its filter is made for the strictest.
    const Mode mode = settings.allow_mode_switch ? Mode::kEnforce : plan.mode;
    plan.track_forks = tracks_forks(mode, chosen->policy, nullptr);
    if (settings.floor_policy) {
        const Result<LoadedRef> floor =
            load_ref(*settings.floor_policy, settings, settings.path + ": /floor_policy");
        if (!floor) {
            return floor.error();
        }
        plan.floor = floor->ref;
        plan.track_forks = tracks_forks(mode, chosen->policy, &floor->policy);
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
    plan.listener_path = plan.container_dir + std::string(kListenerFile);
    plan.control_path = plan.container_dir + std::string(kControlFile);
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

bool binds_by_forks(Mode mode, const Policy& policy, const Policy* floor) {
    return (mode == Mode::kEnforce && policy.needs_fork_tracking()) ||
           (floor != nullptr && floor->needs_fork_tracking());
}

bool tracks_forks(Mode mode, const Policy& policy, const Policy* floor) {
    return binds_by_forks(mode, policy, floor) || policy.sees_lineage() ||
           (floor != nullptr && floor->sees_lineage());
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
    plan.annotations = own_annotations(annotations.value());
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

Result<ReadPolicy> read_policy_again(const PolicyRef& ref) {
    const Result<std::string> text = read_file(ref.path, kPolicyBytes);
    if (!text) {
        return text.error();
    }
    Result<Policy> policy = Policy::parse(text.value(), ref.path);
    if (!policy) {
        return policy.error();
    }
    if (policy->name() != ref.name) {
        return make_error(ref.path + ": /name: expected \"" + ref.name +
                          "\", the name that it had, got \"" + policy->name() + "\"");
    }
    return ReadPolicy{std::move(policy).value(), sha256_hex(text.value())};
}

}  // namespace execseal
