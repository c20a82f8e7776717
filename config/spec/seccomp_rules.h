// seccomp_rules: the rules of an OCI seccomp profile, as far as an edit must understand them.
//
// Takes linux.seccomp as JSON, gives typed views of the rules that name one call, with any
// comparisons. What libseccomp would not take is an Error, never a guess.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "config/spec/argument_cells.h"
#include "hook/os/result.h"

namespace execseal {

// kTrace is no denial: a tracer inside the container could let the call pass.
enum class ActionKind { kDeny, kNotify, kTrace, kPermit };

struct SeccompAction {
    ActionKind kind = ActionKind::kDeny;
    std::string name;  // SCMP_ACT_...; KILL_THREAD reads as its synonym KILL
    int errno_ret =
        0;  // for ERRNO and TRACE; EPERM when the profile names none, as in runc and crun
    friend bool operator==(const SeccompAction&, const SeccompAction&) = default;
};

// `name_key` and `errno_key` are "action"/"errnoRet" of a rule or
// "defaultAction"/"defaultErrnoRet".
Result<SeccompAction> read_action(const nlohmann::ordered_json& object, const char* name_key,
                                  const char* errno_key, const std::string& pointer);

struct CallRule {
    SeccompAction action;
    std::vector<Comparison> comparisons;  // all of them must hold; none: unconditional
    std::string pointer;                  // JSON pointer of the rule, for errors
};

// What the profile's architectures (SCMP_ARCH_...) mean for an edit. One that is not known is an
// Error.
struct ArchitectureFacts {
    // Which argument of clone holds its flags: s390 has the stack first (clone(2), "C
    // library/kernel differences").
    unsigned clone_flags = 0;
    // libseccomp drops the upper halves of values there.
    bool any_32_bit = false;
};
Result<ArchitectureFacts> read_architectures(const std::vector<std::string>& names);

// The rules that name `call`, in order. Rules that say what the default says anyway are left out,
// since runc and crun leave them out, too (libcontainer/seccomp matchCall(), crun
// libcrun_generate_seccomp()). A rule with several comparisons on one argument comes as one rule
// for each comparison of it, which is what both runtimes make of it.
Result<std::vector<CallRule>> rules_of(const nlohmann::ordered_json& seccomp, std::string_view call,
                                       const SeccompAction& default_action);

nlohmann::ordered_json make_rule(std::string_view call, const SeccompAction& action,
                                 const ArgumentCell& cell);

// Strings of an array member; an absent or null member is empty.
Result<std::vector<std::string>> read_strings(const nlohmann::ordered_json& object, const char* key,
                                              const std::string& pointer);

// runc reads keys without regard to case (encoding/json): a "Seccomp" that is kept as unknown would
// replace the "seccomp" that was edited. An Error when `object` has such a double of one of `keys`.
Result<> refuse_key_doubles(const nlohmann::ordered_json& object,
                            const std::vector<std::string_view>& keys, const std::string& pointer);

}  // namespace execseal
