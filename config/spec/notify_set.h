// notify_set: what the edited filter does with each call that starts a program or hides a task.
//
// The one predicate behind the rules that seccomp_edit writes; a table test pins it. By name, not
// by number: a rule of an OCI profile is translated for every ABI that the profile lists, so i386,
// x32 and arm entry points share the answer. Must never name a call that a runtime needs before its
// listener is served (`write`: runc refuses it, libcontainer/seccomp InitSeccomp).
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "hook/os/kernel_constants.h"

namespace execseal {

// First enumerator is the strictest.
enum class Treatment {
    kRefuseNosys,  // ENOSYS: libc falls back to a call whose arguments can be judged
    kRefusePerm,   // EPERM
    kNotify,       // the supervisor answers
    kKeep          // as the profile said
};

// kUntouched: nothing that the policy decides depends on who descends from whom. Who makes a
// process that shares its root and working directory is notified all the same.
enum class ForkCalls { kNotified, kUntouched };

// include/uapi/linux/seccomp.h
inline constexpr std::uint64_t kFilterFlagNewListener = 1U << 3;

struct TargetCall {
    std::string_view name;
    // The flag bits that decide the treatment; 0: the call is treated alike whatever its arguments.
    std::uint64_t deciding_flags;
};

// In the order in which their rules are appended. clone3 stands first because its rule is a plain
// refusal, which a second edit finds denied and leaves where it is: only so is the edit idempotent.
inline constexpr std::array<TargetCall, 7> kTargetCalls{{
    {"clone3", 0},
    {"execve", 0},
    {"execveat", 0},
    {"fork", 0},
    {"vfork", 0},
    {"clone", kCloneFs | kCloneThread | kCloneUntraced},
    {"seccomp", kFilterFlagNewListener},
}};

// `flags`: the flags register of clone and seccomp, ignored for the others.
Treatment treatment_of(std::string_view call, std::uint64_t flags, ForkCalls forks);

}  // namespace execseal
