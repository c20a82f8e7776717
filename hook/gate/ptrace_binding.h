// PtraceBinder: binds an exec by ptrace(2): its caller is seized before the answer, so that the
// exec ends in PTRACE_EVENT_EXEC, where the new image has not run and is compared.
//
// Knows that a thread which executes goes on under the number of its process's first one
// (de_thread(), fs/exec.c). A caller dies with us (EXITKILL) from its seizure on.
#pragma once

#include <chrono>
#include <memory>

#include "hook/exec/fs_sharers.h"
#include "hook/gate/binding.h"
#include "hook/gate/verify.h"
#include "hook/os/procfs.h"
#include "hook/tasks/tracer.h"

namespace execseal {

class PtraceBinder final : public ExecBinder {
  public:
    // All outlive this. `sharers`: who may come to share root and working directory with a caller.
    // `patience`: how long the verification waits for what an exec has taken.
    PtraceBinder(Tracer& tracer, Procfs& procfs, const FsSharers& sharers,
                 std::chrono::milliseconds patience = std::chrono::seconds(1))
        : tracer_(tracer), procfs_(procfs), sharers_(sharers), verifier_(patience) {}

    // Starts the verification's process ahead of the first exec.
    Result<> warm_up() { return verifier_.warm_up(); }

    std::unique_ptr<ExecBinding> binding_for(Tid caller) override;
    [[nodiscard]] bool is_executing(Tgid process) const override {
        return tracer_.expects_exec(process);
    }

  private:
    Tracer& tracer_;
    Procfs& procfs_;
    const FsSharers& sharers_;
    ExecVerifier verifier_;
};

}  // namespace execseal
