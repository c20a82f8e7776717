#include "config/real_runtime.h"

#include <cerrno>
#include <nlohmann/json.hpp>
#include <string_view>

#include "config/json_reader.h"
#include "config/settings.h"
#include "hook/os/executable.h"

namespace execseal {
namespace {

// The paths that `runtime` can mean, in order.
std::vector<std::string> candidates(const std::string& runtime, std::string_view path) {
    if (runtime.starts_with('/')) {
        return {runtime};
    }
    std::vector<std::string> result;
    while (!path.empty()) {
        const std::size_t end = std::min(path.find(':'), path.size());
        // Unlike execvp(3), no relative directory: a bundle as cwd must not name the runtime.
        if (path.starts_with('/')) {
            result.push_back(std::string(path.substr(0, end)) + "/" + runtime);
        }
        path.remove_prefix(std::min(end + 1, path.size()));
    }
    return result;
}

}  // namespace

Result<std::string> find_real_runtime(const std::vector<std::string>& runtimes,
                                      const std::string& path) {
    const auto self = own_identity();
    if (!self) {
        return self.error();
    }
    std::string looked_for;
    for (const std::string& runtime : runtimes) {
        for (const std::string& candidate : candidates(runtime, path)) {
            const auto identity = identity_of(candidate);
            if (identity && *identity != *self && is_executable(candidate)) {
                return candidate;
            }
        }
        looked_for += looked_for.empty() ? runtime : ", " + runtime;
    }
    return make_error("no real runtime: expected one of " + looked_for + " in PATH=" + path);
}

std::vector<std::string> runtimes_for(const std::string& called_as,
                                      const std::vector<std::string>& of_settings) {
    const std::string name = called_as.substr(called_as.rfind('/') + 1);
    const std::string prefix = kNamedShim;
    if (!name.starts_with(prefix) || name.size() == prefix.size()) {
        return of_settings;
    }
    return {name.substr(prefix.size())};
}

Result<std::vector<std::string>> read_runtimes(const std::string& settings_path) {
    const auto document = load_json(settings_path);
    if (!document) {
        if (document.error().code == ENOENT && settings_may_be_absent(settings_path)) {
            return Settings{}.runtimes;
        }
        return document.error();
    }
    if (!document->is_object() || !document->contains("runtimes")) {
        return Settings{}.runtimes;
    }
    JsonProblems problems(settings_path);
    std::vector<std::string> runtimes;
    const JsonNode root(*document, problems);
    for (const auto& [key, member] : root.members()) {
        if (key == "runtimes") {
            for (const JsonNode& item : member.non_empty_items("a non-empty array of runtimes")) {
                runtimes.push_back(item.non_empty_string("a program's name or absolute path"));
            }
        }
    }
    if (problems.first()) {
        return *problems.first();
    }
    return runtimes;
}

}  // namespace execseal
