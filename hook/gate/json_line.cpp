#include "hook/gate/json_line.h"

#include <array>
#include <charconv>
#include <nlohmann/json.hpp>

#include "hook/os/hex.h"
#include "hook/os/visible.h"

namespace execseal {
namespace {

using nlohmann::ordered_json;

constexpr std::string_view kHexOpens = R"({"hex":")";
constexpr std::string_view kHexCloses = R"("})";

void append_hex(std::string& text, std::string_view bytes) {
    for (const char byte : bytes) {
        append_hex_byte(text, static_cast<unsigned char>(byte));
    }
}

}  // namespace

ordered_json bytes_to_json(const std::string& bytes) {
    if (is_utf8(bytes)) {
        return bytes;
    }
    std::string hex;
    append_hex(hex, bytes);
    return {{"hex", hex}};
}

void JsonLine::number(std::string_view name, std::int64_t value) {
    begin(name);
    std::array<char, 24> digits{};
    const auto end = std::to_chars(digits.begin(), digits.end(), value).ptr;
    line_.append(digits.begin(), end);
}

void JsonLine::flag(std::string_view name) {
    begin(name);
    line_ += "true";
}

void JsonLine::text(std::string_view name, std::string_view text) {
    begin(name);
    if (!append_ascii(text)) {
        line_ += visible_json(
            ordered_json(text).dump(-1, ' ', false, ordered_json::error_handler_t::replace));
    }
}

void JsonLine::bytes(std::string_view name, const std::string& bytes) {
    begin(name);
    append_bytes(bytes);
}

void JsonLine::bytes_item(const std::string& bytes) {
    separate();
    append_bytes(bytes);
}

bool JsonLine::bytes_item_within(const std::string& bytes, std::size_t most) {
    const std::size_t before = line_.size();
    const std::size_t hex = kHexOpens.size() + 2 * bytes.size() + kHexCloses.size();
    separate();
    const std::size_t start = line_.size();
    if (!append_ascii(bytes)) {
        if (is_utf8(bytes)) {
            line_ += visible_json(ordered_json(bytes).dump());
        }
        if (line_.size() == start || line_.size() - start > hex) {
            line_.resize(start);
            line_ += kHexOpens;
            append_hex(line_, bytes);
            line_ += kHexCloses;
        }
    }
    if (line_.size() > most) {
        line_.resize(before);
        return false;
    }
    return true;
}

void JsonLine::open_object(std::string_view name) {
    begin(name);
    line_ += '{';
}

void JsonLine::open_object_item() {
    separate();
    line_ += '{';
}

void JsonLine::raw(std::string_view name, std::string_view json) {
    begin(name);
    line_ += json;
}

void JsonLine::open_array(std::string_view name) {
    begin(name);
    line_ += '[';
}

std::string JsonLine::end() && {
    line_ += "}\n";
    return std::move(line_);
}

// A comma, but for what comes first.
void JsonLine::separate() {
    if (line_.back() != '{' && line_.back() != '[') {
        line_ += ',';
    }
}

void JsonLine::begin(std::string_view name) {
    separate();
    line_ += '"';
    line_ += name;
    line_ += "\":";
}

void JsonLine::append_bytes(const std::string& bytes) {
    if (!append_ascii(bytes)) {
        line_ += visible_json(bytes_to_json(bytes).dump());
    }
}

// False, and nothing is appended, where the text has other bytes than those of printable ASCII.
bool JsonLine::append_ascii(std::string_view text) {
    const std::size_t before = line_.size();
    line_ += '"';
    std::size_t copied = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (c < ' ' || c > '~') {
            line_.resize(before);
            return false;
        }
        if (c == '"' || c == '\\') {
            line_.append(text, copied, i - copied) += '\\';
            copied = i;
        }
    }
    line_.append(text, copied) += '"';
    return true;
}

}  // namespace execseal
