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

constexpr std::array<std::string_view, 21> kFlagsFirst{
    "SCMP_ARCH_X86",     "SCMP_ARCH_X86_64",      "SCMP_ARCH_X32",         "SCMP_ARCH_ARM",
    "SCMP_ARCH_AARCH64", "SCMP_ARCH_MIPS",        "SCMP_ARCH_MIPS64",      "SCMP_ARCH_MIPS64N32",
    "SCMP_ARCH_MIPSEL",  "SCMP_ARCH_MIPSEL64",    "SCMP_ARCH_MIPSEL64N32", "SCMP_ARCH_PPC",
    "SCMP_ARCH_PPC64",   "SCMP_ARCH_PPC64LE",     "SCMP_ARCH_PARISC",      "SCMP_ARCH_PARISC64",
    "SCMP_ARCH_RISCV64", "SCMP_ARCH_LOONGARCH64", "SCMP_ARCH_M68K",        "SCMP_ARCH_SH",
    "SCMP_ARCH_SHEB"};

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

// The one comparison of a rule that has arguments.
Result<FlagsTest> read_test(const Json& arguments, std::string_view call,
                            std::optional<unsigned> flags_register, const std::string& pointer) {
    const Error not_understood =
        make_error(pointer + "/args: expected " +
                   (flags_register ? "one SCMP_CMP_MASKED_EQ on argument " +
                                         std::to_string(*flags_register) + " for "
                                   : std::string("no arguments for ")) +
                   std::string(call));
    if (!flags_register || arguments.size() != 1 || !arguments[0].is_object()) {
        return not_understood;
    }
    const Json& argument = arguments[0];
    const std::string at = pointer + "/args/0";
    if (auto checked = refuse_key_doubles(argument, {"index", "value", "valueTwo", "op"}, at);
        !checked) {
        return checked.error();
    }
    const auto index = read_unsigned(argument, "index", at);
    const auto mask = read_unsigned(argument, "value", at);
    const auto value = read_unsigned(argument, "valueTwo", at);
    for (const auto* number : {&index, &mask, &value}) {
        if (!*number) {
            return number->error();
        }
    }
    const Json* op = find_member(argument, "op");
    if (op == nullptr || !op->is_string() ||
        op->get_ref<const std::string&>() != "SCMP_CMP_MASKED_EQ" || *index != *flags_register) {
        return not_understood;
    }
    return FlagsTest{*mask, *value};
}

Result<CallRule> read_rule(const Json& rule, std::string_view call,
                           std::optional<unsigned> flags_register, const std::string& pointer) {
    CallRule view;
    view.pointer = pointer;
    auto action = read_action(rule, "action", "errnoRet", pointer);
    if (!action) {
        return action.error();
    }
    view.action = std::move(*action);
    const Json* arguments = find_member(rule, "args");
    if (arguments == nullptr) {
        return view;
    }
    if (!arguments->is_array()) {
        return make_error(pointer + "/args: expected an array");
    }
    if (!arguments->empty()) {
        auto test = read_test(*arguments, call, flags_register, pointer);
        if (!test) {
            return test.error();
        }
        view.test = *test;
    }
    return view;
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

Result<std::optional<unsigned>> flags_register(std::string_view call,
                                               const std::vector<std::string>& architectures) {
    const bool any_s390 = std::ranges::any_of(architectures, is_s390);
    for (const std::string& name : architectures) {
        if (!is_s390(name) && std::ranges::find(kFlagsFirst, name) == kFlagsFirst.end()) {
            return make_error("/linux/seccomp/architectures: \"" + name +
                              "\": expected a known SCMP_ARCH_ name");
        }
        if (is_s390(name) != any_s390) {
            return make_error("/linux/seccomp/architectures: \"" + name +
                              "\": expected either s390 architectures only or none of them");
        }
    }
    if (call == "clone") {
        return std::optional<unsigned>(any_s390 ? 1U : 0U);
    }
    if (call == "seccomp") {
        return std::optional<unsigned>(1U);  // seccomp(operation, flags, args)
    }
    return std::optional<unsigned>();
}

Result<std::vector<CallRule>> rules_of(const Json& seccomp, std::string_view call,
                                       const SeccompAction& default_action,
                                       std::optional<unsigned> flags_register) {
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
        auto view = read_rule(rule, call, flags_register, pointer);
        if (!view) {
            return view.error();
        }
        if (view->action != default_action) {
            rules.push_back(std::move(*view));
        }
    }
    return rules;
}

Json make_rule(std::string_view call, const SeccompAction& action, std::optional<FlagsTest> test,
               std::optional<unsigned> flags_register) {
    Json rule = Json::object();
    rule["names"] = Json::array({std::string(call)});
    rule["action"] = action.name;
    if (action.name == "SCMP_ACT_ERRNO") {
        rule["errnoRet"] = action.errno_ret;
    }
    if (test) {
        Json argument = Json::object();
        argument["index"] = flags_register.value_or(0);
        argument["value"] = test->mask;  // MASKED_EQ: value is the mask, valueTwo the datum
        if (test->value != 0) {
            // Absent means 0, and podman's precreate stage would write it so (runtime-spec's Go
            // type has omitempty): a check finds the rule unchanged either way.
            argument["valueTwo"] = test->value;
        }
        argument["op"] = "SCMP_CMP_MASKED_EQ";
        rule["args"] = Json::array({std::move(argument)});
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
