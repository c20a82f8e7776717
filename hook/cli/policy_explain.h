// `execseal policy explain`: what a policy would say to one exec, without a container.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "config/exec_facts.h"
#include "config/settings.h"
#include "hook/cli/table.h"
#include "hook/os/result.h"

namespace execseal {

struct ExplainOptions {
    std::string settings;  // path of the settings file: policies_dir, floor, mode
    std::string policy;    // a file, or the name of one in policies_dir
    std::vector<std::string> command;
    Via via = Via::kChild;
    std::vector<std::string> above;  // the program that makes it, then the one above that
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
    std::vector<std::string> env;  // NAME=value
    std::string cwd = "/";
    std::string rootfs;  // look the program up in it; empty: it is judged by the path as given
    std::optional<Mode> mode;
    Format format = Format::kTable;
};

// 0: the exec would run; 1: it would be refused.
Result<int> run_policy_explain(const ExplainOptions& options);

// A word with a slash or ending in .json is a file, another the name of a policy in policies_dir.
std::string policy_path(const std::string& word, const Settings& settings);

}  // namespace execseal
