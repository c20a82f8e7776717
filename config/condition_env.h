// What a rule asks of the environment.
//
// clang-format off
//   env        {"NAME": pattern | true | null}: a variable has such a value | is there | is not
//              there; NAME may have * in it ("LD_*")
//   env_names  a list of names (* allowed): every variable's is one of these
// clang-format on
#pragma once

#include "config/condition.h"
#include "config/json_reader.h"

namespace execseal {

void read_env_conditions(const JsonNode& node, Leaning leaning, Conditions& conditions);
void read_env_names_condition(const JsonNode& node, Leaning leaning, Conditions& conditions);

}  // namespace execseal
