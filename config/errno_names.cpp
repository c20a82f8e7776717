#include "config/errno_names.h"

#include <cstring>

namespace execseal {
namespace {
constexpr int kLastErrno = 133;  // EHWPOISON, the last of asm-generic/errno.h
}

std::optional<int> errno_by_name(std::string_view name) {
    for (int number = 1; number <= kLastErrno; ++number) {
        // strerrorname_np(3), glibc 2.32: a constant string, null for numbers without a name.
        const char* const candidate = strerrorname_np(number);
        if (candidate != nullptr && name == candidate) {
            return number;
        }
    }
    // The names that share a number with another one.
    if (name == "EWOULDBLOCK") {
        return EWOULDBLOCK;
    }
    if (name == "ENOTSUP") {
        return ENOTSUP;
    }
    return std::nullopt;
}

std::string errno_name(int number) {
    return errno_has_name(number) ? strerrorname_np(number) : std::to_string(number);
}

bool errno_has_name(int number) {
    return number > 0 && number <= kLastErrno && strerrorname_np(number) != nullptr;
}

}  // namespace execseal
