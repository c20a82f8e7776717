#include "hook/os/memory_use.h"

#include <sys/sysinfo.h>

namespace execseal {

bool swap_is_used() noexcept {
    struct sysinfo now {};
    return ::sysinfo(&now) != 0 || now.freeswap != now.totalswap;
}

}  // namespace execseal
