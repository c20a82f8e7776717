// Waits: what the tracees have to tell, each for its owner.
//
// A stop is kept in the record of its task until the owner asks (`poll`). A child of a tracee with
// `births` is born attached; if its creator dies before telling of it, `sweep` finds it and it
// becomes a stray. Must leave no dead tracee unreaped (its real parent would wait for ever).
#pragma once

#include <chrono>
#include <optional>
#include <vector>

#include "hook/os/ptrace.h"
#include "hook/tasks/attachments.h"

namespace execseal {

enum class Awaited { kTick, kStopped, kEnded };

// All are used by one thread and outlive this.
class Waits {
  public:
    Waits(Ptrace& ptrace, TraceeWait& wait, Attachments& attachments)
        : ptrace_(ptrace), wait_(wait), attachments_(attachments) {}

    // The stop or end of this task that nobody has been given yet; nullopt: nothing new, held, or
    // the end of an exec that is expected, which is for poll_exec(). A task that is not attached is
    // Gone. Births have their child in `message`, attached already.
    std::optional<Stop> poll(Tid tid);

    // For the caller of an execve: as poll(), but after an exec from a thread that is not the
    // leader the task goes on under the leader's number (ptrace(2), "execve(2) under ptrace").
    std::optional<Stop> poll_exec(Tid caller, Tgid process);

    // What the task, which is attached, has to tell now; it stays for its owner.
    std::optional<Stop> take(Tid tid);

    // True if a task that was stopped has ended since (SIGKILL, or an exec of its process); it is
    // reaped then.
    bool try_reap(Tid tid);

    // Looks for news of any tracee, unknown ones too, and keeps them for their owners; returns the
    // known tasks that have some. Called at each SIGCHLD while some creator has died without
    // telling of its child, and by those who wait for many at once.
    const std::vector<Tid>& sweep();
    [[nodiscard]] bool may_have_strays() const { return attachments_.may_have_strays(); }
    // One has died since the last sweep: its child may have stopped before, so that no SIGCHLD
    // tells of it any more.
    [[nodiscard]] bool sweep_is_due() const { return attachments_.sweep_is_due(); }
    // Children that are attached and that nobody waits for: to be registered and released.
    std::vector<Tid> take_strays() { return attachments_.take_strays(); }

    // Blocks for one task between arm() and disarm(); its stop stays for its owner.
    Result<> arm(std::chrono::microseconds slice) { return wait_.arm(slice); }
    void disarm() { wait_.disarm(); }
    Awaited await(Tid tid);
    // The same without blocking; kTick: not stopped yet.
    Awaited look(Tid tid);

    // A held task gives no news to its owner: it must stay as it is until the thaw.
    void hold(Tid tid);
    void unhold(Tid tid);

  private:
    std::optional<Stop> try_wait(Tid tid);
    std::optional<Stop> poll_any(Tid tid);
    // Without asking the kernel; nullopt: it has to be.
    [[nodiscard]] std::optional<Awaited> known_of(Tid tid) const;
    // Takes what a wait gave; returns the stop with its message.
    Stop take_news(Tid tid, Stop stop);
    // The same for the owner that asks now: it is not told again.
    Stop give_news(Tid tid, Stop stop);

    Ptrace& ptrace_;
    TraceeWait& wait_;
    Attachments& attachments_;
    std::vector<Tid> swept_;
};

}  // namespace execseal
