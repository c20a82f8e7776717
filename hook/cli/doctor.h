// `execseal doctor`: can containers run under a policy on this node, and if not, why?
#pragma once

#include <string>

#include "hook/cli/table.h"
#include "hook/os/result.h"

namespace execseal {

struct DoctorOptions {
    std::string settings;  // path of the settings file
    std::string root;      // before the paths of other programs' files
    std::string share;     // as for install
    Format format = Format::kTable;
};

// 1: at least one line is a fail.
Result<int> run_doctor(const DoctorOptions& options);

}  // namespace execseal
