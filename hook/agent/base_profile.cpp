#include "hook/agent/base_profile.h"

#include <sys/utsname.h>

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>
#include <vector>

#include "config/errno_names.h"

namespace execseal {
namespace {

using Json = nlohmann::ordered_json;

#if defined(__x86_64__)
constexpr const char* kArchitecture = "amd64";
constexpr const char* kNativeArchitecture = "SCMP_ARCH_X86_64";
#elif defined(__aarch64__)
constexpr const char* kArchitecture = "arm64";
constexpr const char* kNativeArchitecture = "SCMP_ARCH_AARCH64";
#else
#error "the supervisor reads system calls on x86_64 and aarch64 only"
#endif

const Json* find(const Json& object, const char* key) {
    const auto found = object.find(key);
    return found == object.end() || found->is_null() ? nullptr : &*found;
}

Result<std::vector<std::string>> strings_at(const Json& object, const char* key,
                                            const std::string& pointer) {
    std::vector<std::string> strings;
    const Json* list = find(object, key);
    if (list == nullptr) {
        return strings;
    }
    if (!list->is_array()) {
        return make_error(pointer + "/" + key + ": expected an array of strings");
    }
    for (const Json& item : *list) {
        if (!item.is_string()) {
            return make_error(pointer + "/" + key + ": expected an array of strings");
        }
        strings.push_back(item.get<std::string>());
    }
    return strings;
}

bool kernel_reaches(const std::string& wanted, const ProfileTarget& target) {
    int major = 0;
    int minor = 0;
    // NOLINTNEXTLINE(cert-err34-c): a text that is no version compares as 0.0, which is reached
    (void)std::sscanf(wanted.c_str(), "%d.%d", &major, &minor);
    return std::pair(target.kernel_major, target.kernel_minor) >= std::pair(major, minor);
}

// moby, profiles/seccomp setupSeccomp(): all of `includes` must hold, none of `excludes` may.
enum class Wanted { kAll, kNone };
Result<bool> conditions_hold(const Json& rule, const char* key, Wanted wanted,
                             const ProfileTarget& target, const std::string& pointer) {
    const Json* conditions = find(rule, key);
    if (conditions == nullptr) {
        return true;
    }
    const std::string here = pointer + "/" + key;
    if (!conditions->is_object()) {
        return make_error(here + ": expected an object");
    }
    const auto arches = strings_at(*conditions, "arches", here);
    const auto capabilities = strings_at(*conditions, "caps", here);
    if (!arches || !capabilities) {
        return arches ? capabilities.error() : arches.error();
    }
    const bool arch_listed = std::ranges::find(*arches, target.architecture) != arches->end();
    const auto have = [&](const std::string& name) { return target.capabilities.contains(name); };
    if (wanted == Wanted::kNone) {
        return !arch_listed && std::ranges::none_of(*capabilities, have);
    }
    const Json* kernel = find(*conditions, "minKernel");
    const bool new_enough = kernel == nullptr || !kernel->is_string() ||
                            kernel_reaches(kernel->get<std::string>(), target);
    return (arches->empty() || arch_listed) && std::ranges::all_of(*capabilities, have) &&
           new_enough;
}

// "errnoRet" is a number; "errno", where only that stands, is a name.
Result<std::optional<int>> errno_of(const Json& object, const char* number, const char* name,
                                    const std::string& pointer) {
    if (const Json* value = find(object, number)) {
        if (!value->is_number_integer()) {
            return make_error(pointer + "/" + number + ": expected a number");
        }
        return std::optional(value->get<int>());
    }
    if (const Json* value = find(object, name); value != nullptr && value->is_string()) {
        const auto code = errno_by_name(value->get<std::string>());
        if (!code) {
            return make_error(pointer + "/" + name + ": expected an errno's name");
        }
        return std::optional(*code);
    }
    return std::optional<int>();
}

Result<std::optional<Json>> resolve_rule(const Json& rule, const ProfileTarget& target,
                                         const std::string& pointer) {
    if (!rule.is_object()) {
        return make_error(pointer + ": expected an object");
    }
    const auto included = conditions_hold(rule, "includes", Wanted::kAll, target, pointer);
    const auto excluded = conditions_hold(rule, "excludes", Wanted::kNone, target, pointer);
    if (!included || !excluded) {
        return included ? excluded.error() : included.error();
    }
    if (!*included || !*excluded) {
        return std::optional<Json>();
    }
    auto names = strings_at(rule, "names", pointer);
    if (!names) {
        return names.error();
    }
    if (const Json* name = find(rule, "name"); name != nullptr && name->is_string()) {
        names->push_back(name->get<std::string>());
    }
    Json resolved{{"names", *names}, {"action", rule.value("action", "")}};
    const auto code = errno_of(rule, "errnoRet", "errno", pointer);
    if (!code) {
        return code.error();
    }
    if (*code) {
        resolved["errnoRet"] = **code;
    }
    if (const Json* args = find(rule, "args"); args != nullptr && !args->empty()) {
        resolved["args"] = *args;
    }
    return std::optional(std::move(resolved));
}

// "archMap": the native one's entry with the compat ones below it.
Result<Json> architectures_of(const Json& profile, const ProfileTarget& target) {
    if (const Json* list = find(profile, "architectures"); list != nullptr && !list->empty()) {
        return *list;
    }
    Json architectures = Json::array({target.native_architecture});
    if (const Json* map = find(profile, "archMap"); map != nullptr && map->is_array()) {
        for (const Json& entry : *map) {
            if (!entry.is_object() ||
                entry.value("architecture", "") != target.native_architecture) {
                continue;
            }
            const auto below = strings_at(entry, "subArchitectures", "/archMap");
            if (!below) {
                return below.error();
            }
            for (const std::string& name : *below) {
                architectures.push_back(name);
            }
        }
    }
    return architectures;
}

}  // namespace

std::set<std::string> default_capabilities() {
    return {"CAP_CHOWN",  "CAP_DAC_OVERRIDE", "CAP_FOWNER",    "CAP_FSETID",
            "CAP_KILL",   "CAP_SETFCAP",      "CAP_SETGID",    "CAP_NET_BIND_SERVICE",
            "CAP_SETUID", "CAP_SETPCAP",      "CAP_SYS_CHROOT"};
}

ProfileTarget target_here(std::set<std::string> capabilities) {
    ProfileTarget target{std::move(capabilities), kArchitecture, kNativeArchitecture, 0, 0};
    utsname system{};
    if (::uname(&system) == 0) {
        // NOLINTNEXTLINE(cert-err34-c): a release that is no version compares as 0.0
        (void)std::sscanf(&system.release[0], "%d.%d", &target.kernel_major, &target.kernel_minor);
    }
    return target;
}

Result<Json> resolve_profile(const Json& profile, const ProfileTarget& target) {
    if (!profile.is_object() || find(profile, "defaultAction") == nullptr) {
        return make_error("/: expected a seccomp profile with a defaultAction");
    }
    Json resolved{{"defaultAction", profile["defaultAction"]}};
    const auto code = errno_of(profile, "defaultErrnoRet", "defaultErrno", "");
    if (!code) {
        return code.error();
    }
    if (*code) {
        resolved["defaultErrnoRet"] = **code;
    }
    auto architectures = architectures_of(profile, target);
    if (!architectures) {
        return architectures;
    }
    resolved["architectures"] = std::move(*architectures);
    // A listener that the file names already is for the edit to judge.
    for (const char* key : {"listenerPath", "listenerMetadata"}) {
        if (const Json* value = find(profile, key)) {
            resolved[key] = *value;
        }
    }
    Json& syscalls = resolved["syscalls"] = Json::array();
    if (const Json* rules = find(profile, "syscalls"); rules != nullptr && rules->is_array()) {
        for (std::size_t at = 0; at < rules->size(); ++at) {
            auto rule = resolve_rule((*rules)[at], target, "/syscalls/" + std::to_string(at));
            if (!rule) {
                return rule.error();
            }
            if (*rule) {
                syscalls.push_back(std::move(**rule));
            }
        }
    }
    return resolved;
}

}  // namespace execseal
