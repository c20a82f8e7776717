// KernelBinder: binds an exec by the BPF programs of hook/bpf: its caller is armed with hashes of
// what was judged, and the kernel kills a process that has taken anything else, before its first
// instruction. No stop, no tracer; what has become of an exec comes over a ring.
//
// An exec for which others stand still is bound by ptrace as well: its end has to be waited for
// with those who are held. So is that of a process with more threads, and any while swap is in use.
#pragma once

#include <memory>
#include <unordered_map>

#include "hook/bpf/programs.h"
#include "hook/exec/fs_sharers.h"
#include "hook/gate/binding.h"
#include "hook/gate/ptrace_binding.h"
#include "hook/os/event_loop.h"
#include "hook/tasks/tracer.h"

namespace execseal {

class KernelBinding;

class KernelBinder final : public ExecBinder {
  public:
    // All outlive this. `ptrace`: for execs that freeze somebody.
    KernelBinder(BindingPrograms programs, PtraceBinder& ptrace, Tracer& tracer,
                 const FsSharers& sharers)
        : programs_(std::move(programs)),
          ptrace_(ptrace),
          tracer_(tracer),
          sharers_(sharers),
          next_serial_(programs_.key()[0] | 1U) {}

    // Readable when there is news.
    [[nodiscard]] int fd() const { return programs_.ring_fd(); }

    std::unique_ptr<ExecBinding> binding_for(Tid caller) override;
    [[nodiscard]] bool is_executing(Tgid process) const override {
        return ptrace_.is_executing(process);
    }
    Result<> begin_session(int listener) override { return programs_.enroll(listener); }
    void end_session(int listener) override { programs_.dismiss(listener); }
    [[nodiscard]] bool must_arm() const override { return true; }
    [[nodiscard]] bool has_news() override;
    [[nodiscard]] std::optional<std::chrono::steady_clock::time_point> next_look() const override;

  private:
    friend class KernelBinding;

    // Tells each binding what the ring has of it; an exec that nobody armed is logged.
    void drain();
    void forget(std::uint64_t serial) { bindings_.erase(serial); }

    BindingPrograms programs_;
    PtraceBinder& ptrace_;
    Tracer& tracer_;
    const FsSharers& sharers_;
    // Begins anywhere: a task that gets the number of a caller may be armed by another supervisor.
    std::uint64_t next_serial_;
    std::unordered_map<std::uint64_t, KernelBinding*> bindings_;  // those that were armed
};

}  // namespace execseal
