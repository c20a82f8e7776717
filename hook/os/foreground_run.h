// run_in_foreground: a program that takes this one's place on its terminal
// until it ends.
#pragma once

#include <string>
#include <vector>

#include "hook/os/result.h"

namespace execseal {

// argv[0] is a path; `environment` ("NAME=value") is added to this process's
// own, whose stdio, process group and working directory the program has.
// Signals that are sent to this process (SIGHUP, SIGINT, SIGQUIT, SIGTERM,
// SIGUSR1, SIGUSR2) go on to the program; those that the terminal sends reach
// it by itself. They stay blocked here afterwards, so that whoever cleans up
// behind the program can. Gives the exit code, 128 + N after signal N. Not for
// a process with threads: the mask is the calling thread's.
Result<int> run_in_foreground(const std::vector<std::string>& argv,
                              const std::vector<std::string>& environment);

}  // namespace execseal
