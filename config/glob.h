// Glob: a path pattern over bytes, compiled once.
//
//   *      any bytes within one component (never '/')      ?      one byte, not '/'
//   **     any bytes, '/' too                              [a-z]  one byte of a set, [!a-z] one not
//   /**/   one '/' or any directories between              \x     the byte x itself
//
// Matches the whole text, in time linear in it (RE2): the text is the container's. A pattern
// without any of these is literal and needs no RE2.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "hook/os/result.h"

namespace re2 {
class RE2;
}

namespace execseal {

class Glob {
  public:
    // The Error says what was expected, without a place.
    static Result<Glob> compile(std::string_view pattern);

    [[nodiscard]] bool matches(std::string_view text) const;
    [[nodiscard]] const std::string& pattern() const { return pattern_; }
    [[nodiscard]] bool is_literal() const { return regex_ == nullptr; }
    // What a literal pattern matches: the pattern without its backslashes.
    [[nodiscard]] const std::string& literal() const { return start_; }
    // The same language as an RE2 (Latin-1, to be anchored at both ends).
    [[nodiscard]] const std::string& regex_source() const { return source_; }
    // Whether a single * stands in it, which stops at a '/'.
    [[nodiscard]] bool stops_at_slash() const { return stops_at_slash_; }

  private:
    std::string pattern_;
    std::string start_;  // what every match begins with; of a literal the whole of it
    std::string source_;
    bool stops_at_slash_ = false;
    std::shared_ptr<const re2::RE2> regex_;
};

}  // namespace execseal
