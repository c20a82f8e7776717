// The version of execseal that a policy or a settings file says it needs: "requires": "0.2.0".
//
// An older program would refuse the keys that it does not know in any case; with this member its
// line says what is to be done, and a key whose meaning has grown is not half understood.
#pragma once

#include <array>
#include <optional>
#include <string_view>

#include "config/json_reader.h"

namespace execseal {

// Three numbers with dots; nullopt: it is none.
std::optional<std::array<unsigned, 3>> parse_version(std::string_view text);

// To be called before unknown keys are looked for, so that its line is the first. Names both
// versions where the program's own is older. What is no object is left to others.
void check_required_version(const nlohmann::ordered_json& document, JsonProblems& problems);

}  // namespace execseal
