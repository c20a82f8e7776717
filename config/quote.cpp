#include "config/quote.h"

namespace execseal {

std::string quoted(std::string_view bytes, std::size_t limit) {
    static constexpr std::string_view kHex = "0123456789abcdef";
    std::string text = "\"";
    for (const char c : bytes.substr(0, limit)) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') {
            text += '\\';
            text += c;
        } else if (byte >= 0x20 && byte < 0x7f) {
            text += c;
        } else {
            text += "\\x";
            text += kHex[byte >> 4U];
            text += kHex[byte & 0xfU];
        }
    }
    text += '"';
    if (bytes.size() > limit) {
        text += "... (" + std::to_string(bytes.size()) + " bytes)";
    }
    return text;
}

}  // namespace execseal
