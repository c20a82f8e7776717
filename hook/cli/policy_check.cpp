#include "hook/cli/policy_check.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "config/policy_rules.h"
#include "config/settings.h"
#include "hook/cli/policy_explain.h"

namespace execseal {
namespace {

Result<std::vector<std::string>> files_of(const Settings& settings) {
    std::error_code code;
    std::vector<std::string> files;
    for (const auto& entry : std::filesystem::directory_iterator(settings.policies_dir, code)) {
        if (entry.path().extension() == ".json") {
            files.push_back(entry.path());
        }
    }
    if (code) {
        return Error{code.value(), settings.policies_dir};
    }
    if (files.empty()) {
        return make_error(settings.policies_dir + ": no policies (*.json) in it");
    }
    std::sort(files.begin(), files.end());
    return files;
}

// What loads but can never be chosen by its name.
Result<> check_name(const std::string& file, const Policy& policy, const Settings& settings) {
    const std::filesystem::path path(file);
    std::error_code code;
    const bool by_name = std::filesystem::equivalent(
        path.has_parent_path() ? path.parent_path() : ".", settings.policies_dir, code);
    if (!by_name || path.stem() == policy.name()) {
        return Ok{};
    }
    return make_error(file + ": /name: expected \"" + path.stem().string() +
                      "\" as the file is called, got \"" + policy.name() + "\"");
}

}  // namespace

Result<int> run_policy_check(const CheckOptions& options) {
    const auto settings = load_settings(options.settings);
    if (!settings) {
        return settings.error();
    }
    std::vector<std::string> files;
    if (options.files.empty()) {
        auto all = files_of(*settings);
        if (!all) {
            return all.error();
        }
        files = std::move(*all);
    }
    for (const std::string& word : options.files) {
        files.push_back(policy_path(word, *settings));
    }
    int code = 0;
    for (const std::string& file : files) {
        const auto policy = Policy::load(file);
        const Result<> checked =
            policy ? check_name(file, *policy, *settings) : Result<>(policy.error());
        if (!checked) {
            (void)std::fprintf(stderr, "%s\n", checked.error().text().c_str());
            code = 1;
            continue;
        }
        (void)std::printf("%s: ok, policy %s, %zu rules, default %s\n", file.c_str(),
                          policy->name().c_str(), policy->compiled().rules.size(),
                          verdict_name(policy->compiled().default_verdict));
    }
    return code;
}

}  // namespace execseal
