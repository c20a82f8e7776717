// exec_request: what a pending execve or execveat asks for, as bytes.
//
// Takes the decoded call and the caller's memory, gives an ExecSnapshot: path, argv and environment
// exactly as the kernel would copy them now, or why that cannot be had. Knows the kernel's limits
// and has none of its own; never gives a shorter list than what is there. Looks at no file and
// decides nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "hook/exec/notified_call.h"
#include "hook/exec/string_block.h"
#include "hook/os/ids.h"
#include "hook/os/remote_memory.h"

namespace execseal {

// The kernel's limits, include/uapi/linux/binfmts.h and bprm_stack_limits() in fs/exec.c.
inline constexpr std::size_t kMaxArgString = 32 * kRemotePage;  // one string with its NUL
inline constexpr std::size_t kMinArgTotal = 32 * kRemotePage;   // whatever the stack limit says
inline constexpr std::size_t kMaxArgTotal = 6U << 20U;          // however large the stack limit is
// Not the kernel's: of argv, and of the environment. An own bound for memory; with the usual stack
// limit of 8 MiB the kernel takes fewer.
inline constexpr std::size_t kMaxArgCount = 256U << 10U;

// kUnreadable: deny (EFAULT is the kernel's word for it where the page is really not there).
// kBlocked: a page did not come within the deadline: deny. kGone: nobody waits for an answer.
// kRefused: the kernel would refuse this call with `error`, so that is the answer. kLarge: argv and
// environment are over the reader's limit; nothing else is known, and it is to be read again.
enum class SnapshotOutcome { kUnreadable, kBlocked, kLarge, kGone, kRefused, kComplete };

const char* snapshot_outcome_name(SnapshotOutcome outcome);

struct ExecSnapshot {
    SnapshotOutcome outcome = SnapshotOutcome::kUnreadable;
    int error = 0;       // for kRefused
    std::string reason;  // one line, for all but kComplete: which part, at what address
    ExecCall call;
    std::string path;
    StringBlock argv;  // never empty: for an empty list the kernel puts "" there (since 5.18)
    StringBlock env;
    // Of a complete one: path, pointers or strings lie in a page that is shared memory, or may be;
    // then others than who shares the caller's address space can write there.
    bool in_shared_pages = false;
};

// Equal in all that the kernel will read: the path and every byte of argv and environment.
bool same_request(const ExecSnapshot& a, const ExecSnapshot& b);

// Reads snapshots; one is kept and used again, for its buffers.
class ExecRequestReader {
  public:
    // `stack_limit` is asked only where it matters (more than kMinArgTotal bytes): the caller's
    // RLIMIT_STACK, or nullopt when it cannot be had.
    using StackLimit = std::optional<std::uint64_t> (*)(Tid);

    explicit ExecRequestReader(StackLimit stack_limit) : stack_limit_(stack_limit) {}
    // So many bytes of argv and environment, their pointers counted, are read at most; above it the
    // outcome is kLarge. kMaxArgTotal and more: all that the kernel takes.
    void set_limit(std::size_t bytes) { limit_ = bytes; }
    void read(const ExecCall& call, RemoteMemory& memory, ExecSnapshot& snapshot);
    // The same in two steps: the path alone (false: the snapshot says why not), then the rest into
    // the same snapshot, from the same memory.
    bool read_path(const ExecCall& call, RemoteMemory& memory, ExecSnapshot& snapshot);
    void read_lists();
    // Bytes that its own lists keep from one snapshot to the next.
    [[nodiscard]] std::size_t held() const;

  private:
    enum class StringEnd { kFault, kTooLong, kNul };
    bool read_pointers(RemoteAddr array, const char* what, std::vector<std::uint64_t>& out);
    bool read_strings(const std::vector<std::uint64_t>& pointers, const char* what,
                      StringBlock& block);
    StringEnd append_string(std::uint64_t address, std::size_t limit, std::string& out);
    std::span<const std::byte> bytes_at(std::uint64_t address);
    [[nodiscard]] bool lies_in_shared_pages();
    bool is_within_count(const char* what, std::size_t count);
    bool is_large();
    bool within_total();
    void refuse(int error, std::string reason);
    void fault(const char* what, std::uint64_t address);

    StackLimit stack_limit_;
    std::size_t limit_ = kMaxArgTotal;
    PageCache pages_;
    RemoteMemory* memory_ = nullptr;
    ExecSnapshot* snapshot_ = nullptr;
    std::vector<std::uint64_t> argv_pointers_;
    std::vector<std::uint64_t> env_pointers_;
    std::vector<std::uint64_t> wanted_;
    std::vector<std::uint64_t> read_pages_;  // numbers; neighbours in time differ
};

}  // namespace execseal
