#include "hook/os/check.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>

namespace execseal {

void check_failed(const char* condition, const char* file, int line) noexcept {
    char text[512];
    const int length = std::snprintf(text, sizeof text, "execseal: %s:%d: broken invariant: %s\n",
                                     file, line, condition);
    if (length > 0) {
        const auto size = static_cast<size_t>(length) < sizeof text ? static_cast<size_t>(length)
                                                                    : sizeof text - 1;
        (void)!write(STDERR_FILENO, text, size);
    }
    std::abort();
}

}  // namespace execseal
