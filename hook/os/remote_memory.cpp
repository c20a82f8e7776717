#include "hook/os/remote_memory.h"

#include <fcntl.h>
#include <linux/kcmp.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <limits>
#include <string>

#include "hook/os/check.h"
#include "hook/os/file_read.h"
#include "hook/os/kernel_constants.h"

namespace execseal {
namespace {

// vm.max_map_count is 65,530 by default and a line about 100 bytes; more than this is doubt.
constexpr std::size_t kMapsLimit = std::size_t{32} << 20;

struct Mapping {
    std::uint64_t start = 0;
    std::uint64_t end = 0;
    bool is_private = false;
};

// "START-END PERMS ..." in hexadecimal, a line a mapping; PERMS as in "r-xp". nullopt: in doubt.
std::optional<std::vector<Mapping>> read_mappings(Tid tid) {
    const auto maps = read_file("/proc/" + std::to_string(tid.value) + "/maps", kMapsLimit);
    if (!maps) {
        return std::nullopt;
    }
    std::vector<Mapping> mappings;
    const char* next = maps->data();
    const char* const end = next + maps->size();
    while (next < end) {
        Mapping mapping;
        const char* const newline = std::find(next, end, '\n');
        const auto from = std::from_chars(next, newline, mapping.start, 16);
        if (from.ec != std::errc{} || from.ptr == newline) {
            return std::nullopt;
        }
        const auto to = std::from_chars(from.ptr + 1, newline, mapping.end, 16);
        static constexpr std::ptrdiff_t kSharing = 4;  // behind the blank and "rwx"
        if (to.ec != std::errc{} || newline - to.ptr <= kSharing) {
            return std::nullopt;
        }
        mapping.is_private = to.ptr[kSharing] == 'p';
        mappings.push_back(mapping);
        next = newline == end ? end : newline + 1;
    }
    return mappings;
}

const Mapping* find_mapping(const std::vector<Mapping>& mappings, std::uint64_t address) {
    const auto found =
        std::find_if(mappings.begin(), mappings.end(), [address](const Mapping& mapping) {
            return address >= mapping.start && address < mapping.end;
        });
    return found == mappings.end() ? nullptr : &*found;
}

bool are_private_by_text(Tid tid, std::span<const std::uint64_t> pages) {
    const auto mappings = read_mappings(tid);
    return mappings && std::all_of(pages.begin(), pages.end(), [&](std::uint64_t page) {
               const Mapping* const mapping = find_mapping(*mappings, page * kRemotePage);
               return mapping != nullptr && mapping->is_private;
           });
}

UniqueFd open_maps(Tid tid) {
    return UniqueFd(::open(("/proc/" + std::to_string(tid.value) + "/maps").c_str(),
                           O_RDONLY | O_CLOEXEC | O_NOCTTY));
}

}  // namespace

ProcessMemory::ProcessMemory(Tid tid) : tid_(tid) {
    char path[32];
    (void)std::snprintf(path, sizeof path, "/proc/%d/mem", tid.value);
    fd_.reset(::open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY));
    if (!fd_.valid()) {
        const int error = errno;
        open_outcome_ =
            error == ENOENT || error == ESRCH ? ReadOutcome::kGone : ReadOutcome::kUnreadable;
    }
}

ReadResult ProcessMemory::read(RemoteAddr address, std::span<std::byte> out) {
    ReadResult result{open_outcome_, 0};
    while (result.outcome == ReadOutcome::kComplete && result.bytes < out.size()) {
        const std::uint64_t at = address.value + result.bytes;
        // pread(2) takes no offset with the sign bit: kernel addresses, which no caller can read.
        if (at > static_cast<std::uint64_t>(std::numeric_limits<off_t>::max())) {
            result.outcome = ReadOutcome::kUnreadable;
            break;
        }
        const ssize_t got = ::pread(fd_.get(), out.data() + result.bytes, out.size() - result.bytes,
                                    static_cast<off_t>(at));
        const int error = errno;
        if (got > 0) {
            result.bytes += static_cast<std::size_t>(got);
        } else if (got == 0) {
            // kernel: mem_rw(), fs/proc/base.c gives 0 when the address space has no users left.
            result.outcome = ReadOutcome::kGone;
        } else if (error != EINTR) {
            result.outcome = ReadOutcome::kUnreadable;
        }
    }
    return result;
}

// proc_pid_maps(5).
bool ProcessMemory::is_mapped(RemoteAddr address) {
    if (address.value > static_cast<std::uint64_t>(std::numeric_limits<off_t>::max())) {
        return false;  // the kernel's half
    }
    const UniqueFd maps = open_maps(tid_);
    ProcmapQuery query;
    query.query_addr = address.value;
    if (maps.valid() && ::ioctl(maps.get(), kProcmapQuery, &query) == 0) {
        return true;
    }
    if (maps.valid() && errno == ENOENT) {
        return false;
    }
    // FIXME(kernel >= 6.11): true, in doubt.
    const auto mappings = read_mappings(tid_);
    return !mappings || find_mapping(*mappings, address.value) != nullptr;
}

bool ProcessMemory::are_private(std::span<const std::uint64_t> pages) {
    const UniqueFd maps = open_maps(tid_);
    if (!maps.valid()) {
        return false;
    }
    std::uint64_t known_end = 0;  // up to here all that was asked for is private
    for (const std::uint64_t page : pages) {
        const std::uint64_t address = page * kRemotePage;
        if (address < known_end) {
            continue;
        }
        ProcmapQuery query;
        query.query_addr = address;
        if (::ioctl(maps.get(), kProcmapQuery, &query) != 0) {
            // FIXME(kernel >= 6.11): remove are_private_by_text().
            return errno == ENOTTY && are_private_by_text(tid_, pages);
        }
        if ((query.vma_flags & kProcmapShared) != 0) {
            return false;
        }
        known_end = query.vma_end;
    }
    return true;
}

Result<bool> share_address_space(Tid a, Tid b) {
    const long compared = ::syscall(SYS_kcmp, a.value, b.value, KCMP_VM, 0UL, 0UL);
    return compared < 0 ? Result<bool>(Error{errno, "kcmp"}) : Result<bool>(compared == 0);
}

std::optional<std::uint64_t> stack_limit_of(Tid tid) {
    rlimit limit{};
    if (::prlimit(tid.value, RLIMIT_STACK, nullptr, &limit) != 0) {
        return std::nullopt;
    }
    return limit.rlim_cur;
}

void PageCache::reset(RemoteMemory& memory) {
    memory_ = &memory;
    pages_.clear();
    used_ = 0;
    outcome_ = ReadOutcome::kComplete;
}

const PageCache::Page* PageCache::find(std::uint64_t number) const {
    const auto at = std::lower_bound(pages_.begin(), pages_.end(), number,
                                     [](const Page& p, std::uint64_t n) { return p.number < n; });
    return at != pages_.end() && at->number == number ? &*at : nullptr;
}

void PageCache::fetch(std::span<const std::uint64_t> addresses) {
    CHECK(memory_ != nullptr && addresses.size() <= kCapacity);
    wanted_.clear();
    for (const std::uint64_t address : addresses) {
        const std::uint64_t number = address / kRemotePage;
        // Neighbours in memory come one after the other, so most repeats end here.
        if ((wanted_.empty() || wanted_.back() != number) && find(number) == nullptr) {
            wanted_.push_back(number);
        }
    }
    std::sort(wanted_.begin(), wanted_.end());
    wanted_.erase(std::unique(wanted_.begin(), wanted_.end()), wanted_.end());
    if (used_ + wanted_.size() > kCapacity) {
        pages_.clear();
        used_ = 0;
    }
    for (std::size_t i = 0; i < wanted_.size();) {
        std::size_t end = i + 1;
        while (end < wanted_.size() && wanted_[end] == wanted_[end - 1] + 1) {
            ++end;
        }
        read_run(wanted_[i], end - i);
        i = end;
    }
    std::sort(pages_.begin(), pages_.end(),
              [](const Page& a, const Page& b) { return a.number < b.number; });
}

void PageCache::read_run(std::uint64_t first, std::size_t count) {
    if (slots_.size() < (used_ + count) * kRemotePage) {
        slots_.resize(std::min(kCapacity, std::max<std::size_t>(16, 2 * (used_ + count))) *
                      kRemotePage);
    }
    std::size_t done = 0;
    while (done < count) {
        const std::span room(slots_.data() + used_ * kRemotePage, (count - done) * kRemotePage);
        const ReadResult result = memory_->read(RemoteAddr{(first + done) * kRemotePage}, room);
        for (std::size_t i = 0; i < result.bytes / kRemotePage; ++i) {
            pages_.push_back({first + done, used_, ReadOutcome::kComplete});
            ++done;
            ++used_;
        }
        if (result.outcome != ReadOutcome::kComplete) {
            pages_.push_back({first + done, 0, result.outcome});
            ++done;
        }
    }
}

std::span<const std::byte> PageCache::bytes_at(std::uint64_t address) {
    const std::uint64_t number = address / kRemotePage;
    const Page* page = find(number);
    if (page == nullptr) {
        fetch(std::span(&address, 1));
        page = find(number);
    }
    CHECK(page != nullptr);
    if (page->outcome != ReadOutcome::kComplete) {
        outcome_ = page->outcome;
        failed_at_ = RemoteAddr{address};
        return {};
    }
    const std::size_t offset = address % kRemotePage;
    return std::span(slots_).subspan(page->slot * kRemotePage + offset, kRemotePage - offset);
}

}  // namespace execseal
