// What hangs: every task of a container, of its supervisor and of its runtime, with state, wait
// channel and kernel stack, for a test that passed its deadline.
#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "tests/e2e/command.h"

namespace execseal::e2e {

// The tasks of all processes whose command line or environment names `mark` (the test's scratch
// folder, which stands in the arguments of runtimes and supervisors), and of all processes in the
// PID namespaces below theirs.
std::string report_tasks(const std::string& mark);

// Kills the processes that report_tasks() would show. Last resort: what a hung test left behind.
void kill_marked(const std::string& mark);

// Runs it to its end; past the deadline the report (and what `log` says) goes to stderr, and all
// are killed.
Outcome run_watched(const Command& command, const std::string& mark,
                    std::chrono::milliseconds deadline,
                    const std::function<std::string()>& log = {});

}  // namespace execseal::e2e
