#include "hook/os/clock.h"

#include <array>
#include <cstdio>
#include <ctime>

namespace execseal {

std::string utc_now_text() {
    return utc_text(std::chrono::system_clock::now());
}

std::string utc_text(std::chrono::system_clock::time_point time) {
    const auto since =
        std::chrono::duration_cast<std::chrono::microseconds>(time.time_since_epoch()).count();
    const auto seconds = static_cast<std::time_t>(since / 1'000'000);
    tm utc{};
    (void)::gmtime_r(&seconds, &utc);
    std::array<char, 80> text{};
    const int size = std::snprintf(text.data(), text.size(), "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ",
                                   utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday, utc.tm_hour,
                                   utc.tm_min, utc.tm_sec, static_cast<int>(since % 1'000'000));
    return {text.data(), static_cast<std::size_t>(size > 0 ? size : 0)};
}

}  // namespace execseal
