#include "config/spec/seccomp_edit.h"

#include <algorithm>
#include <cerrno>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "config/spec/seccomp_rules.h"

namespace execseal {
namespace {

using Json = nlohmann::ordered_json;

// kEarlierEdit: the profile carries a listenerPath of ours, so its rules on target calls must be
// exactly what an edit writes.
enum class Origin { kEngine, kEarlierEdit };

// As config/plan.h lays it out below run_dir.
constexpr std::string_view kListenerName = "/seccomp.sock";

// What the profile says of one target call, whatever rules it takes to say so.
struct CallState {
    bool permitted = false;
    SeccompAction action;         // of a permitted call
    std::uint64_t forbidden = 0;  // of a permitted call: flag bits that must be 0
};

const SeccompAction kNotifyAction{ActionKind::kNotify, "SCMP_ACT_NOTIFY", 0};
const SeccompAction kAllowAction{ActionKind::kPermit, "SCMP_ACT_ALLOW", 0};
const SeccompAction kNosysAction{ActionKind::kDeny, "SCMP_ACT_ERRNO", ENOSYS};
const SeccompAction kPermAction{ActionKind::kDeny, "SCMP_ACT_ERRNO", EPERM};

bool is_permit(const CallRule& rule) {
    return rule.action.kind == ActionKind::kPermit;
}
bool is_deny(const CallRule& rule) {
    return rule.action.kind == ActionKind::kDeny;
}

Error not_understood(const TargetCall& call, const CallRule& rule) {
    return make_error(rule.pointer + ": rules for " + std::string(call.name) +
                      " contradict or overlap, expected one that allows or one that denies it");
}

// All subsets of the deciding bits, in a fixed order.
std::vector<std::uint64_t> flag_combinations(std::uint64_t bits) {
    std::vector<std::uint64_t> result;
    std::uint64_t subset = 0;
    do {
        result.push_back(subset);
        subset = (subset - bits) & bits;  // the next subset of a bit set
    } while (subset != 0);
    return result;
}

SeccompAction action_for(Treatment treatment, const SeccompAction& kept) {
    switch (treatment) {
        case Treatment::kRefuseNosys:
            return kNosysAction;
        case Treatment::kRefusePerm:
            return kPermAction;
        case Treatment::kNotify:
            return kNotifyAction;
        case Treatment::kKeep:
            return kept;
    }
    return kPermAction;
}

// The rules of a permitted call after the edit. All tests of one call share one mask and differ in
// value, so no two of them can match the same flags.
std::vector<CallRule> edited_rules(const TargetCall& call, const CallState& state,
                                   const SeccompAction& default_action, ForkTracking tracking) {
    std::vector<CallRule> rules;
    for (const std::uint64_t flags : flag_combinations(call.deciding_flags)) {
        if ((flags & state.forbidden) != 0) {
            continue;  // denied by the default before, and so again
        }
        CallRule rule;
        rule.action = action_for(treatment_of(call.name, flags, tracking), state.action);
        if (call.deciding_flags != 0) {
            rule.test = FlagsTest{state.forbidden | call.deciding_flags, flags};
        }
        // Runtimes skip a rule that says what the default says; clone3's stays for the reader.
        if (rule.action != default_action || call.name == "clone3") {
            rules.push_back(std::move(rule));
        }
    }
    return rules;
}

Result<CallState> read_engine_state(const TargetCall& call, const std::vector<CallRule>& rules,
                                    const SeccompAction& default_action) {
    for (const CallRule& rule : rules) {
        if (rule.action.kind == ActionKind::kNotify) {
            return make_error(rule.pointer + ": SCMP_ACT_NOTIFY for " + std::string(call.name) +
                              " belongs to another seccomp agent, expected none");
        }
        if (rule.action.kind == ActionKind::kTrace) {
            return make_error(rule.pointer + ": SCMP_ACT_TRACE for " + std::string(call.name) +
                              " lets a tracer in the container decide, expected another action");
        }
    }
    if (rules.empty()) {
        return CallState{default_action.kind == ActionKind::kPermit, default_action, 0};
    }
    const auto plain = std::ranges::find_if(rules, [](const CallRule& r) { return !r.test; });
    if (plain != rules.end()) {
        // libseccomp lets an unconditional rule swallow the conditional ones, in either order.
        const bool permitted = is_permit(*plain);
        for (const CallRule& rule : rules) {
            if (is_permit(rule) != permitted) {
                return not_understood(call, rule);
            }
        }
        return CallState{permitted, plain->action, 0};
    }
    // {ALLOW when no namespace flag is set}, all else to a denying default: moby, containerd,
    // CRI-O.
    const CallRule& first = rules.front();
    for (const CallRule& rule : rules) {
        if (call.name != "clone" || !is_permit(rule) || rule.test->value != 0 ||
            rule.test != first.test || rule.action != first.action ||
            default_action.kind != ActionKind::kDeny) {
            return not_understood(call, rule);
        }
    }
    return CallState{true, first.action, first.test->mask};
}

const CallRule* find_value(const std::vector<CallRule>& rules, std::uint64_t value) {
    const auto found = std::ranges::find_if(
        rules, [&](const CallRule& rule) { return rule.test && rule.test->value == value; });
    return found == rules.end() ? nullptr : &*found;
}

bool same_rules(const std::vector<CallRule>& left, const std::vector<CallRule>& right) {
    return std::ranges::equal(left, right, [](const CallRule& a, const CallRule& b) {
        return a.action == b.action && a.test == b.test;
    });
}

// The state from which an earlier edit made `rules`.
CallState guess_earlier_state(const TargetCall& call, const std::vector<CallRule>& rules,
                              const SeccompAction& default_action) {
    const bool default_permits = default_action.kind == ActionKind::kPermit;
    CallState state{true, default_permits ? default_action : kAllowAction, 0};
    for (const CallRule& rule : rules) {
        if (is_permit(rule)) {
            state.action = rule.action;
        }
    }
    const CallRule& any = rules.front();
    if (any.test && !default_permits) {
        state.forbidden = any.test->mask & ~call.deciding_flags;
        for (const std::uint64_t flag : {kCloneThread, kCloneUntraced, kFilterFlagNewListener}) {
            if ((call.deciding_flags & flag) != 0 && find_value(rules, flag) == nullptr) {
                state.forbidden |= flag;
            }
        }
    }
    return state;
}

Result<CallState> read_earlier_state(const TargetCall& call, const std::vector<CallRule>& rules,
                                     const SeccompAction& default_action) {
    if (rules.empty()) {
        return CallState{default_action.kind == ActionKind::kPermit, default_action, 0};
    }
    if (std::ranges::all_of(rules, [](const CallRule& r) { return is_deny(r) && !r.test; })) {
        return CallState{};
    }
    const CallState state = guess_earlier_state(call, rules, default_action);
    for (const ForkTracking tracking : {ForkTracking::kTracked, ForkTracking::kUntracked}) {
        if (same_rules(rules, edited_rules(call, state, default_action, tracking))) {
            return state;
        }
    }
    return make_error(rules.front().pointer + ": listenerPath is execseal's, but the rules for " +
                      std::string(call.name) + " are not, expected those that execseal writes");
}

// Takes `call` out of every rule that names it; rules left without names go.
void remove_call(Json& syscalls, std::string_view call) {
    for (auto rule = syscalls.begin(); rule != syscalls.end();) {
        Json& names = (*rule)["names"];
        const std::size_t before = names.size();
        for (auto name = names.begin(); name != names.end();) {
            name = name->get_ref<const std::string&>() == call ? names.erase(name) : name + 1;
        }
        rule = names.empty() && before != 0 ? syscalls.erase(rule) : rule + 1;
    }
}

// Calls with 0 rules in an own profile were left to a default that permits.
Result<CallState> read_state(Origin origin, const TargetCall& call,
                             const std::vector<CallRule>& rules,
                             const SeccompAction& default_action) {
    return origin == Origin::kEngine ? read_engine_state(call, rules, default_action)
                                     : read_earlier_state(call, rules, default_action);
}

Result<> rewrite_call(Json& seccomp, const TargetCall& call, Origin origin,
                      const SeccompAction& default_action,
                      const std::vector<std::string>& architectures, ForkTracking tracking) {
    const auto reg = flags_register(call.name, architectures);
    if (!reg) {
        return reg.error();
    }
    const auto rules = rules_of(seccomp, call.name, default_action, *reg);
    if (!rules) {
        return rules.error();
    }
    const auto state = read_state(origin, call, *rules, default_action);
    if (!state) {
        return state.error();
    }
    if (!state->permitted) {
        return Ok{};
    }
    Json& syscalls = seccomp["syscalls"];
    remove_call(syscalls, call.name);
    for (const CallRule& rule : edited_rules(call, *state, default_action, tracking)) {
        syscalls.push_back(make_rule(call.name, rule.action, rule.test, *reg));
    }
    return Ok{};
}

bool is_target(std::string_view name) {
    return std::ranges::find(kTargetCalls, name, &TargetCall::name) != kTargetCalls.end();
}

// Shape, key doubles, and no notify rule but on target calls.
Result<> check_syscalls(const Json& syscalls) {
    if (!syscalls.is_array()) {
        return make_error("/linux/seccomp/syscalls: expected an array");
    }
    for (std::size_t at = 0; at < syscalls.size(); ++at) {
        const Json& rule = syscalls[at];
        const std::string pointer = "/linux/seccomp/syscalls/" + std::to_string(at);
        if (!rule.is_object()) {
            return make_error(pointer + ": expected an object");
        }
        if (auto checked =
                refuse_key_doubles(rule, {"names", "action", "errnoRet", "args"}, pointer);
            !checked) {
            return checked.error();
        }
        const auto names = read_strings(rule, "names", pointer);
        if (!names) {
            return names.error();
        }
        if (names->empty()) {
            return make_error(pointer + "/names: expected at least one name");
        }
        const auto action = read_action(rule, "action", "errnoRet", pointer);
        if (!action) {
            return action.error();
        }
        const auto stranger =
            std::ranges::find_if(*names, [](const auto& name) { return !is_target(name); });
        if (action->kind == ActionKind::kNotify && stranger != names->end()) {
            return make_error(pointer + ": SCMP_ACT_NOTIFY for " + *stranger +
                              " belongs to another seccomp agent, expected none");
        }
    }
    return Ok{};
}

// The default decides for every call that no rule names.
Result<SeccompAction> read_default(const Json& seccomp) {
    auto action = read_action(seccomp, "defaultAction", "defaultErrnoRet", "/linux/seccomp");
    if (!action) {
        return action;
    }
    if (action->kind == ActionKind::kNotify || action->kind == ActionKind::kTrace) {
        return make_error("/linux/seccomp/defaultAction: " + action->name +
                          ": expected one that allows, logs, denies or kills");
    }
    return action;
}

// RUN_DIR/X/seccomp.sock
bool is_listener_of_ours(const std::string& path, const SeccompEdit& edit) {
    const std::string prefix = edit.run_dir + "/";
    if (path == edit.listener_path) {
        return true;
    }
    if (!path.starts_with(prefix) || !path.ends_with(kListenerName) ||
        path.size() <= prefix.size() + kListenerName.size()) {
        return false;
    }
    const std::string_view directory = std::string_view(path).substr(
        prefix.size(), path.size() - prefix.size() - kListenerName.size());
    return directory.find('/') == std::string_view::npos && directory != "." && directory != "..";
}

Result<Origin> read_origin(const Json& seccomp, const SeccompEdit& edit) {
    const auto found = seccomp.find("listenerPath");
    if (found == seccomp.end() || found->is_null()) {
        return Origin::kEngine;
    }
    if (!found->is_string()) {
        return make_error("/linux/seccomp/listenerPath: expected a string");
    }
    const auto& path = found->get_ref<const std::string&>();
    if (path.empty()) {
        return Origin::kEngine;
    }
    if (!is_listener_of_ours(path, edit)) {
        return make_error("/linux/seccomp/listenerPath: \"" + path +
                          "\" belongs to another seccomp agent; a process tree can have one "
                          "listener only, expected none");
    }
    return Origin::kEarlierEdit;
}

// For containers that run without a profile: only our rules. The compat entry points are listed,
// since a call through an architecture that is not kills the thread (SCMP_FLTATR_ACT_BADARCH).
Json minimal_profile(const std::string& native) {
    Json profile = Json::object();
    profile["defaultAction"] = "SCMP_ACT_ALLOW";
    Json architectures = Json::array({native});
    if (native == "SCMP_ARCH_X86_64") {
        architectures.push_back("SCMP_ARCH_X86");
        architectures.push_back("SCMP_ARCH_X32");
    } else if (native == "SCMP_ARCH_AARCH64") {
        architectures.push_back("SCMP_ARCH_ARM");
    } else if (native == "SCMP_ARCH_S390X") {
        architectures.push_back("SCMP_ARCH_S390");
    }
    profile["architectures"] = std::move(architectures);
    return profile;
}

// runc takes a block with neither a default nor rules as none (specconv SetupSeccomp()).
bool says_nothing(const Json& seccomp) {
    const auto absent = [&](const char* key) {
        const auto found = seccomp.find(key);
        return found == seccomp.end() || found->is_null() || found->empty();
    };
    return absent("defaultAction") && absent("syscalls");
}

}  // namespace

Result<> edit_seccomp(Json& linux, const SeccompEdit& edit) {
    if (auto checked = refuse_key_doubles(linux, {"seccomp"}, "/linux"); !checked) {
        return checked;
    }
    Json& seccomp = linux["seccomp"];
    if (seccomp.is_null()) {
        seccomp = minimal_profile(edit.native_architecture);
    }
    if (!seccomp.is_object()) {
        return make_error("/linux/seccomp: expected an object");
    }
    if (auto checked = refuse_key_doubles(seccomp,
                                          {"defaultAction", "defaultErrnoRet", "architectures",
                                           "flags", "listenerPath", "listenerMetadata", "syscalls"},
                                          "/linux/seccomp");
        !checked) {
        return checked;
    }
    const auto origin = read_origin(seccomp, edit);
    if (!origin) {
        return origin.error();
    }
    if (says_nothing(seccomp)) {
        const Json minimal = minimal_profile(edit.native_architecture);
        for (const auto& [key, value] : minimal.items()) {
            seccomp[key] = value;
        }
    }
    const auto default_action = read_default(seccomp);
    if (!default_action) {
        return default_action.error();
    }
    auto architectures = read_strings(seccomp, "architectures", "/linux/seccomp");
    if (!architectures) {
        return architectures.error();
    }
    // A profile without architectures stays so: adding compat ones would permit calls that it
    // kills.
    if (architectures->empty()) {
        architectures->push_back(edit.native_architecture);
    }
    if (seccomp["syscalls"].is_null()) {
        seccomp["syscalls"] = Json::array();
    }
    if (auto checked = check_syscalls(seccomp["syscalls"]); !checked) {
        return checked;
    }
    for (const TargetCall& call : kTargetCalls) {
        if (auto done = rewrite_call(seccomp, call, *origin, *default_action, *architectures,
                                     edit.tracking);
            !done) {
            return done;
        }
    }
    seccomp["listenerPath"] = edit.listener_path;
    seccomp["listenerMetadata"] = edit.listener_metadata;
    return Ok{};
}

}  // namespace execseal
