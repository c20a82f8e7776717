// seccomp_rules: the rules of an OCI seccomp profile, as far as an edit must understand them.
//
// Takes linux.seccomp as JSON, gives typed views of the rules that name one call. Understands the
// shapes of the containers/common, moby and containerd profiles: an unconditional rule, or one
// SCMP_CMP_MASKED_EQ on the register that holds the flags. Anything else on a target call is an
// Error, never a guess.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

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

// (flags & mask) == value
struct FlagsTest {
    std::uint64_t mask = 0;
    std::uint64_t value = 0;
    friend bool operator==(const FlagsTest&, const FlagsTest&) = default;
};

struct CallRule {
    SeccompAction action;
    std::optional<FlagsTest> test;  // nullopt: unconditional
    std::string pointer;            // JSON pointer of the rule, for errors
};

// Which register holds the flags of `call`; nullopt: rules on it may have no arguments. The
// profile's architectures decide for clone: s390 has the stack first (clone(2), "C
// library/kernel differences"). An architecture that is not known is an Error.
Result<std::optional<unsigned>> flags_register(std::string_view call,
                                               const std::vector<std::string>& architectures);

// The rules that name `call`, in order. Rules that say what the default says anyway are left out,
// since runc and crun leave them out, too (libcontainer/seccomp matchCall(), crun
// libcrun_generate_seccomp()).
Result<std::vector<CallRule>> rules_of(const nlohmann::ordered_json& seccomp, std::string_view call,
                                       const SeccompAction& default_action,
                                       std::optional<unsigned> flags_register);

nlohmann::ordered_json make_rule(std::string_view call, const SeccompAction& action,
                                 std::optional<FlagsTest> test,
                                 std::optional<unsigned> flags_register);

// Strings of an array member; an absent or null member is empty.
Result<std::vector<std::string>> read_strings(const nlohmann::ordered_json& object, const char* key,
                                              const std::string& pointer);

// runc reads keys without regard to case (encoding/json): a "Seccomp" that is kept as unknown would
// replace the "seccomp" that was edited. An Error when `object` has such a double of one of `keys`.
Result<> refuse_key_doubles(const nlohmann::ordered_json& object,
                            const std::vector<std::string_view>& keys, const std::string& pointer);

}  // namespace execseal
