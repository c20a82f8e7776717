// `execseal policy check`: does the loader take these files, and do they mean what they say?
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "config/policy.h"
#include "config/settings.h"
#include "hook/os/result.h"

namespace execseal {

struct CheckOptions {
    std::string settings;            // path of the settings file
    std::vector<std::string> files;  // a folder: the policies in it; empty: all of policies_dir
    std::string rootfs{};            // where names are looked up for warnings; empty: nowhere
};

// As the start of a container loads it: a file of policies_dir must bear the policy's name.
Result<Policy> load_policy(const std::string& file, const Settings& settings);

// The node's floor policy; nullopt where the settings name none.
Result<std::optional<Policy>> load_floor(const Settings& settings);

// 1: at least one file was refused, a line on stderr says why. Warnings are lines on stderr, too,
// and change nothing of that.
Result<int> run_policy_check(const CheckOptions& options);

}  // namespace execseal
