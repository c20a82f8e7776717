// Pattern: what one argument or one environment value must be.
//
// clang-format off
//   "push"                    exactly these bytes (as UTF-8)
//   {"hex": "66ff"}           exactly these bytes
//   {"glob": "/data/**"}      a glob over the whole (config/glob.h)
//   {"regex": "^--up"}        RE2 over bytes (Latin-1); "." is any byte. In a rule that refuses it
//                             is searched for, in one that lets pass it must match the whole.
// clang-format on
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "config/condition.h"
#include "config/glob.h"
#include "config/json_reader.h"

namespace execseal {

class Pattern {
  public:
    // Problems are the node's; what is returned then matches nothing.
    static Pattern read(const JsonNode& node, Leaning leaning);

    [[nodiscard]] bool matches(std::string_view bytes) const;
    // Whether BEFORE...AFTER matches, whatever stands between them; nullopt where that depends on
    // it, or where it cannot be told.
    [[nodiscard]] std::optional<bool> matches_around(std::string_view before,
                                                     std::string_view after) const;
    // Null unless only these bytes match.
    [[nodiscard]] const std::string* literal() const;
    // An RE2 source (Latin-1, dot matches newline) that is found in just the bytes that match.
    [[nodiscard]] std::string search_source() const;
    [[nodiscard]] std::string text() const;

  private:
    enum class Kind { kNothing, kLiteral, kGlob, kRegex };

    void read_glob(const JsonNode& node, Leaning leaning);
    void read_regex(const JsonNode& node);

    Kind kind_ = Kind::kNothing;
    Leaning leaning_ = Leaning::kStrict;
    std::string source_;  // literal: the bytes; else the pattern as written
    Glob glob_;
    std::shared_ptr<const re2::RE2> regex_;
};

}  // namespace execseal
