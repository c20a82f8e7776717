#include "hook/cli/policy_check.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "config/policy_rules.h"
#include "config/settings.h"
#include "hook/cli/policy_explain.h"
#include "hook/cli/policy_warnings.h"
#include "hook/os/file_read.h"

namespace execseal {
namespace {

Result<std::vector<std::string>> files_in(const std::string& directory) {
    std::error_code code;
    std::vector<std::string> files;
    for (const auto& entry : std::filesystem::directory_iterator(directory, code)) {
        if (entry.path().extension() == ".json") {
            files.push_back(entry.path());
        }
    }
    if (code) {
        return Error{code.value(), directory};
    }
    if (files.empty()) {
        return make_error(directory + ": no policies (*.json) in it");
    }
    std::sort(files.begin(), files.end());
    return files;
}

void print_warnings(const std::string& file, const std::string& rootfs) {
    const auto text = read_file(file, kPolicyBytes);
    const auto policy = nlohmann::json::parse(text ? *text : "", nullptr, false);
    if (policy.is_discarded()) {
        (void)std::fprintf(stderr, "%s: warning: it has just changed, and was not looked at\n",
                           file.c_str());
        return;
    }
    for (const std::string& warning : policy_warnings(policy, rootfs)) {
        (void)std::fprintf(stderr, "%s: warning: %s\n", file.c_str(), warning.c_str());
    }
}

}  // namespace

Result<Policy> load_policy(const std::string& file, const Settings& settings) {
    auto policy = Policy::load(file);
    if (!policy) {
        return policy;
    }
    const std::filesystem::path path(file);
    std::error_code code;
    const bool by_name = std::filesystem::equivalent(
        path.has_parent_path() ? path.parent_path() : ".", settings.policies_dir, code);
    if (by_name && path.stem() != policy->name()) {
        return make_error(file + ": /name: expected \"" + path.stem().string() +
                          "\" as the file is called, got \"" + policy->name() + "\"");
    }
    return policy;
}

Result<std::optional<Policy>> load_floor(const Settings& settings) {
    if (!settings.floor_policy) {
        return std::optional<Policy>();
    }
    auto loaded = load_policy(policy_file(*settings.floor_policy, settings), settings);
    if (!loaded) {
        return add_context(settings.path + ": /floor_policy", loaded.error());
    }
    return std::optional<Policy>(std::move(*loaded));
}

Result<int> run_policy_check(const CheckOptions& options) {
    const auto settings = load_settings(options.settings);
    if (!settings) {
        return settings.error();
    }
    std::vector<std::string> files;
    std::vector<std::string> words = options.files;
    if (words.empty()) {
        words.push_back(settings->policies_dir);
    }
    for (const std::string& word : words) {
        std::error_code code;
        if (!options.files.empty() && !std::filesystem::is_directory(word, code)) {
            files.push_back(policy_path(word, *settings));
            continue;
        }
        auto inside = files_in(word);
        if (!inside) {
            return inside.error();
        }
        files.insert(files.end(), inside->begin(), inside->end());
    }
    int code = 0;
    for (const std::string& file : files) {
        const auto policy = load_policy(file, *settings);
        if (!policy) {
            (void)std::fprintf(stderr, "%s\n", policy.error().text().c_str());
            code = 1;
            continue;
        }
        const std::size_t rules = policy->compiled().rules.size();
        (void)std::printf("%s: ok, policy %s, %zu rule%s, default %s\n", file.c_str(),
                          policy->name().c_str(), rules, rules == 1 ? "" : "s",
                          verdict_name(policy->compiled().default_verdict));
        print_warnings(file, options.rootfs);
    }
    return code;
}

}  // namespace execseal
