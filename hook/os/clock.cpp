#include "hook/os/clock.h"

namespace execseal {
namespace {

void put_digits(std::string& text, std::size_t at, std::size_t count, long value) {
    for (; count > 0; value /= 10) {
        text[at + --count] = static_cast<char>('0' + value % 10);
    }
}

}  // namespace

std::string utc_now_text() {
    return utc_text(std::chrono::system_clock::now());
}

std::string utc_text(std::chrono::system_clock::time_point time) {
    const auto day = std::chrono::floor<std::chrono::days>(time);
    const std::chrono::year_month_day date(day);
    const std::chrono::hh_mm_ss of_day(std::chrono::floor<std::chrono::microseconds>(time - day));
    std::string text = "0000-00-00T00:00:00.000000Z";
    put_digits(text, 0, 4, int{date.year()});
    put_digits(text, 5, 2, unsigned{date.month()});
    put_digits(text, 8, 2, unsigned{date.day()});
    put_digits(text, 11, 2, of_day.hours().count());
    put_digits(text, 14, 2, of_day.minutes().count());
    put_digits(text, 17, 2, of_day.seconds().count());
    put_digits(text, 20, 6, of_day.subseconds().count());
    return text;
}

}  // namespace execseal
