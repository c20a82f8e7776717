// visible: text that may hold bytes of a container, made safe for a person's terminal or pager.
//
// Pure. What moves the cursor, starts a terminal's command, or turns the direction of writing is
// shown as an escape: C0 and C1 control characters, DEL, the bidirectional controls, invisible
// spaces and line separators. Other text in UTF-8 stays as it is.
#pragma once

#include <string>
#include <string_view>

namespace execseal {

// As RFC 3629 has it: no overlong forms, no surrogates.
bool is_utf8(std::string_view text);

// For a message: newline and tab stay; other such characters become \xNN or \uNNNN, and so does
// every byte that is not part of UTF-8.
std::string visible(std::string_view text);

// For JSON text in UTF-8: such characters become \uNNNN, which means the same to every parser.
std::string visible_json(std::string json);

}  // namespace execseal
