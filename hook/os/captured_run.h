// captured_run: what a program of the node prints, for `execseal doctor`.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "hook/os/result.h"

namespace execseal {

struct CapturedRun {
    int exit_code = 0;  // 128 + N after signal N
    std::string out;    // stdout, then nothing of stderr
};

// argv[0] by path or by PATH; stdin and stderr are /dev/null. More than 1 MiB of output, or the
// deadline, is an Error, and the program is killed.
Result<CapturedRun> run_captured(const std::vector<std::string>& argv,
                                 std::chrono::milliseconds deadline);

}  // namespace execseal
