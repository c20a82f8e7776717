// errno names, as policies write them and events show them.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace execseal {

// "EACCES" -> 13.
std::optional<int> errno_by_name(std::string_view name);
// 13 -> "EACCES"; a number that has no name as digits.
std::string errno_name(int number);
bool errno_has_name(int number);

}  // namespace execseal
