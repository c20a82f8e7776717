// Plan: what execseal will do for one container, decided from its config.json and the node's
// settings.
//
// The shim makes it and edits the spec by it, the hook makes it again and compares it with what the
// supervisor was started with, the supervisor lives by it. Pure apart from reading the policy
// files.
#pragma once

#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "config/policy.h"
#include "config/settings.h"
#include "hook/os/result.h"

namespace execseal {

struct PolicyRef {
    std::string name;
    std::string path;
    std::string sha256;  // of the file's bytes when the plan was made, hex
    friend bool operator==(const PolicyRef&, const PolicyRef&) = default;
};

struct Plan {
    std::string container_id;
    std::string container_name;  // io.kubernetes.cri.container-name and the like, else empty
    std::string pod;             // NAMESPACE/NAME where the runtime tells, else empty
    std::string bundle;          // absolute
    PolicyRef policy;
    std::optional<PolicyRef> floor;
    Mode mode = Mode::kEnforce;
    std::map<std::string, std::string> annotations;  // those that chose: io.execseal.*
    // <run_dir>/<id>-<8 hex of id and bundle>, 0700, owned by the supervisor.
    std::string container_dir;
    std::string listener_path;  // in it, see hook/os/state_dir.h; the runtime sends listeners there
    std::string control_path;   // in it; hook and CLI ask the supervisor there
    bool track_forks = true;    // see tracks_forks()
    friend bool operator==(const Plan&, const Plan&) = default;
};

// Whether the runtime's caller, a CRI implementation, vouches for the annotations that name the
// container and its pod, and for those of a sandbox: it sets them itself, over what the container's
// author wrote. Known by where it keeps its bundles, which no author chooses. False: name and pod
// are the author's claims.
bool names_are_vouched_for(const std::string& container_id, const std::string& bundle);

// Whether the fork-class calls of a container are in its filter at all. What only observes (the
// modes audit and learn) binds nothing; a floor is enforced in every mode. A rule about lineage has
// to know who makes whom in any mode. `floor` may be null.
bool tracks_forks(Mode mode, const Policy& policy, const Policy* floor);
// The part of it that is enforced: who may write to an exec's memory has to be known.
bool binds_by_forks(Mode mode, const Policy& policy, const Policy* floor);

// nullopt: the container is not ours (no annotation and no default; a sandbox container that a CRI
// implementation vouches for, see names_are_vouched_for()) and passes untouched. `spec` is the
// container's config.json; `bundle` must be absolute. Errors are one line naming the annotation or
// the file.
Result<std::optional<Plan>> plan_container(const nlohmann::ordered_json& spec,
                                           const std::string& container_id,
                                           const std::string& bundle, const Settings& settings);

// A container whose ready profile names the node agent's socket: no shim and no hook saw its
// config.json, the agent learns of it when the runtime sends the listener.
struct ProfileContainer {
    std::string id;
    std::string policy;                              // the profile's listenerMetadata
    std::string bundle;                              // as the runtime says it, for the reader
    std::map<std::string, std::string> annotations;  // of these only the names are used
};

// The policy is the profile's, the node's default where it names none; what a container may choose
// and the floor hold as for an annotation.
Result<Plan> plan_profile(const ProfileContainer& container, const Settings& settings);
// The same without the policies: of the result only the id and the paths are set. For a container
// that is served already, whatever has become of its policy's file.
Result<Plan> place_profile(const std::string& container_id, const Settings& settings);

// The policy of a plan, read again; an Error if the file is no longer the one the plan was made
// with.
Result<Policy> load_planned_policy(const PolicyRef& ref);

struct ReadPolicy {
    Policy policy;
    std::string sha256;  // of the file's bytes, hex
};
// The policy of a plan as its file is now, checked as when the plan was made.
Result<ReadPolicy> read_policy_again(const PolicyRef& ref);

}  // namespace execseal
