// `execseal ps`: the supervised containers of this node, or the tasks of one, as their supervisors
// tell.
#pragma once

#include <string>

#include "hook/cli/table.h"
#include "hook/os/result.h"

namespace execseal {

struct PsOptions {
    std::string settings;  // path of the settings file: run_dir
    std::string tasks_of;  // name, id or unambiguous beginning of an id; empty: the containers
    Format format = Format::kTable;
};

// 1: a supervisor did not answer or has died, a line on stderr says which.
Result<int> run_ps(const PsOptions& options);

}  // namespace execseal
