// What a rule asks of the arguments: "argv": {...}.
//
// argv[0] is whatever the caller likes to call the program, so all of these look at argv[1]
// onwards; only `at` {"0": ...} sees it.
//
// clang-format off
//   exact     [p, ...]            these arguments and no others
//   prefix    [p, ...]            these first
//   contains  [p, ...]            each of these somewhere, any order
//   any       [p, ...]            at least one of these
//   none      [p, ...]            no argument is any of these
//   every     [p, ...]            each argument is one of these
//   at        {"1": p, "-1": p}   by position, -1 the last
//   count     {"min": n, "max": n}
//   sequence  [p, ...]            these, one after the other, somewhere
//   flag, subcommand              config/condition_flags.h
// clang-format on
#pragma once

#include <string>
#include <vector>

#include "config/condition.h"
#include "config/json_reader.h"

namespace execseal {

// What the rule says about the program, for checks that need it.
struct ProgramHint {
    bool known = false;              // the rule has an exe condition
    std::vector<std::string> names;  // last components of its literal paths
};

void read_argv_conditions(const JsonNode& node, Leaning leaning, const ProgramHint& program,
                          Conditions& conditions);

}  // namespace execseal
