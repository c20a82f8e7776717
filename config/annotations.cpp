#include "config/annotations.h"

#include <algorithm>
#include <initializer_list>
#include <nlohmann/json.hpp>

#include "config/json_document.h"

namespace execseal {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kOurWord = "execseal";

std::string value_of(const Annotations& annotations, std::string_view key) {
    const auto found = annotations.find(std::string(key));
    return found == annotations.end() ? std::string() : found->second;
}

bool has_our_word(std::string_view key) {
    const auto same = [](char a, char b) {
        return (a >= 'A' && a <= 'Z' ? static_cast<char>(a - 'A' + 'a') : a) == b;
    };
    return std::search(key.begin(), key.end(), kOurWord.begin(), kOurWord.end(), same) != key.end();
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

}  // namespace

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

Annotations own_annotations(const Annotations& annotations) {
    Annotations own;
    for (const auto& [key, value] : annotations) {
        if (has_our_word(key)) {
            own[key] = value;
        }
    }
    return own;
}

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

Annotations vouched_for(Annotations annotations, Cri cri) {
    std::erase_if(annotations, [&](const auto& entry) {
        const std::string& key = entry.first;
        return (cri == Cri::kContainerd && key.starts_with("io.kubernetes.") &&
                !key.starts_with("io.kubernetes.cri.")) ||
               (cri == Cri::kCrio && key.starts_with("io.kubernetes.cri."));
    });
    return annotations;
}

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

std::string container_name(const Annotations& annotations) {
    return told_by(annotations,
                   {"io.kubernetes.cri.container-name", "io.kubernetes.container.name",
                    "io.kubernetes.cri-o.ContainerName"},
                   "io.kubernetes.container.name");
}

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

}  // namespace execseal
