// StringBlock: strings as the kernel keeps argv and environ, one after the other, each with its
// NUL.
//
// /proc/PID/cmdline and /proc/PID/environ have this very form, so what was judged and what runs are
// compared in one memcmp.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace execseal {

struct StringBlock {
    std::string bytes;
    std::size_t count = 0;

    void clear();
    void add(std::string_view string);  // without its NUL; must not contain one
    [[nodiscard]] std::vector<std::string> split() const;
    friend bool operator==(const StringBlock&, const StringBlock&) = default;
};

// Any range of strings, for what is built rather than read.
StringBlock make_block(const std::vector<std::string>& strings);

}  // namespace execseal
