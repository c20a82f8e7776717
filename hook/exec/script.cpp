#include "hook/exec/script.h"

#include <algorithm>
#include <array>

namespace execseal {
namespace {

// The kernel's buffer: zero padded, and its last byte is looked at like the others.
using Buffer = std::array<char, kBinprmBuffer>;

bool is_blank(char c) {
    return c == ' ' || c == '\t';
}

// Both look at `last` too, as next_non_spacetab() and next_terminator() do.
std::optional<std::size_t> next_word(const Buffer& text, std::size_t first, std::size_t last) {
    for (; first <= last; ++first) {
        if (!is_blank(text[first])) {
            return first;
        }
    }
    return std::nullopt;
}

std::optional<std::size_t> next_terminator(const Buffer& text, std::size_t first,
                                           std::size_t last) {
    for (; first <= last; ++first) {
        if (is_blank(text[first]) || text[first] == '\0') {
            return first;
        }
    }
    return std::nullopt;
}

std::string c_string(const Buffer& text, std::size_t at) {
    const auto* const begin = text.begin() + at;
    return {begin, std::find(begin, text.end(), '\0')};
}

}  // namespace

std::optional<Shebang> parse_shebang(std::string_view head) {
    Buffer text{};
    head = head.substr(0, text.size());
    std::copy(head.begin(), head.end(), text.begin());
    if (text[0] != '#' || text[1] != '!') {
        return std::nullopt;
    }
    constexpr std::size_t kLast = kBinprmBuffer - 1;
    // strnchr() stops at the first NUL.
    const auto* const stop =
        std::find_if(text.begin(), text.end(), [](char c) { return c == '\n' || c == '\0'; });
    auto end = static_cast<std::size_t>(stop - text.begin());
    if (stop == text.end() || *stop != '\n') {
        // No end of line: the interpreter's name must be known to be whole.
        const auto name = next_word(text, 2, kLast);
        if (!name || !next_terminator(text, *name, kLast)) {
            return std::nullopt;
        }
        end = kLast;
    }
    while (is_blank(text[end - 1])) {
        --end;
    }
    const auto name = next_word(text, 2, end);
    if (!name || *name == end) {
        return std::nullopt;
    }
    const auto separator = next_terminator(text, *name, end);
    std::optional<std::size_t> argument;
    if (separator && text[*separator] != '\0') {
        argument = next_word(text, *separator, end);
    }
    Shebang result;
    text[end] = '\0';
    if (argument) {
        text[*separator] = '\0';
        result.argument = c_string(text, *argument);
    }
    result.interpreter = c_string(text, *name);
    return result;
}

}  // namespace execseal
