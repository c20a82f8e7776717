// Built-in rules: what events name as the rule where no rule of a policy has decided. A policy may
// not have rules of these ids (the schema lists them, too).
#pragma once

#include <array>

namespace execseal::built_in_rule {

inline constexpr const char* kDefault = "default";        // the policy's default
inline constexpr const char* kKernel = "kernel";          // the kernel itself would refuse it
inline constexpr const char* kUnreadable = "unreadable";  // arguments that cannot be read whole
inline constexpr const char* kBlocked = "blocked";        // what does not come within its deadline
inline constexpr const char* kUnresolved = "unresolved";  // a program or ids without a meaning
inline constexpr const char* kFreeze = "freeze";          // the domain could not be frozen
inline constexpr const char* kTraced = "traced";          // the caller has another tracer
inline constexpr const char* kArm = "arm";                // the caller cannot be traced
inline constexpr const char* kInvisible = "invisible";    // nor seen
inline constexpr const char* kUnrecorded = "unrecorded";  // its event could not be written
inline constexpr const char* kStray = "stray";            // a process without the filter

inline constexpr std::array kAll{kDefault, kKernel, kUnreadable, kBlocked,    kUnresolved, kFreeze,
                                 kTraced,  kArm,    kInvisible,  kUnrecorded, kStray};

}  // namespace execseal::built_in_rule
