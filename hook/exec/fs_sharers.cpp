#include "hook/exec/fs_sharers.h"

#include <algorithm>
#include <array>
#include <string>

#include "hook/exec/flat_message.h"
#include "hook/os/expendable.h"
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

namespace {

std::vector<Tgid> sharers_among(const std::vector<Tgid>& processes) {
    struct Seen {
        Tid task;
        Tgid process;
    };
    std::vector<Seen> folders;
    std::vector<Tgid> sharers;
    for (const Tgid process : processes) {
        const auto threads = threads_of(process);
        if (!threads) {
            continue;  // it has ended
        }
        for (const Tid thread : *threads) {
            // The process's own threads are the likeliest.
            const auto same = std::find_if(folders.rbegin(), folders.rend(), [&](const Seen& seen) {
                const auto shared = has_same_fs(thread, seen.task);
                return !shared || *shared;
            });
            if (same == folders.rend()) {
                folders.push_back({thread, process});
            } else if (same->process != process) {
                sharers.insert(sharers.end(), {process, same->process});
            }
        }
    }
    std::sort(sharers.begin(), sharers.end());
    sharers.erase(std::unique(sharers.begin(), sharers.end()), sharers.end());
    return sharers;
}

}  // namespace

Result<std::vector<Tgid>> find_all_sharers(const std::vector<Tgid>& processes,
                                           std::chrono::milliseconds bound) {
    const std::size_t room = (processes.size() + 1) * sizeof(std::uint64_t);
    auto process = Expendable::start(
        [&processes](auto, auto out, auto&) {
            FlatWriter reply(out);
            const std::vector<Tgid> found = sharers_among(processes);
            reply.number(found.size());
            for (const Tgid one : found) {
                reply.number(static_cast<std::uint64_t>(one.value));
            }
            return reply.fits() ? reply.size() : 0;
        },
        room);
    if (!process) {
        return process.error();
    }
    constexpr std::array<std::byte, 1> kJob{};
    if (const auto begun = process->begin(kJob); !begun) {
        return begun.error();
    }
    if (process->wait(std::chrono::steady_clock::now() + bound) != ReplyState::kReady) {
        return make_error("no answer in time");
    }
    FlatReader reply(process->reply());
    std::vector<Tgid> sharers;
    for (std::size_t left = reply.count(); left > 0; --left) {
        sharers.push_back(Tgid{static_cast<pid_t>(reply.number())});
    }
    return reply.done() ? Result<std::vector<Tgid>>(std::move(sharers))
                        : make_error("no whole answer");
}

}  // namespace execseal
