// The wall clock as audit, status and logs write it.
#pragma once

#include <chrono>
#include <string>

namespace execseal {

// RFC 3339 in UTC with microseconds, "2026-01-31T23:59:59.123456Z".
std::string utc_now_text();
std::string utc_text(std::chrono::system_clock::time_point time);

}  // namespace execseal
