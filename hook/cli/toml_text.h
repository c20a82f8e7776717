// TOML of other programs, read by toml++ without an exception.
#pragma once

#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>
#include <string>
#include <string_view>

#include "hook/os/result.h"

namespace execseal {

// "line 3, column 7: ..." where it is no TOML.
inline Result<toml::table> parse_toml(std::string_view text) {
    toml::parse_result parsed = toml::parse(text);
    if (!parsed) {
        const toml::parse_error& error = parsed.error();
        return make_error("line " + std::to_string(error.source().begin.line) + ", column " +
                          std::to_string(error.source().begin.column) + ": " +
                          std::string(error.description()));
    }
    return std::move(parsed).table();
}

}  // namespace execseal
