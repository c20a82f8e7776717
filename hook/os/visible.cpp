#include "hook/os/visible.h"

#include <array>
#include <cstdint>

#include "hook/os/hex.h"

namespace execseal {
namespace {

struct CodePoint {
    std::uint32_t value = 0;
    std::size_t size = 0;  // 0: the bytes are not UTF-8
};

// The first code point of `text`, which is not empty. Overlong forms and surrogates are not UTF-8.
CodePoint first_code_point(std::string_view text) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned char lead = byte(0);
    if (lead < 0x80) {
        return {lead, 1};
    }
    const std::size_t size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc2 || lead > 0xf4 || text.size() < size) {
        return {};
    }
    static constexpr std::array<std::uint32_t, 5> kLeast{0, 0, 0x80, 0x800, 0x10000};
    std::uint32_t value = lead & (0x7fU >> size);
    for (std::size_t i = 1; i < size; ++i) {
        if ((byte(i) & 0xc0U) != 0x80) {
            return {};
        }
        value = (value << 6U) | (byte(i) & 0x3fU);
    }
    const bool valid =
        value >= kLeast.at(size) && value <= 0x10ffff && (value < 0xd800 || value > 0xdfff);
    return valid ? CodePoint{value, size} : CodePoint{};
}

// Beyond ASCII: C1, and what is invisible or turns the direction (Unicode: Bidi_Control, and the
// format and separator characters beside them).
bool is_hidden(std::uint32_t value) {
    return value == 0x7f || (value >= 0x80 && value <= 0x9f) || value == 0xad || value == 0x61c ||
           value == 0x180e || (value >= 0x200b && value <= 0x200f) ||
           (value >= 0x2028 && value <= 0x202e) || (value >= 0x2060 && value <= 0x206f) ||
           value == 0xfeff || (value >= 0xfff9 && value <= 0xfffb);
}

void append_unicode(std::string& text, std::uint32_t value) {
    text += "\\u";
    for (const unsigned shift : {12U, 8U, 4U, 0U}) {
        text += kHexDigits[(value >> shift) & 0xfU];
    }
}

void append_byte(std::string& text, char c) {
    text += "\\x";
    append_hex_byte(text, static_cast<unsigned char>(c));
}

bool is_plain(std::string_view text) {
    for (const char c : text) {
        if ((c < ' ' || c > '~') && c != '\n' && c != '\t') {
            return false;
        }
    }
    return true;
}

}  // namespace

bool is_utf8(std::string_view text) {
    for (std::size_t at = 0; at < text.size();) {
        const bool ascii = static_cast<unsigned char>(text[at]) < 0x80;
        const std::size_t size = ascii ? 1 : first_code_point(text.substr(at)).size;
        if (size == 0) {
            return false;
        }
        at += size;
    }
    return true;
}

std::string visible(std::string_view text) {
    if (is_plain(text)) {
        return std::string(text);
    }
    std::string shown;
    while (!text.empty()) {
        const CodePoint next = first_code_point(text);
        const std::size_t size = next.size == 0 ? 1 : next.size;
        const char c = text.front();
        if (next.size == 0 || (next.value < 0x20 && c != '\n' && c != '\t') || next.value == 0x7f) {
            append_byte(shown, c);
        } else if (is_hidden(next.value)) {
            append_unicode(shown, next.value);
        } else {
            shown.append(text.substr(0, size));
        }
        text.remove_prefix(size);
    }
    return shown;
}

std::string visible_json(std::string json) {
    if (is_plain(json)) {
        return json;
    }
    std::string shown;
    shown.reserve(json.size());
    for (std::string_view rest = json; !rest.empty();) {
        const CodePoint next = first_code_point(rest);
        const std::size_t size = next.size == 0 ? 1 : next.size;
        if (next.size != 0 && is_hidden(next.value)) {
            append_unicode(shown, next.value);
        } else {
            shown.append(rest.substr(0, size));
        }
        rest.remove_prefix(size);
    }
    return shown;
}

}  // namespace execseal
