// spec_edit: a container's config.json with execseal in it.
//
// Takes the spec and the plan for the container, gives the edited spec: our calls in the seccomp
// profile (seccomp_edit.h), our listener, our hooks. Pure and idempotent; fields that it does not
// know are kept. Used by the shim, by podman's precreate hook and, as a check, by the createRuntime
// hook. Must never let through what could take the decision from us: another agent's listener, an
// annotation that replaces the filter.
#pragma once

#include <chrono>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "config/plan.h"
#include "config/settings.h"
#include "hook/os/result.h"

namespace execseal {

// What of the node's settings goes into the spec.
struct EditInputs {
    std::string hook;      // absolute path of execseal-hook
    std::string settings;  // the settings file; the hook is told by its environment
    std::string run_dir;
    std::chrono::seconds hook_timeout{10};
    std::string native_architecture;  // SCMP_ARCH_...
};

EditInputs edit_inputs_from(const Settings& settings);

// Errors are one line that starts with a JSON pointer; the caller puts the file's name in front.
Result<nlohmann::ordered_json> edit_spec(nlohmann::ordered_json spec, const Plan& plan,
                                         const EditInputs& inputs);

// Is `spec` what edit_spec made? An Error names the first place where another edit would change it.
Result<> check_edited_spec(const nlohmann::ordered_json& spec, const Plan& plan,
                           const EditInputs& inputs);

}  // namespace execseal
