#include "hook/os/clock.h"

#include <gtest/gtest.h>

#include <array>
#include <ctime>

namespace execseal {
namespace {

using namespace std::chrono_literals;
using Time = std::chrono::system_clock::time_point;

TEST(Clock, ATimeIsRfc3339InUtcWithMicroseconds) {
    EXPECT_EQ(utc_text(Time{}), "1970-01-01T00:00:00.000000Z");
    EXPECT_EQ(utc_text(Time(1769903999s + 123456us)), "2026-01-31T23:59:59.123456Z");
    EXPECT_EQ(utc_text(Time(951782400s + 999ns)), "2000-02-29T00:00:00.000000Z");
}

TEST(Clock, EachDayOfACenturyIsTheCLibrarys) {
    for (auto time = Time(0s); time < Time(24h * 36'525); time += 24h + 3599s) {
        const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
        tm utc{};
        ASSERT_NE(::gmtime_r(&seconds, &utc), nullptr);
        std::array<char, 32> text{};
        ASSERT_NE(std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S.000000Z", &utc), 0U);
        ASSERT_EQ(utc_text(time), text.data());
    }
}

}  // namespace
}  // namespace execseal
