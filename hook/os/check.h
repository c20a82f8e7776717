// CHECK: a broken invariant of our own code ends the process, in every build.
//
// Never for anything that comes from outside (a container, a runtime, a file): those are Errors.
// The supervisor's end is fail-closed for its container (the kernel answers ENOSYS once the
// listener is closed), see seccomp_unotify(2).
#pragma once

namespace execseal {
[[noreturn]] void check_failed(const char* condition, const char* file, int line) noexcept;
}  // namespace execseal

#define CHECK(condition)                                              \
    do {                                                              \
        if (!(condition)) [[unlikely]] {                              \
            ::execseal::check_failed(#condition, __FILE__, __LINE__); \
        }                                                             \
    } while (false)
