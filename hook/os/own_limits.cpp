#include "hook/os/own_limits.h"

#include <sys/resource.h>

#include <algorithm>

namespace execseal {
namespace {

constexpr rlim_t kStack = rlim_t{8} << 20U;  // _STK_LIM, include/uapi/linux/resource.h
constexpr rlim_t kFiles = 1024;              // INR_OPEN_CUR, include/uapi/linux/fs.h

void lift(__rlimit_resource_t what, rlim_t wanted) noexcept {
    rlimit limit{};
    if (::getrlimit(what, &limit) != 0 || limit.rlim_cur >= wanted) {
        return;
    }
    const rlimit lifted{wanted, std::max(limit.rlim_max, wanted)};
    if (::setrlimit(what, &lifted) != 0) {
        const rlimit allowed{std::min(wanted, limit.rlim_max), limit.rlim_max};
        (void)::setrlimit(what, &allowed);
    }
}

}  // namespace

void lift_own_limits() noexcept {
    lift(RLIMIT_STACK, kStack);
    lift(RLIMIT_NOFILE, kFiles);
    for (const auto what : {RLIMIT_AS, RLIMIT_DATA, RLIMIT_FSIZE, RLIMIT_CPU, RLIMIT_NPROC}) {
        lift(what, RLIM_INFINITY);
    }
}

}  // namespace execseal
