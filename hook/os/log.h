// The programs' own log (not the audit, which is hook/gate/audit.h): Boost.Log behind five
// functions.
//
// Lines read "TIME LEVEL PROGRAM[PID] text". Until log_to() is called everything goes to stderr
// from warning up. Of each level 500 lines are written at once and 5 a second after that, each of 4
// KiB at most; how many were left out stands before the next. Not to be called between fork and
// exec: Boost.Log takes locks.
#pragma once

#include <string>
#include <string_view>

#include "hook/os/result.h"

namespace execseal {

enum class LogLevel { kTrace, kDebug, kInfo, kWarning, kError };

// trace, debug, info, warning, error; an Error that lists them otherwise.
Result<LogLevel> log_level_from(std::string_view name);

// Appends to `file` from `level` up (created 0640, its directory 0750); an empty `file` means
// stderr.
Result<> log_to(const std::string& file, LogLevel level, const std::string& program);

void log(LogLevel level, std::string_view text) noexcept;
inline void log_debug(std::string_view text) noexcept {
    log(LogLevel::kDebug, text);
}
inline void log_info(std::string_view text) noexcept {
    log(LogLevel::kInfo, text);
}
inline void log_warning(std::string_view text) noexcept {
    log(LogLevel::kWarning, text);
}
inline void log_error(std::string_view text) noexcept {
    log(LogLevel::kError, text);
}

}  // namespace execseal
