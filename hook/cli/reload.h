// `execseal reload` and `execseal mode`: what a running container is judged by, changed.
#pragma once

#include <string>
#include <vector>

#include "hook/cli/table.h"
#include "hook/os/result.h"

namespace execseal {

struct ReloadCommand {
    std::string settings;                 // path of the settings file: run_dir
    std::vector<std::string> containers;  // as for `execseal ps -t`; empty: all
    Format format = Format::kTable;
};

// 1: a supervisor kept what it had, or did not answer; a line on stderr says which and why.
Result<int> run_reload(const ReloadCommand& command);

struct ModeCommand {
    std::string settings;
    std::string container;
    std::string mode;  // audit or enforce
};

// 1: the mode is what it was; a line on stderr says why.
Result<int> run_mode(const ModeCommand& command);

}  // namespace execseal
