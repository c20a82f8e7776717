#include "hook/os/own_limits.h"

#include <sys/resource.h>

#include <algorithm>
#include <charconv>
#include <string>

#include "hook/os/byte_io.h"
#include "hook/os/file_read.h"

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

constexpr const char* kOomScore = "/proc/self/oom_score_adj";
constexpr int kSpared =
    -999;  // -1000 is never killed at all, not even where it alone has the memory

Result<int> oom_score() {
    constexpr std::size_t kLimit = 16;
    const auto text = read_file(kOomScore, kLimit);
    if (!text) {
        return text.error();
    }
    int score = 0;
    const auto end = std::from_chars(text->data(), text->data() + text->size(), score).ptr;
    return end == text->data() ? make_error(std::string(kOomScore) + ": expected a number")
                               : Result<int>(score);
}

Result<> set_oom_score(int score) {
    const auto fd = open_for_write(kOomScore);
    if (!fd) {
        return fd.error();
    }
    const auto written = write_all(fd->get(), std::to_string(score));
    return written ? written : add_context(kOomScore, written.error());
}

}  // namespace

void lift_own_limits() noexcept {
    lift(RLIMIT_STACK, kStack);
    lift(RLIMIT_NOFILE, kFiles);
    for (const auto what : {RLIMIT_AS, RLIMIT_DATA, RLIMIT_FSIZE, RLIMIT_CPU, RLIMIT_NPROC}) {
        lift(what, RLIM_INFINITY);
    }
}

Result<> be_spared_by_oom_killer() {
    const auto before = oom_score();
    return before && *before <= kSpared ? Result<>(Ok{}) : set_oom_score(kSpared);
}

Result<> may_be_spared_by_oom_killer() {
    const auto before = oom_score();
    if (!before) {
        return before.error();
    }
    if (*before <= kSpared) {
        return Ok{};
    }
    if (auto set = set_oom_score(kSpared); !set) {
        return set;
    }
    return set_oom_score(*before);
}

}  // namespace execseal
