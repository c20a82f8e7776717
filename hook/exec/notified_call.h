// What a notification is about: the calls that the edited filter sends to the supervisor, in every
// ABI.
#pragma once

#include <cstdint>

namespace execseal {

enum class NotifiedCall : std::uint8_t { kUnknown, kFork, kExec };

// `arch` and `nr` as in seccomp_data: AUDIT_ARCH_*, x32 with bit 30 of `nr` set.
NotifiedCall kind_of_call(std::uint32_t arch, int nr);

}  // namespace execseal
