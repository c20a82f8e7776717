// Bytes of a container as text for a person: reasons, tables. Never for the audit's own fields,
// which lose nothing.
#pragma once

#include <string>
#include <string_view>

namespace execseal {

// "..." with every byte that is not printable ASCII as \xNN; cut after `limit` bytes with a mark.
std::string quoted(std::string_view bytes, std::size_t limit = 160);

}  // namespace execseal
