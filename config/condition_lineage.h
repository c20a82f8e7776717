// What a rule asks of the programs above an exec (lineage.h).
//
// clang-format off
//   parent    globs as of exe, over the program that makes the exec
//   ancestor  the same; one of all programs above must match
//   depth     a number, {"min": n, "max": n}, or a list of these: how many execs stand above
// clang-format on
//
// What is not known holds in rules that refuse and does not in rules that let pass.
#pragma once

#include "config/condition.h"
#include "config/json_reader.h"

namespace execseal {

void read_parent_condition(const JsonNode& node, Leaning leaning, Conditions& conditions);
void read_ancestor_condition(const JsonNode& node, Leaning leaning, Conditions& conditions);
void read_depth_condition(const JsonNode& node, Leaning leaning, Conditions& conditions);

// `/bin/sh < /usr/sbin/nginx`, the nearest first; what is not known as "?".
std::string lineage_text(const Lineage& lineage);

}  // namespace execseal
