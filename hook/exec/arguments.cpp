#include "hook/exec/arguments.h"

#include <linux/limits.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>

namespace execseal {
namespace {

// The kernel counts a whole pointer for each string, also for compat callers: bprm_stack_limits().
constexpr std::size_t kPointerCost = 8;

// Strings fetched together; each may need a page of its own.
constexpr std::size_t kBatch = 256;

SnapshotOutcome from_read(ReadOutcome outcome) {
    switch (outcome) {
        case ReadOutcome::kUnreadable:
            return SnapshotOutcome::kUnreadable;
        case ReadOutcome::kBlocked:
            return SnapshotOutcome::kBlocked;
        case ReadOutcome::kGone:
            return SnapshotOutcome::kGone;
        case ReadOutcome::kComplete:
            break;
    }
    return SnapshotOutcome::kUnreadable;
}

}  // namespace

const char* snapshot_outcome_name(SnapshotOutcome outcome) {
    switch (outcome) {
        case SnapshotOutcome::kUnreadable:
            return "unreadable";
        case SnapshotOutcome::kBlocked:
            return "blocked";
        case SnapshotOutcome::kLarge:
            return "large";
        case SnapshotOutcome::kGone:
            return "gone";
        case SnapshotOutcome::kRefused:
            return "refused";
        case SnapshotOutcome::kComplete:
            return "complete";
    }
    return "unknown";
}

bool same_request(const ExecSnapshot& a, const ExecSnapshot& b) {
    return a.outcome == b.outcome && a.path == b.path && a.argv == b.argv && a.env == b.env;
}

void ExecRequestReader::refuse(int error, std::string reason) {
    snapshot_->outcome = SnapshotOutcome::kRefused;
    snapshot_->error = error;
    snapshot_->reason = std::move(reason);
}

void ExecRequestReader::fault(const char* what, std::uint64_t address) {
    snapshot_->outcome = from_read(pages_.outcome());
    if (snapshot_->outcome == SnapshotOutcome::kUnreadable &&
        !memory_->is_mapped(pages_.failed_at())) {
        refuse(EFAULT, std::string(what) + " lies where nothing is mapped");
        return;
    }
    std::array<char, 96> text{};
    (void)std::snprintf(text.data(), text.size(), "%s at 0x%llx is %s", what,
                        static_cast<unsigned long long>(address),
                        snapshot_outcome_name(snapshot_->outcome));
    snapshot_->reason = text.data();
}

void ExecRequestReader::read(const ExecCall& call, RemoteMemory& memory, ExecSnapshot& snapshot) {
    if (read_path(call, memory, snapshot)) {
        read_lists();
    }
}

bool ExecRequestReader::read_path(const ExecCall& call, RemoteMemory& memory,
                                  ExecSnapshot& snapshot) {
    snapshot_ = &snapshot;
    snapshot.outcome = SnapshotOutcome::kUnreadable;
    snapshot.error = 0;
    snapshot.reason.clear();
    snapshot.call = call;
    snapshot.path.clear();
    snapshot.argv.clear();
    snapshot.env.clear();
    snapshot.in_shared_pages = false;
    memory_ = &memory;
    pages_.reset(memory);
    read_pages_.clear();
    const std::array<std::uint64_t, 3> first{call.path.value, call.argv.value, call.envp.value};
    pages_.fetch(first);
    switch (append_string(call.path.value, PATH_MAX, snapshot.path)) {
        case StringEnd::kNul:
            return true;
        case StringEnd::kTooLong:
            refuse(ENAMETOOLONG, "the path is longer than PATH_MAX");
            return false;
        case StringEnd::kFault:
            break;
    }
    fault("the path", call.path.value);
    return false;
}

void ExecRequestReader::read_lists() {
    ExecSnapshot& snapshot = *snapshot_;
    argv_pointers_.clear();
    env_pointers_.clear();
    if (!read_pointers(snapshot.call.argv, "argv", argv_pointers_) ||
        !read_pointers(snapshot.call.envp, "envp", env_pointers_) ||
        !read_strings(argv_pointers_, "an argv string", snapshot.argv)) {
        return;
    }
    if (snapshot.argv.count == 0) {
        // kernel: do_execveat_common(), fs/exec.c, since 5.18: argv[0] is never NULL for the
        // program.
        snapshot.argv.add("");
    }
    if (read_strings(env_pointers_, "an environment string", snapshot.env) && within_total()) {
        snapshot.outcome = SnapshotOutcome::kComplete;
        snapshot.in_shared_pages = lies_in_shared_pages();
    }
}

std::size_t ExecRequestReader::held() const {
    return (argv_pointers_.capacity() + env_pointers_.capacity() + read_pages_.capacity()) *
           sizeof(std::uint64_t);
}

std::span<const std::byte> ExecRequestReader::bytes_at(std::uint64_t address) {
    const std::uint64_t page = address / kRemotePage;
    if (read_pages_.empty() || read_pages_.back() != page) {
        read_pages_.push_back(page);
    }
    return pages_.bytes_at(address);
}

bool ExecRequestReader::lies_in_shared_pages() {
    std::sort(read_pages_.begin(), read_pages_.end());
    read_pages_.erase(std::unique(read_pages_.begin(), read_pages_.end()), read_pages_.end());
    return !memory_->are_private(read_pages_);
}

// `limit` counts the NUL.
ExecRequestReader::StringEnd ExecRequestReader::append_string(std::uint64_t address,
                                                              std::size_t limit, std::string& out) {
    std::size_t left = limit;
    while (left > 0) {
        const std::span<const std::byte> there = bytes_at(address);
        if (there.empty()) {
            return StringEnd::kFault;
        }
        const std::size_t size = std::min(there.size(), left);
        const auto* text = reinterpret_cast<const char*>(there.data());
        const void* nul = std::memchr(text, '\0', size);
        if (nul != nullptr) {
            out.append(text, static_cast<const char*>(nul));
            return StringEnd::kNul;
        }
        out.append(text, size);
        left -= size;
        address += size;
    }
    return StringEnd::kTooLong;
}

bool ExecRequestReader::read_pointers(RemoteAddr array, const char* what,
                                      std::vector<std::uint64_t>& out) {
    out.clear();
    if (array.value == 0) {
        return true;  // execve(2): Linux takes a null pointer for an empty list
    }
    const std::size_t width = snapshot_->call.width == PointerWidth::k32 ? 4 : 8;
    std::array<std::byte, 8> value{};  // little endian: the upper half stays 0 for 32 bits
    std::size_t have = 0;              // a pointer may lie across two pages
    std::size_t count = 0;             // of all; those beyond the bound are not kept
    for (std::uint64_t address = array.value;;) {
        const std::span<const std::byte> there = bytes_at(address);
        if (there.empty()) {
            fault(what, address);
            return false;
        }
        for (const std::byte byte : there) {
            value[have++] = byte;
            if (have < width) {
                continue;
            }
            have = 0;
            std::uint64_t pointer = 0;
            std::memcpy(&pointer, value.data(), sizeof pointer);
            if (pointer == 0) {
                return is_within_count(what, count);
            }
            if (++count <= kMaxArgCount) {
                out.push_back(pointer);
            }
        }
        if (is_large()) {
            return false;
        }
        if (count * kPointerCost >= kMaxArgTotal) {
            refuse(E2BIG, std::string(what) + " has more pointers than the kernel takes");
            return false;
        }
        address += there.size();
    }
}

bool ExecRequestReader::read_strings(const std::vector<std::uint64_t>& pointers, const char* what,
                                     StringBlock& block) {
    for (std::size_t at = 0; at < pointers.size(); at += kBatch) {
        const std::size_t end = std::min(pointers.size(), at + kBatch);
        wanted_.assign(pointers.begin() + static_cast<std::ptrdiff_t>(at),
                       pointers.begin() + static_cast<std::ptrdiff_t>(end));
        pages_.fetch(wanted_);
        for (std::size_t i = at; i < end; ++i) {
            switch (append_string(pointers[i], kMaxArgString, block.bytes)) {
                case StringEnd::kNul:
                    break;
                case StringEnd::kTooLong:
                    refuse(E2BIG, std::string(what) + " is longer than MAX_ARG_STRLEN");
                    return false;
                case StringEnd::kFault:
                    fault(what, pointers[i]);
                    return false;
            }
            block.bytes.push_back('\0');
            ++block.count;
            if (is_large()) {
                return false;
            }
            if (snapshot_->argv.bytes.size() + snapshot_->env.bytes.size() > kMaxArgTotal) {
                refuse(E2BIG, "argv and environment are larger than the kernel takes");
                return false;
            }
        }
    }
    return true;
}

bool ExecRequestReader::is_within_count(const char* what, std::size_t count) {
    if (count <= kMaxArgCount) {
        return true;
    }
    snapshot_->outcome = SnapshotOutcome::kUnreadable;
    snapshot_->reason =
        std::string(what) + " has more than " + std::to_string(kMaxArgCount) + " strings";
    return false;
}

// Of what was read until now; says so in the snapshot.
bool ExecRequestReader::is_large() {
    const std::size_t total = (argv_pointers_.size() + env_pointers_.size()) * kPointerCost +
                              snapshot_->argv.bytes.size() + snapshot_->env.bytes.size();
    if (limit_ >= kMaxArgTotal || total <= limit_) {
        return false;
    }
    snapshot_->outcome = SnapshotOutcome::kLarge;
    snapshot_->reason = "argv and environment are larger than " + std::to_string(limit_) + " bytes";
    return true;
}

// kernel: bprm_stack_limits(), fs/exec.c. The path is left out of the sum (its form there depends
// on how the kernel names the file), so this refuses only what the kernel refuses for sure.
bool ExecRequestReader::within_total() {
    const std::size_t pointers =
        (std::max<std::size_t>(argv_pointers_.size(), 1) + env_pointers_.size()) * kPointerCost;
    const std::size_t total = snapshot_->argv.bytes.size() + snapshot_->env.bytes.size();
    if (pointers + total <= kMinArgTotal) {
        return true;
    }
    std::uint64_t limit = kMaxArgTotal;
    if (const auto stack = stack_limit_(snapshot_->call.tid)) {
        limit = std::max<std::uint64_t>(std::min(limit, *stack / 4), kMinArgTotal);
    }
    if (pointers >= limit || total > limit - pointers) {
        refuse(E2BIG, "argv and environment are larger than the caller's stack limit allows");
        return false;
    }
    return true;
}

}  // namespace execseal
