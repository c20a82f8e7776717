#include "config/spec/seccomp_rules.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>
#include <nlohmann/json.hpp>

namespace execseal {
namespace {

using Json = nlohmann::ordered_json;

struct KnownAction {
    std::string_view name;
    ActionKind kind;
};

constexpr std::array kActions{
    KnownAction{"SCMP_ACT_ALLOW", ActionKind::kPermit},
    KnownAction{"SCMP_ACT_LOG", ActionKind::kPermit},
    KnownAction{"SCMP_ACT_ERRNO", ActionKind::kDeny},
    KnownAction{"SCMP_ACT_KILL", ActionKind::kDeny},
    KnownAction{"SCMP_ACT_KILL_PROCESS", ActionKind::kDeny},
    KnownAction{"SCMP_ACT_KILL_THREAD", ActionKind::kDeny},
    KnownAction{"SCMP_ACT_TRAP", ActionKind::kDeny},
    KnownAction{"SCMP_ACT_TRACE", ActionKind::kTrace},
    KnownAction{"SCMP_ACT_NOTIFY", ActionKind::kNotify},
};

struct KnownArchitecture {
    std::string_view name;
    bool is_32_bit;  // seccomp_arch_... of libseccomp; x32 counts as such there
};

// clang-format off
constexpr std::array kArchitectures{
    KnownArchitecture{"SCMP_ARCH_X86", true},         KnownArchitecture{"SCMP_ARCH_X86_64", false},
    KnownArchitecture{"SCMP_ARCH_X32", true},         KnownArchitecture{"SCMP_ARCH_ARM", true},
    KnownArchitecture{"SCMP_ARCH_AARCH64", false},    KnownArchitecture{"SCMP_ARCH_MIPS", true},
    KnownArchitecture{"SCMP_ARCH_MIPS64", false},     KnownArchitecture{"SCMP_ARCH_MIPS64N32", true},
    KnownArchitecture{"SCMP_ARCH_MIPSEL", true},      KnownArchitecture{"SCMP_ARCH_MIPSEL64", false},
    KnownArchitecture{"SCMP_ARCH_MIPSEL64N32", true}, KnownArchitecture{"SCMP_ARCH_PPC", true},
    KnownArchitecture{"SCMP_ARCH_PPC64", false},      KnownArchitecture{"SCMP_ARCH_PPC64LE", false},
    KnownArchitecture{"SCMP_ARCH_PARISC", true},      KnownArchitecture{"SCMP_ARCH_PARISC64", false},
    KnownArchitecture{"SCMP_ARCH_RISCV64", false},    KnownArchitecture{"SCMP_ARCH_LOONGARCH64", false},
    KnownArchitecture{"SCMP_ARCH_M68K", true},        KnownArchitecture{"SCMP_ARCH_SH", true},
    KnownArchitecture{"SCMP_ARCH_SHEB", true},        KnownArchitecture{"SCMP_ARCH_S390", true},
    KnownArchitecture{"SCMP_ARCH_S390X", false},
};

struct KnownOperator {
    std::string_view name;
    CompareOp op;
};
constexpr std::array kOperators{
    KnownOperator{"SCMP_CMP_NE", CompareOp::kNotEqual},
    KnownOperator{"SCMP_CMP_LT", CompareOp::kLess},
    KnownOperator{"SCMP_CMP_LE", CompareOp::kLessOrEqual},
    KnownOperator{"SCMP_CMP_EQ", CompareOp::kEqual},
    KnownOperator{"SCMP_CMP_GE", CompareOp::kGreaterOrEqual},
    KnownOperator{"SCMP_CMP_GT", CompareOp::kGreater},
    KnownOperator{"SCMP_CMP_MASKED_EQ", CompareOp::kMaskedEqual},
};
// clang-format on

bool is_s390(std::string_view architecture) {
    return architecture == "SCMP_ARCH_S390" || architecture == "SCMP_ARCH_S390X";
}

const Json* find_member(const Json& object, const char* key) {
    const auto found = object.find(key);
    return found == object.end() || found->is_null() ? nullptr : &*found;
}

Result<std::uint64_t> read_unsigned(const Json& object, const char* key,
                                    const std::string& pointer) {
    const Json* member = find_member(object, key);
    if (member == nullptr) {
        return std::uint64_t{0};  // podman and containerd leave zeroes out
    }
    // Parsed numbers are unsigned, those of a spec made in memory may be signed.
    if (!member->is_number_integer() ||
        (!member->is_number_unsigned() && member->get<std::int64_t>() < 0)) {
        return make_error(pointer + "/" + key + ": expected an unsigned number");
    }
    return member->get<std::uint64_t>();
}

// Go's key folding: ASCII case, and the two characters whose simple folding is an ASCII letter
// (U+017F long s, U+212A Kelvin sign).
std::string folded(std::string_view key) {
    std::string result;
    for (std::size_t at = 0; at < key.size();) {
        if (key.substr(at).starts_with("\xC5\xBF")) {
            result += 's';
            at += 2;
        } else if (key.substr(at).starts_with("\xE2\x84\xAA")) {
            result += 'k';
            at += 3;
        } else {
            const char c = key[at++];
            result += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
        }
    }
    return result;
}

Result<Comparison> read_comparison(const Json& argument, const std::string& pointer) {
    if (!argument.is_object()) {
        return make_error(pointer + ": expected an object");
    }
    if (auto checked = refuse_key_doubles(argument, {"index", "value", "valueTwo", "op"}, pointer);
        !checked) {
        return checked.error();
    }
    const auto index = read_unsigned(argument, "index", pointer);
    const auto value = read_unsigned(argument, "value", pointer);
    const auto value_two = read_unsigned(argument, "valueTwo", pointer);
    for (const auto* number : {&index, &value, &value_two}) {
        if (!*number) {
            return number->error();
        }
    }
    if (*index >= kArgumentRegisters) {
        return make_error(pointer + "/index: expected 0 to 5");
    }
    const Json* op = find_member(argument, "op");
    const auto known = std::ranges::find_if(kOperators, [&](const KnownOperator& row) {
        return op != nullptr && op->is_string() && op->get_ref<const std::string&>() == row.name;
    });
    if (known == kOperators.end()) {
        return make_error(pointer + "/op: expected an operator such as SCMP_CMP_EQ");
    }
    // libseccomp compares no more of a masked datum than the mask has.
    const std::uint64_t datum =
        known->op == CompareOp::kMaskedEqual ? *value_two & *value : *value_two;
    return Comparison{static_cast<unsigned>(*index), known->op, *value, datum};
}

// The comparisons of each rule that a runtime makes of this one.
Result<std::vector<std::vector<Comparison>>> read_comparisons(const Json& rule,
                                                              const std::string& pointer) {
    std::vector<Comparison> all;
    const Json* arguments = find_member(rule, "args");
    if (arguments != nullptr && !arguments->is_array()) {
        return make_error(pointer + "/args: expected an array");
    }
    bool doubled = false;
    for (std::size_t at = 0; arguments != nullptr && at < arguments->size(); ++at) {
        auto comparison =
            read_comparison((*arguments)[at], pointer + "/args/" + std::to_string(at));
        if (!comparison) {
            return comparison.error();
        }
        doubled = doubled ||
                  std::ranges::find(all, comparison->argument, &Comparison::argument) != all.end();
        all.push_back(*comparison);
    }
    std::vector<std::vector<Comparison>> rules;
    if (!doubled) {
        rules.push_back(std::move(all));
        return rules;
    }
    for (const Comparison& comparison : all) {
        rules.push_back({comparison});
    }
    return rules;
}

}  // namespace

Result<SeccompAction> read_action(const Json& object, const char* name_key, const char* errno_key,
                                  const std::string& pointer) {
    const Json* name = find_member(object, name_key);
    if (name == nullptr || !name->is_string()) {
        return make_error(pointer + "/" + name_key + ": expected an action such as SCMP_ACT_ERRNO");
    }
    const auto& text = name->get_ref<const std::string&>();
    const auto known = std::ranges::find(kActions, text, &KnownAction::name);
    if (known == kActions.end()) {
        return make_error(pointer + "/" + name_key + ": \"" + text +
                          "\": expected an action such as SCMP_ACT_ERRNO");
    }
    SeccompAction action{known->kind, text, 0};
    if (text == "SCMP_ACT_KILL_THREAD") {
        action.name = "SCMP_ACT_KILL";
    }
    if (text == "SCMP_ACT_ERRNO" || text == "SCMP_ACT_TRACE") {
        action.errno_ret = EPERM;
        if (find_member(object, errno_key) != nullptr) {
            const auto number = read_unsigned(object, errno_key, pointer);
            if (!number) {
                return number.error();
            }
            if (*number > std::numeric_limits<std::uint16_t>::max()) {
                return make_error(pointer + "/" + errno_key + ": expected at most 65535");
            }
            action.errno_ret = static_cast<int>(*number);
        }
    }
    return action;
}

Result<ArchitectureFacts> read_architectures(const std::vector<std::string>& names) {
    const bool any_s390 = std::ranges::any_of(names, is_s390);
    ArchitectureFacts facts;
    facts.clone_flags = any_s390 ? 1 : 0;
    for (const std::string& name : names) {
        const auto known = std::ranges::find(kArchitectures, name, &KnownArchitecture::name);
        if (known == kArchitectures.end()) {
            return make_error("/linux/seccomp/architectures: \"" + name +
                              "\": expected a known SCMP_ARCH_ name");
        }
        if (is_s390(name) != any_s390) {
            return make_error("/linux/seccomp/architectures: \"" + name +
                              "\": expected either s390 architectures only or none of them");
        }
        facts.any_32_bit = facts.any_32_bit || known->is_32_bit;
    }
    return facts;
}

Result<std::vector<CallRule>> rules_of(const Json& seccomp, std::string_view call,
                                       const SeccompAction& default_action) {
    std::vector<CallRule> rules;
    const Json* syscalls = find_member(seccomp, "syscalls");
    if (syscalls == nullptr) {
        return rules;
    }
    for (std::size_t at = 0; at < syscalls->size(); ++at) {
        const Json& rule = (*syscalls)[at];
        const std::string pointer = "/linux/seccomp/syscalls/" + std::to_string(at);
        const Json* names = find_member(rule, "names");
        const bool named =
            names != nullptr && std::ranges::any_of(*names, [&](const Json& name) {
                return name.is_string() && name.get_ref<const std::string&>() == call;
            });
        if (!named) {
            continue;
        }
        const auto action = read_action(rule, "action", "errnoRet", pointer);
        if (!action) {
            return action.error();
        }
        auto alternatives = read_comparisons(rule, pointer);
        if (!alternatives) {
            return alternatives.error();
        }
        if (*action == default_action) {
            continue;
        }
        for (std::vector<Comparison>& comparisons : *alternatives) {
            rules.push_back({*action, std::move(comparisons), pointer});
        }
    }
    return rules;
}

Json make_rule(std::string_view call, const SeccompAction& action, const ArgumentCell& cell) {
    Json rule = Json::object();
    rule["names"] = Json::array({std::string(call)});
    rule["action"] = action.name;
    if (action.name == "SCMP_ACT_ERRNO") {
        rule["errnoRet"] = action.errno_ret;
    }
    for (unsigned index = 0; index < kArgumentRegisters; ++index) {
        const ArgumentBits& bits = cell.arguments[index];
        if (bits.mask == 0) {
            continue;
        }
        Json argument = Json::object();
        argument["index"] = index;
        const bool whole = bits.mask == ~std::uint64_t{0};
        // MASKED_EQ: value is the mask, valueTwo the datum.
        argument["value"] = whole ? bits.value : bits.mask;
        if (!whole && bits.value != 0) {
            // Absent means 0, and podman's precreate stage would write it so (runtime-spec's Go
            // type has omitempty): a check finds the rule unchanged either way.
            argument["valueTwo"] = bits.value;
        }
        argument["op"] = whole ? "SCMP_CMP_EQ" : "SCMP_CMP_MASKED_EQ";
        rule["args"].push_back(std::move(argument));
    }
    return rule;
}

Result<std::vector<std::string>> read_strings(const Json& object, const char* key,
                                              const std::string& pointer) {
    std::vector<std::string> strings;
    const Json* member = find_member(object, key);
    if (member == nullptr) {
        return strings;
    }
    const Error wrong = make_error(pointer + "/" + key + ": expected an array of strings");
    if (!member->is_array()) {
        return wrong;
    }
    for (const Json& item : *member) {
        if (!item.is_string()) {
            return wrong;
        }
        strings.push_back(item.get_ref<const std::string&>());
    }
    return strings;
}

Result<> refuse_key_doubles(const Json& object, const std::vector<std::string_view>& keys,
                            const std::string& pointer) {
    for (const auto& [key, value] : object.items()) {
        const std::string plain = folded(key);
        for (const std::string_view wanted : keys) {
            if (key != wanted && plain == folded(wanted)) {
                std::string text = pointer;
                text.append("/").append(key).append(": expected the key to be written \"");
                return make_error(text.append(wanted).append("\""));
            }
        }
    }
    return Ok{};
}

}  // namespace execseal
