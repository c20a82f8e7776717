// verify: is what the kernel took what was judged?
//
// Takes what is expected and a task stopped at PTRACE_EVENT_EXEC, whose new memory nobody shares
// yet, gives the comparison of its argv, environment, path and executable, byte for byte. This is
// what makes the promise hold against every writer that no freeze stops. Anything but kSame must
// end the task before its first instruction.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "hook/exec/string_block.h"
#include "hook/exec/study.h"
#include "hook/gate/taken_reader.h"
#include "hook/os/ids.h"
#include "hook/os/path_calls.h"

namespace execseal {

struct ExpectedExec {
    FileId executable;
    StringBlock argv;
    StringBlock env;
    std::string path = {};  // AT_EXECFN
    std::uint64_t fs_serial = ExecStudy::kSharersIgnored;
};

// The study must be complete and its program found. Takes the strings out of it; its open files,
// which keep the inodes from being used again, stay there.
ExpectedExec expected_exec(ExecStudy&& study);

enum class VerifyOutcome { kUnreadable, kGone, kDiffers, kSame };

struct Verification {
    VerifyOutcome outcome = VerifyOutcome::kUnreadable;
    std::string field;   // for kDiffers: "argv[3]", "env[0]", "path", "exe"; "fs"
    std::string judged;  // that value, empty where there was none
    std::string taken;
    std::string reason;  // for kUnreadable and kGone
};

// Pure.
Verification compare_exec(const ExpectedExec& judged, const TakenExec& taken);

// How the kernel lays argv and environment out on a new stack: argc, their pointers, a NULL after
// each list, and the strings, one after the other, then the path (kernel: create_elf_tables(),
// fs/binfmt_elf.c). Where a program's stack begins like that with exactly these strings, they are
// what it gets. So many words from the stack pointer on, before the strings.
std::size_t stack_words(const ExpectedExec& judged);
// The address of the strings; nullopt when the words are not those of `judged`. Pure.
std::optional<RemoteAddr> match_stack_words(const ExpectedExec& judged,
                                            std::span<const std::uint64_t> words);

// One object serves all. What the task has taken is read in a process of its own, within `patience`
// (longer while that process works): past it the exec is kUnreadable.
class ExecVerifier {
  public:
    explicit ExecVerifier(std::chrono::milliseconds patience = std::chrono::seconds(1))
        : reader_(patience) {}

    // Starts that process ahead of the first exec.
    Result<> warm_up() { return reader_.warm_up(); }
    // `stack`: the stack pointer of a 64-bit task, nullopt when it is not known. What is found the
    // same there is the same; for anything else /proc/PID/cmdline and environ are read.
    Verification verify(Tgid stopped, const ExpectedExec& judged, std::optional<RemoteAddr> stack);

  private:
    TakenReader reader_;
};

}  // namespace execseal
