// skim_event: what a filter asks of an event, out of its line as text.
//
// Pure. Many times faster than parse_event(), which makes a tree of the whole line: most lines of a
// large file are only looked at to be left out.
#pragma once

#include <string_view>

#include "hook/cli/event.h"

namespace execseal {

// Fills the fields of `event` that EventFilter looks at; `json` and `argv` are not touched. False
// where the line is not the exec of a supervisor in its plainest form (another kind of event, an
// escape, {"hex"} or more than ASCII in one of the fields, a torn line): then parse_event() is to
// be asked.
bool skim_event(std::string_view line, Event& event);

}  // namespace execseal
