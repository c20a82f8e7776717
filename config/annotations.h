// The annotations of a container's config.json: which of them are ours, and what those of the
// engines tell of the container.
//
// Pure. Errors are one line that names `origin` (the document) and the annotation.
#pragma once

#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "hook/os/result.h"

namespace execseal {

using Annotations = std::map<std::string, std::string>;

inline constexpr std::string_view kPolicyKey = "io.execseal.policy";
inline constexpr std::string_view kPolicyOfKey = "io.execseal.policy.";  // and a container's name
inline constexpr std::string_view kModeKey = "io.execseal.mode";

// None where config.json (`spec`) has none.
Result<Annotations> read_annotations(const nlohmann::ordered_json& spec, const std::string& origin);

// Those that mean us: with "execseal" in their key, in any case and anywhere.
Annotations own_annotations(const Annotations& annotations);
// A key that was meant for us must not leave a container without its policy. `name`: of the
// container, empty where the engine does not tell it.
Result<> check_own_annotations(const Annotations& own, const std::string& name,
                               const std::string& origin);

// Whose container it is, by where its bundle lies.
enum class Cri { kNone, kContainerd, kCrio };
// containerd: BundlePath of runtime v2, in the namespace of its CRI plugin. CRI-O: the run root of
// containers/storage (podman's bundles lie in the graph root, which is not below /run).
Cri cri_of(const std::string& container_id, const std::string& bundle);

// Without the keys that the container's manager does not set itself: an author may have.
Annotations vouched_for(Annotations annotations, Cri cri);

// A pod's pause container gets the pod's annotations too; nobody execs in it. Annotations alone are
// not believed: an image or a pod's author may have written them, and who chooses the container's
// id can write that, too.
bool is_sandbox(const Annotations& annotations, const std::string& container_id, Cri cri);

// Empty where no engine tells them. Container names repeat from pod to pod, which is
// NAMESPACE/NAME.
std::string container_name(const Annotations& annotations);
std::string pod_of(const Annotations& annotations);

Error annotation_error(const std::string& origin, std::string_view key, std::string_view text);

}  // namespace execseal
