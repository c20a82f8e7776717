// `execseal policy test`: recorded execs judged again.
#pragma once

#include <string>

#include "hook/cli/recordings.h"
#include "hook/cli/table.h"
#include "hook/os/result.h"

namespace execseal {

struct TestCommand {
    std::string policy;  // a file, or a name in policies_dir
    std::string with;    // compare with this policy instead of with what was recorded
    RecordingQuery query;
    Format format = Format::kTable;
};

// 0: every exec is decided as before; 1: some are not, or cannot be told, or failure.
Result<int> run_policy_test(const TestCommand& command);

}  // namespace execseal
