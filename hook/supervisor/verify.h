// verify: is what the kernel took what was judged?
//
// Takes what is expected and a task stopped at PTRACE_EVENT_EXEC, whose new memory nobody shares
// yet, gives the comparison of its argv, its environment and its executable, byte for byte. This is
// what makes the promise hold against every writer that no freeze stops. Anything but kSame must
// end the task before its first instruction.
#pragma once

#include <string>

#include "hook/os/ids.h"
#include "hook/os/path_calls.h"
#include "hook/supervisor/exec_reader.h"
#include "hook/supervisor/string_block.h"

namespace execseal {

struct ExpectedExec {
    FileId executable;
    StringBlock argv;
    StringBlock env;
};

// The study must be complete and its program found.
ExpectedExec expected_exec(const ExecStudy& study);

struct TakenExec {
    FileId executable;
    std::string argv;  // as /proc/PID/cmdline
    std::string env;
};

enum class VerifyOutcome { kUnreadable, kGone, kDiffers, kSame };

const char* verify_outcome_name(VerifyOutcome outcome);

struct Verification {
    VerifyOutcome outcome = VerifyOutcome::kUnreadable;
    std::string field;   // for kDiffers: "argv[3]", "env[0]", "exe"
    std::string judged;  // that value, empty where there was none
    std::string taken;
    std::string reason;  // for kUnreadable and kGone
};

// Pure.
Verification compare_exec(const ExpectedExec& judged, const TakenExec& taken);

// Keeps its buffers; one object serves all.
class ExecVerifier {
  public:
    Verification verify(Tgid stopped, const ExpectedExec& judged);

  private:
    TakenExec taken_;
};

}  // namespace execseal
