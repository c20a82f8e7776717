// learnt_arguments: the arguments that one program was seen with -> "argv" conditions. Pure.
#pragma once

#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "hook/cli/argument_shape.h"
#include "hook/cli/observed.h"

namespace execseal {

struct ArgumentRule {
    std::string word;             // its subcommand, for the rule's name
    nlohmann::ordered_json argv;  // empty: any arguments
    std::vector<const ObservedExec*> execs;
    bool rare = false;  // the one exec of many with something in its arguments
};

// All execs are of one program and way.
std::vector<ArgumentRule> argument_rules(const std::vector<const ObservedExec*>& execs, Width width,
                                         const DataNames& names);

// A pattern that all of `values` match.
nlohmann::ordered_json pattern_of_values(const std::set<std::string>& values,
                                         const DataNames& names);

}  // namespace execseal
