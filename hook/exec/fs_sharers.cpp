#include "hook/exec/fs_sharers.h"

#include <string>

#include "hook/os/path_calls.h"
#include "hook/os/task_ids.h"

namespace execseal {

bool FsSharers::is_full() {
    constexpr std::size_t kMuch = 1024;
    if (entries_.size() >= kMost) {
        forget_dead();
    }
    return entries_.size() >= kMuch;
}

void FsSharers::begun(Tgid process) {
    Entry& entry = entries_[process];
    entry.serial = ++serial_;
    ++entry.in_flight;
}

void FsSharers::ended(Tgid process, Tgid child) {
    const auto found = entries_.find(process);
    if (found != entries_.end() && found->second.in_flight > 0) {
        --found->second.in_flight;
    }
    if (child != Tgid{}) {
        entries_[child].serial = ++serial_;
    }
}

std::uint64_t FsSharers::last_of(Tgid process) const {
    const auto found = entries_.find(process);
    return found == entries_.end() ? 0 : found->second.serial;
}

std::optional<FsSharers::Suspects> FsSharers::suspects(Tgid process) const {
    const auto found = entries_.find(process);
    if (found == entries_.end()) {
        return std::nullopt;
    }
    Suspects suspects;
    suspects.in_flight = found->second.in_flight > 0;
    for (const auto& [other, entry] : entries_) {
        if (other != process) {
            suspects.others.push_back(other);
        }
    }
    return suspects;
}

void FsSharers::forget_dead() {
    std::erase_if(entries_, [](const auto& item) {
        const auto there = status_at("/proc/" + std::to_string(item.first.value));
        return item.second.in_flight == 0 && !there;
    });
}

Result<std::optional<Tgid>> find_fs_sharer(Tid caller, const std::vector<Tgid>& others) {
    for (const Tgid other : others) {
        const auto threads = threads_of(other);
        if (!threads) {
            continue;  // it has ended
        }
        for (const Tid thread : *threads) {
            const auto same = has_same_fs(caller, thread);
            if (!same) {
                return same.error();
            }
            if (*same) {
                return std::optional(other);
            }
        }
    }
    return std::optional<Tgid>();
}

}  // namespace execseal
