// seccomp_edit: the container's seccomp profile with our calls in it.
//
// Takes the spec's `linux` object, rewrites linux.seccomp in place: permitted target calls
// (notify_set.h) are taken out of every rule and come back as disjoint rules with one mask a call.
// They are never appended beside the old ones, because libseccomp silently drops or reorders rules
// that overlap. Pure. Must never make anything laxer: what the profile denied keeps its rule.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "config/spec/notify_set.h"
#include "hook/os/result.h"

namespace execseal {

struct SeccompEdit {
    std::string listener_path;
    std::string listener_metadata;
    std::string run_dir;  // RUN_DIR/X/seccomp.sock is the mark of an earlier edit of ours
    ForkCalls forks = ForkCalls::kNotified;
    std::string native_architecture;  // SCMP_ARCH_...; for containers without a profile
};

// On an Error `linux` is in no defined state; the Error starts with a JSON pointer.
Result<> edit_seccomp(nlohmann::ordered_json& linux, const SeccompEdit& edit);

}  // namespace execseal
