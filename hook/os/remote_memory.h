// Remote memory: bytes of another task, read page by page, so that a failure is exact.
//
// Takes a thread id and addresses, gives pages and says for each read whether it was complete.
// Reads go through /proc/TID/mem: it also reads pages that are write-only or exec-only, and a page
// behind userfaultfd is refused at once where process_vm_readv(2) would sleep until it is killed
// (and waits for mmap_lock beyond SIGKILL). A page of an unanswered FUSE or NFS file still blocks,
// beyond SIGKILL: only an expendable process (hook/os/expendable.h) may call this for a task that
// is not trusted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "hook/os/ids.h"
#include "hook/os/result.h"
#include "hook/os/unique_fd.h"

namespace execseal {

inline constexpr std::size_t kRemotePage = 4096;

// kUnreadable: the kernel cannot give us that page (not mapped, memfd_secret, userfaultfd).
// kBlocked: no answer within the deadline. kGone: the task has no memory any more.
enum class ReadOutcome { kUnreadable, kBlocked, kGone, kComplete };

struct ReadResult {
    ReadOutcome outcome = ReadOutcome::kUnreadable;
    std::size_t bytes = 0;  // read from the start before the outcome was met
};

// The seam: unit tests put a fake address space behind it.
class RemoteMemory {
  public:
    RemoteMemory() = default;
    RemoteMemory(const RemoteMemory&) = delete;
    RemoteMemory& operator=(const RemoteMemory&) = delete;
    RemoteMemory(RemoteMemory&&) = delete;
    RemoteMemory& operator=(RemoteMemory&&) = delete;
    virtual ~RemoteMemory() = default;
    // Reads out.size() bytes from `address`, stopping at the first page that cannot be read.
    virtual ReadResult read(RemoteAddr address, std::span<std::byte> out) = 0;
    // Whether anything lies there: to tell an address at which the kernel fails too (EFAULT) from
    // one that only we cannot read (memfd_secret, a page behind userfaultfd). Slow. True in doubt.
    virtual bool is_mapped(RemoteAddr address) = 0;
    // Whether each of these pages (their numbers, in order) lies in a private mapping: there only
    // who shares the address space writes, or who writes the file that a page still comes from.
    // False in doubt.
    virtual bool are_private(std::span<const std::uint64_t> pages) = 0;
};

class ProcessMemory final : public RemoteMemory {
  public:
    // A task that is gone shows at the first read.
    explicit ProcessMemory(Tid tid);
    ReadResult read(RemoteAddr address, std::span<std::byte> out) override;
    bool is_mapped(RemoteAddr address) override;
    bool are_private(std::span<const std::uint64_t> pages) override;

  private:
    Tid tid_;
    UniqueFd fd_;
    ReadOutcome open_outcome_ = ReadOutcome::kComplete;
};

// Whether two tasks run in the same address space; an Error where one is gone. kcmp(2) waits for
// the exec_update_lock of both, which only an exec holds, in its last part: not for tasks that may
// be in one.
Result<bool> share_address_space(Tid a, Tid b);

// The soft RLIMIT_STACK of a task, on which the room for argv and environment depends; nullopt when
// it may not be asked.
std::optional<std::uint64_t> stack_limit_of(Tid tid);

// The pages that one request needs, each read once. Bounded: past kCapacity pages it forgets what
// it has, so whoever uses it copies out what is to stay.
class PageCache {
  public:
    static constexpr std::size_t kCapacity = 512;

    // Forgets all pages; keeps its buffers.
    void reset(RemoteMemory& memory);
    // Reads those of the pages that hold these addresses and are not there yet, one read for each
    // run of neighbours. At most kCapacity addresses.
    void fetch(std::span<const std::uint64_t> addresses);
    // The bytes from `address` to the end of its page; empty when the page cannot be read,
    // outcome() then says why. Valid until the next call.
    std::span<const std::byte> bytes_at(std::uint64_t address);
    [[nodiscard]] ReadOutcome outcome() const { return outcome_; }
    // Of the last bytes_at() that was empty.
    [[nodiscard]] RemoteAddr failed_at() const { return failed_at_; }

  private:
    struct Page {
        std::uint64_t number = 0;
        std::size_t slot = 0;
        ReadOutcome outcome = ReadOutcome::kUnreadable;
    };
    [[nodiscard]] const Page* find(std::uint64_t number) const;
    void read_run(std::uint64_t first, std::size_t count);

    RemoteMemory* memory_ = nullptr;
    std::vector<Page> pages_;  // sorted by number
    std::vector<std::uint64_t> wanted_;
    std::vector<std::byte> slots_;
    std::size_t used_ = 0;
    ReadOutcome outcome_ = ReadOutcome::kComplete;
    RemoteAddr failed_at_;
};

}  // namespace execseal
