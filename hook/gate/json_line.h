// JsonLine: one JSON object on one line, written member by member as text.
//
// For lines that are written at every exec and read by somebody else: a tree of values that is
// walked once and dropped costs four times as much. Nearly all strings are ASCII, which is copied;
// what other bytes mean is nlohmann-json's to say. Characters that a terminal obeys or that hide
// text (C1, the bidirectional controls) stand as \uNNNN.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace execseal {

// A byte string as JSON: itself when it is UTF-8, {"hex": "..."} otherwise.
nlohmann::ordered_json bytes_to_json(const std::string& bytes);

class JsonLine {
  public:
    // `start` is the line's first part: "{" and any members, without a comma at their end.
    explicit JsonLine(std::string start) : line_(std::move(start)) {}
    // Room for so much more; what is not used of it is never touched.
    void expect(std::size_t bytes) { line_.reserve(line_.size() + bytes); }

    void number(std::string_view name, std::int64_t value);
    void flag(std::string_view name);  // true
    // Text of ours; what is not UTF-8 in it is replaced (U+FFFD).
    void text(std::string_view name, std::string_view text);
    // Bytes of the container, as bytes_to_json() shows them.
    void bytes(std::string_view name, const std::string& bytes);

    // JSON text as it is.
    void raw(std::string_view name, std::string_view json);

    // Members and items go into what was opened last.
    void open_object(std::string_view name);
    void open_object_item();
    void close_object() { line_ += '}'; }
    void open_array(std::string_view name);
    void bytes_item(const std::string& bytes);
    // In the shorter form: text of which JSON escapes much stands as hex, too. False, and nothing
    // is appended, where the line would have more than `most` bytes.
    [[nodiscard]] bool bytes_item_within(const std::string& bytes, std::size_t most);
    void close_array() { line_ += ']'; }

    // The whole line, with its newline.
    [[nodiscard]] std::string end() &&;

  private:
    void separate();
    void begin(std::string_view name);
    void append_bytes(const std::string& bytes);
    bool append_ascii(std::string_view text);

    std::string line_;
};

}  // namespace execseal
