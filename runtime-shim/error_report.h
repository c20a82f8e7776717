// error_report: how a failed create is told to the engine.
//
// As runc does it: a line on stderr, and one in the file of --log, in the form of --log-format
// (containerd shows the "msg" of the last JSON line, pkg/process/utils.go getLastRuntimeError()).
#pragma once

#include <string>

#include "runtime-shim/command_line.h"

namespace execseal {

// One line with its newline; `time` is RFC 3339.
std::string log_line(LogFormat format, const std::string& message, const std::string& time);

// A log that cannot be written is no further failure: stderr has the line.
void report_error(const std::string& message, const LogOptions& options);

}  // namespace execseal
