#include "config/spec/seccomp_edit.h"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "config/spec/argument_cells.h"
#include "config/spec/seccomp_rules.h"
#include "hook/os/state_dir.h"

namespace execseal {
namespace {

using Json = nlohmann::ordered_json;

// kEarlierEdit: the profile carries a listenerPath of ours, so its rules on target calls must be
// exactly what an edit writes.
enum class Origin { kEngine, kEarlierEdit };

// A filter may have 4096 instructions; a call of a real profile has less than 100 cells.
constexpr std::size_t kMaxCells = 256;
constexpr std::uint64_t kLowHalf = 0xffffffff;

// How one profile is read and written.
struct Terms {
    Origin origin = Origin::kEngine;
    SeccompAction default_action;
    ArchitectureFacts architectures;
    ForkCalls forks = ForkCalls::kNotified;
};

struct CellRule {
    SeccompAction action;
    ArgumentCell cell;
    friend bool operator==(const CellRule&, const CellRule&) = default;
};

const SeccompAction kNotifyAction{ActionKind::kNotify, "SCMP_ACT_NOTIFY", 0};
const SeccompAction kAllowAction{ActionKind::kPermit, "SCMP_ACT_ALLOW", 0};
const SeccompAction kNosysAction{ActionKind::kDeny, "SCMP_ACT_ERRNO", ENOSYS};
const SeccompAction kPermAction{ActionKind::kDeny, "SCMP_ACT_ERRNO", EPERM};

bool permits(const SeccompAction& action) {
    return action.kind == ActionKind::kPermit;
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

// What a runtime's filter says of all calls of one cell.
class Decider {
  public:
    Decider(const std::vector<CallRule>& rules, const SeccompAction& default_action)
        : rules_(rules), default_action_(default_action) {}

    // Splits `cell` until each part has one answer, and appends the parts in the order of their
    // bits. False: that would be too many.
    bool split(const ArgumentCell& cell, std::vector<CellRule>& parts) const {
        const CallRule* whole = nullptr;  // says something of every call of the cell
        std::vector<const CallRule*> open;
        for (const CallRule& rule : rules_) {
            const Relation relation = relation_of(rule.comparisons, cell);
            if (relation == Relation::kSome) {
                open.push_back(&rule);
            } else if (relation == Relation::kAll && (whole == nullptr || wins(rule, *whole))) {
                whole = &rule;
            }
        }
        std::erase_if(open, [&](const CallRule* rule) {
            return whole != nullptr && (rule->action == whole->action || !wins(*rule, *whole));
        });
        const auto bit = first_split(open, cell);
        if (!bit) {
            parts.push_back({whole != nullptr ? whole->action : default_action_, cell});
            return parts.size() <= kMaxCells;
        }
        ArgumentCell part = cell;
        ArgumentBits& bits = part.arguments[bit->argument];
        bits.mask |= bit->bit;
        if (!split(part, parts)) {
            return false;
        }
        bits.value |= bit->bit;
        return split(part, parts);
    }

  private:
    // Where rules overlap and differ, which one libseccomp takes is its own affair: the one that
    // denies, so that nothing becomes laxer.
    static bool wins(const CallRule& rule, const CallRule& other) {
        return !permits(rule.action) && permits(other.action);
    }

    static std::optional<SplitBit> first_split(const std::vector<const CallRule*>& rules,
                                               const ArgumentCell& cell) {
        std::optional<SplitBit> first;
        for (const CallRule* const rule : rules) {
            const auto split = next_split(rule->comparisons, cell);
            if (!first || split->argument < first->argument ||
                (split->argument == first->argument && split->bit > first->bit)) {
                first = split;
            }
        }
        return first;
    }

    const std::vector<CallRule>& rules_;
    const SeccompAction& default_action_;
};

unsigned flags_argument(const TargetCall& call, const Terms& terms) {
    return call.name == "clone" ? terms.architectures.clone_flags : 1;  // seccomp(op, flags, args)
}

Error too_many(const TargetCall& call) {
    return make_error("/linux/seccomp/syscalls: the rules for " + std::string(call.name) +
                      " tell too many cases apart, expected at most " + std::to_string(kMaxCells));
}

// Two rules that tell apart nothing but this flag, and say the same, become one.
void merge_flag(std::vector<CellRule>& rules, unsigned argument, std::uint64_t flag) {
    std::vector<CellRule> merged;
    for (CellRule& rule : rules) {
        const auto twin = std::ranges::find_if(merged, [&](const CellRule& other) {
            ArgumentCell opposite = other.cell;
            opposite.arguments[argument].value ^= flag;
            return (other.cell.arguments[argument].mask & flag) != 0 && opposite == rule.cell &&
                   other.action == rule.action;
        });
        if (twin == merged.end()) {
            merged.push_back(std::move(rule));
        } else {
            twin->cell.arguments[argument].mask &= ~flag;
            twin->cell.arguments[argument].value &= ~flag;
        }
    }
    rules = std::move(merged);
}

// A call after the edit; no two of the rules can match the same arguments.
struct EditedCall {
    std::vector<CellRule> rules;
    bool ever_permitted = false;  // else the profile's own rules stay
};
Result<EditedCall> edited_rules(const TargetCall& call, const std::vector<CallRule>& rules,
                                const Terms& terms, ForkCalls forks) {
    const Decider decider(rules, terms.default_action);
    EditedCall edited;
    for (const std::uint64_t flags : flag_combinations(call.deciding_flags)) {
        ArgumentCell start;
        if (call.deciding_flags != 0) {
            start.arguments[flags_argument(call, terms)] = {call.deciding_flags, flags};
        }
        std::vector<CellRule> parts;
        if (!decider.split(start, parts)) {
            return too_many(call);
        }
        for (CellRule& part : parts) {
            if (permits(part.action)) {
                edited.ever_permitted = true;
                part.action = action_for(treatment_of(call.name, flags, forks), part.action);
            }
            // Runtimes skip a rule that says what the default says; clone3's stays for the reader.
            if (part.action != terms.default_action ||
                (call.name == "clone3" && part.cell == ArgumentCell{})) {
                edited.rules.push_back(std::move(part));
            }
        }
    }
    // Where forks are notified anyway it decides nothing.
    merge_flag(edited.rules, flags_argument(call, terms), call.deciding_flags & kCloneFs);
    return edited;
}

// Drops what adds nothing: a rule within another one of the same action.
void drop_covered(std::vector<CallRule>& rules) {
    const auto covers = [](const CallRule& wide, const CallRule& narrow) {
        const auto cell = cell_of(narrow.comparisons);
        return wide.action == narrow.action && cell &&
               relation_of(wide.comparisons, *cell) == Relation::kAll;
    };
    for (std::size_t at = 0; at < rules.size();) {
        bool covered = false;
        for (std::size_t other = 0; other < rules.size() && !covered; ++other) {
            // Of two that are alike the first stays.
            covered = other != at && covers(rules[other], rules[at]) &&
                      (other < at || !covers(rules[at], rules[other]));
        }
        if (covered) {
            rules.erase(rules.begin() + static_cast<std::ptrdiff_t>(at));
        } else {
            ++at;
        }
    }
}

// What the runtime's libseccomp makes of the rules of an engine's profile.
Result<> settle_engine_rules(const TargetCall& call, std::vector<CallRule>& rules,
                             const Terms& terms) {
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
    const auto plain =
        std::ranges::find_if(rules, [](const CallRule& rule) { return rule.comparisons.empty(); });
    if (plain != rules.end()) {
        for (const CallRule& rule : rules) {
            if (rule.comparisons.empty() && permits(rule.action) != permits(plain->action)) {
                return make_error(rule.pointer + ": rules for " + std::string(call.name) +
                                  " contradict, expected one that allows or one that denies it");
            }
        }
        // libseccomp lets an unconditional rule swallow the conditional ones, in either order.
        rules = {CallRule(*plain)};
        return Ok{};
    }
    if (terms.architectures.any_32_bit && permits(terms.default_action)) {
        // What is left between such rules becomes rules of ours, which on 32 bits would match what
        // the rule does. The kernel itself reads the lower half of the flags.
        for (CallRule& rule : rules) {
            for (Comparison& comparison : rule.comparisons) {
                if (comparison.op == CompareOp::kEqual) {
                    comparison = {comparison.argument, CompareOp::kMaskedEqual, kLowHalf,
                                  comparison.value & kLowHalf};
                } else if (comparison.op == CompareOp::kMaskedEqual) {
                    comparison.value &= kLowHalf;
                    comparison.value_two &= kLowHalf;
                }
            }
        }
    }
    drop_covered(rules);
    return Ok{};
}

// Of an edit's own rules: what was notified was permitted, and is so again.
void settle_earlier_rules(std::vector<CallRule>& rules, const SeccompAction& default_action) {
    SeccompAction permitted = permits(default_action) ? default_action : kAllowAction;
    for (const CallRule& rule : rules) {
        if (permits(rule.action)) {
            permitted = rule.action;
        }
    }
    for (CallRule& rule : rules) {
        if (rule.action.kind == ActionKind::kNotify) {
            rule.action = permitted;
        }
    }
}

bool same_rules(const std::vector<CallRule>& found, const std::vector<CellRule>& written) {
    return std::ranges::equal(found, written, [](const CallRule& a, const CellRule& b) {
        return a.action == b.action && cell_of(a.comparisons) == b.cell;
    });
}

// Under a listener of ours: did an earlier edit write `found`, which settled to `rules`?
Result<> check_earlier_rules(const TargetCall& call, const std::vector<CallRule>& found,
                             const std::vector<CallRule>& rules, const Terms& terms) {
    if (found.empty()) {
        return Ok{};  // left to the default
    }
    for (const ForkCalls forks : {ForkCalls::kNotified, ForkCalls::kUntouched}) {
        const auto written = edited_rules(call, rules, terms, forks);
        if (!written) {
            return written.error();
        }
        if (!written->ever_permitted || same_rules(found, written->rules)) {
            return Ok{};
        }
    }
    return make_error(found.front().pointer + ": listenerPath is execseal's, but the rules for " +
                      std::string(call.name) + " are not, expected those that execseal writes");
}

bool covers_low_half(const ArgumentCell& wide, const ArgumentCell& narrow) {
    for (unsigned at = 0; at < kArgumentRegisters; ++at) {
        const ArgumentBits& w = wide.arguments[at];
        const ArgumentBits& n = narrow.arguments[at];
        if ((w.mask & ~n.mask & kLowHalf) != 0 || ((w.value ^ n.value) & w.mask & kLowHalf) != 0) {
            return false;
        }
    }
    return true;
}

// libseccomp drops the upper halves of values on 32-bit architectures. A rule for arguments that
// have upper bits would match there what it is not about, unless one without them says the same.
bool differs_on_32_bit(const std::vector<CellRule>& rules) {
    const auto has_upper_bits = [](const CellRule& rule) {
        return std::ranges::any_of(rule.cell.arguments, [](const ArgumentBits& bits) {
            return (bits.value & ~kLowHalf) != 0;
        });
    };
    return std::ranges::any_of(rules, [&](const CellRule& rule) {
        return has_upper_bits(rule) && std::ranges::none_of(rules, [&](const CellRule& other) {
                   return !has_upper_bits(other) && other.action == rule.action &&
                          covers_low_half(other.cell, rule.cell);
               });
    });
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

Result<> rewrite_call(Json& seccomp, const TargetCall& call, const Terms& terms) {
    auto rules = rules_of(seccomp, call.name, terms.default_action);
    if (!rules) {
        return rules.error();
    }
    if (terms.origin == Origin::kEngine) {
        if (auto settled = settle_engine_rules(call, *rules, terms); !settled) {
            return settled;
        }
    } else {
        const std::vector<CallRule> found = *rules;
        settle_earlier_rules(*rules, terms.default_action);
        if (auto checked = check_earlier_rules(call, found, *rules, terms); !checked) {
            return checked;
        }
    }
    const auto edited = edited_rules(call, *rules, terms, terms.forks);
    if (!edited) {
        return edited.error();
    }
    if (!edited->ever_permitted) {
        return Ok{};
    }
    if (terms.architectures.any_32_bit && differs_on_32_bit(edited->rules)) {
        return make_error("/linux/seccomp/syscalls: the rules for " + std::string(call.name) +
                          " differ in the upper halves of arguments, which 32-bit architectures "
                          "do not have, expected values below 2^32");
    }
    Json& syscalls = seccomp["syscalls"];
    remove_call(syscalls, call.name);
    for (const CellRule& rule : edited->rules) {
        syscalls.push_back(make_rule(call.name, rule.action, rule.cell));
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
    if (!path.starts_with(prefix) || !path.ends_with(kListenerFile) ||
        path.size() <= prefix.size() + kListenerFile.size()) {
        return false;
    }
    const std::string_view directory = std::string_view(path).substr(
        prefix.size(), path.size() - prefix.size() - kListenerFile.size());
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
    const auto facts = read_architectures(*architectures);
    if (!facts) {
        return facts.error();
    }
    if (seccomp["syscalls"].is_null()) {
        seccomp["syscalls"] = Json::array();
    }
    if (auto checked = check_syscalls(seccomp["syscalls"]); !checked) {
        return checked;
    }
    const Terms terms{*origin, *default_action, *facts, edit.forks};
    for (const TargetCall& call : kTargetCalls) {
        if (auto done = rewrite_call(seccomp, call, terms); !done) {
            return done;
        }
    }
    seccomp["listenerPath"] = edit.listener_path;
    seccomp["listenerMetadata"] = edit.listener_metadata;
    return Ok{};
}

}  // namespace execseal
