#include "hook/os/clock.h"

#include <array>
#include <cstdio>
#include <ctime>

namespace execseal {

std::string utc_now_text() {
    timespec now{};
    (void)::clock_gettime(CLOCK_REALTIME, &now);
    tm utc{};
    (void)::gmtime_r(&now.tv_sec, &utc);
    std::array<char, 80> text{};
    const int size = std::snprintf(text.data(), text.size(), "%04d-%02d-%02dT%02d:%02d:%02d.%06ldZ",
                                   utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday, utc.tm_hour,
                                   utc.tm_min, utc.tm_sec, now.tv_nsec / 1000);
    return {text.data(), static_cast<std::size_t>(size > 0 ? size : 0)};
}

}  // namespace execseal
