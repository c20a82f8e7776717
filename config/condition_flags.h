// Arguments as command-line tools read them: flags in their spellings, and the subcommand behind
// the global flags.
//
// "flag": ["-f", "--force"] holds where one of these may have been given: -f also inside a cluster
// (-uf), --force also with a value (--force=x), cut short (--forc, as getopt_long(3) and git
// accept) and with one dash (-force, as Go programs do). It errs on the side of seeing a flag
// (-mfix has an f), so it may only stand where that refuses: in deny and kill rules, or below `not`
// in the others. "--" does not end the search: it may be another flag's value.
//
// "subcommand": {"is": "push", "flags_with_values": ["-C"], "flags": ["--bare"]} looks at the first
// argument that is no global flag: `git -C dir --bare push`. A flag that is in neither list may or
// may not take a value. Then a rule that refuses matches if any argument is the subcommand, and one
// that lets pass does not match.
#pragma once

#include <string>

#include "config/condition.h"
#include "config/json_reader.h"

namespace execseal {

void read_flag_condition(const JsonNode& node, Leaning leaning, Conditions& conditions);
void read_subcommand_condition(const JsonNode& node, Leaning leaning, Conditions& conditions);

}  // namespace execseal
