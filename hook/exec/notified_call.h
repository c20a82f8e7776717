// What a notification is about: the calls that the edited filter sends to the supervisor, in every
// ABI, decoded from one table.
#pragma once

#include <cstdint>
#include <optional>
#include <variant>

#include "hook/os/ids.h"
#include "hook/os/remote_memory.h"
#include "hook/os/seccomp_notify.h"

namespace execseal {

enum class PointerWidth { k32, k64 };

// execve is execveat with AT_FDCWD and no flags.
struct ExecCall {
    Tid tid;
    RemoteAddr path;
    RemoteAddr argv;
    RemoteAddr envp;
    int dirfd = 0;
    unsigned flags = 0;  // AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW, AT_EXECVE_CHECK
    PointerWidth width = PointerWidth::k64;
    friend bool operator==(const ExecCall&, const ExecCall&) = default;
};

struct ForkCall {
    Tid tid;
    // As clone(2) would take them for the same; nullopt: in memory, where others may write
    // (clone3).
    std::optional<std::uint64_t> flags;
};

// monostate: neither, or of an architecture that we do not know. Whoever meets that denies.
using NotifiedCall = std::variant<std::monostate, ExecCall, ForkCall>;

NotifiedCall decode_call(const Notification& notification);

// Whether decode_call() knows it: `arch` and `nr` as in seccomp_data.
bool is_notified_call(std::uint32_t arch, int nr);

}  // namespace execseal
