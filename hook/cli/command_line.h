// The command line of `execseal`: words -> what is to be done. The only file that knows CLI11.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "hook/os/result.h"

namespace execseal {

struct ParsedCommand {
    // Set unless the words were wrong or only asked for help: then `text` is to be shown, on stdout
    // with exit code 0, on stderr with 2.
    std::function<Result<int>()> action;
    std::string text;
    int code = 0;
};

// Without argv[0]. What follows the first "--" is never looked at as options, byte by byte.
ParsedCommand parse_command_line(const std::vector<std::string>& words);

}  // namespace execseal
