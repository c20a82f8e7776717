// hex: bytes as lower-case hex digits, and back.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace execseal {

inline constexpr std::string_view kHexDigits = "0123456789abcdef";

inline void append_hex_byte(std::string& text, unsigned char byte) {
    text += kHexDigits[byte >> 4U];
    text += kHexDigits[byte & 0xfU];
}

inline std::optional<unsigned> hex_digit(char c) {
    const std::size_t at = kHexDigits.find(c);
    return at == std::string_view::npos ? std::nullopt : std::optional(static_cast<unsigned>(at));
}

inline bool is_hex(std::string_view text) {
    return text.find_first_not_of(kHexDigits) == std::string_view::npos;
}

}  // namespace execseal
