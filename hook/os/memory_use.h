// How much of the node's memory is where.
#pragma once

namespace execseal {

// Whether anything lies in swap space; true where it is not known.
bool swap_is_used() noexcept;

}  // namespace execseal
