#include "config/quote.h"
#include "hook/os/hex.h"

namespace execseal {

std::string quoted(std::string_view bytes, std::size_t limit) {
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
            append_hex_byte(text, byte);
        }
    }
    text += '"';
    if (bytes.size() > limit) {
        text += "... (" + std::to_string(bytes.size()) + " bytes)";
    }
    return text;
}

}  // namespace execseal
