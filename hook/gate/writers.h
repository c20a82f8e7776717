// Writers: whom an exec has to stop, so that nobody can write to what the kernel is about to read.
//
// Takes what is known of the caller's memory (who shares it, whether its arguments lie in shared
// pages), gives the processes. Who writes from outside the memory (another process's
// /proc/PID/mem, a file under a private mapping) is left to the verification.
#pragma once

#include <vector>

#include "hook/os/unique_fd.h"
#include "hook/tasks/task_table.h"

namespace execseal {

// kSome: these processes; the caller, one of them, is never stopped itself.
enum class Reach { kNobody, kSome, kEverybody };

struct Writers {
    Reach reach = Reach::kEverybody;
    std::vector<Tgid> processes;
};

struct Caller {
    Tgid process;
    // In whose memory it runs until its exec, and which sleeps in vfork(2) for it; 0: not known.
    Tid sleeper;
    bool in_shared_pages = false;
};

class WriterFinder {
  public:
    // `table` outlives this. Without the births of all processes only the caller's own threads can
    // be told.
    WriterFinder(const TaskTable& table, bool births_are_known);

    // While the caller waits for its answer. Costs a look at the caller's thread count, and one for
    // each process that shares its memory.
    [[nodiscard]] Writers find(const Caller& caller) const;

  private:
    [[nodiscard]] bool runs(Tgid process, Tid asleep) const;

    const TaskTable& table_;
    bool births_are_known_;
    UniqueFd proc_;
};

}  // namespace execseal
