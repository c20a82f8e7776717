#include "hook/cli/table.h"

#include <algorithm>

#include "config/quote.h"
#include "hook/os/hex.h"

namespace execseal {
namespace {

void widen(std::vector<std::size_t>& widths, const Cells& row) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) {
        widths[i] = std::max(widths[i], row[i].size());
    }
}

}  // namespace

std::string table_line(std::span<const std::size_t> widths, const Cells& cells) {
    std::string line;
    for (std::size_t i = 0; i < cells.size(); ++i) {
        line += cells[i];
        if (i + 1 < cells.size()) {
            const std::size_t width = i < widths.size() ? widths[i] : 0;
            line.append(std::max(width, cells[i].size()) - cells[i].size() + 2, ' ');
        }
    }
    line.resize(line.find_last_not_of(' ') + 1);
    return line + "\n";
}

std::string table_text(const Cells& titles, const std::vector<Cells>& rows) {
    std::vector<std::size_t> widths;
    widen(widths, titles);
    for (const Cells& row : rows) {
        widen(widths, row);
    }
    std::string text = table_line(widths, titles);
    for (const Cells& row : rows) {
        text += table_line(widths, row);
    }
    return text;
}

std::string fitted(const std::string& text, std::size_t columns) {
    static constexpr std::string_view kMark = "...";
    if (columns <= kMark.size()) {
        return text;
    }
    std::string result;
    std::size_t start = 0;
    while (start < text.size()) {
        const std::size_t end = std::min(text.find('\n', start), text.size());
        if (end - start > columns) {
            result.append(text, start, columns - kMark.size()).append(kMark);
        } else {
            result.append(text, start, end - start);
        }
        result += end < text.size() ? "\n" : "";
        start = end + 1;
    }
    return result;
}

std::string StreamedTable::add(Cells row) {
    if (settled_) {
        widen(widths_, row);
        return table_line(widths_, row);
    }
    rows_.push_back(std::move(row));
    static constexpr std::size_t kMany = 1000;
    return rows_.size() > kMany ? settle() : "";
}

std::string StreamedTable::settle() {
    for (const Cells& row : rows_) {
        widen(widths_, row);
    }
    std::string text;
    for (const Cells& row : rows_) {
        text += table_line(widths_, row);
    }
    rows_.clear();
    settled_ = true;
    return text;
}

std::string printable(std::string_view bytes) {
    std::string text;
    for (const char c : bytes) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte >= 0x20 && byte < 0x7f) {
            text += c;
        } else {
            text += "\\x";
            append_hex_byte(text, byte);
        }
    }
    return text;
}

std::string shell_word(std::string_view bytes) {
    static constexpr std::string_view kPlain =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:=@%+,-";
    static constexpr std::size_t kLongest = 120;
    const bool plain = !bytes.empty() && bytes.size() <= kLongest &&
                       bytes.find_first_not_of(kPlain) == std::string_view::npos;
    return plain ? std::string(bytes) : quoted(bytes, kLongest);
}

std::string command_text(std::string_view exe, std::span<const std::string> argv,
                         std::size_t limit) {
    std::string text = shell_word(exe);
    for (std::size_t i = 1; i < argv.size(); ++i) {
        text += ' ';
        text += shell_word(argv[i]);
        if (text.size() > limit) {
            text.resize(limit);
            return text + "... (" + std::to_string(argv.size() - 1) + " arguments)";
        }
    }
    return text;
}

std::string short_id(std::string_view id) {
    static constexpr std::size_t kDigits = 64;
    static constexpr std::size_t kShown = 12;
    const bool digest = id.size() == kDigits && is_hex(id);
    return digest ? std::string(id.substr(0, kShown)) : shell_word(id);
}

std::string short_time(std::string_view rfc3339) {
    std::string text = printable(rfc3339.substr(0, rfc3339.find('.')));
    if (const auto separator = text.find('T'); separator != std::string::npos) {
        text[separator] = ' ';
    }
    return text;
}

}  // namespace execseal
