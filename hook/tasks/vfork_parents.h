// VforkParents: who sleeps in vfork(2) until a new process executes a program.
//
// Takes the vfork events of the fork tracking; tells a freeze which task need not be stopped. Must
// never name a task that may run: an entry holds both by pidfd, and serves one exec.
#pragma once

#include <optional>
#include <unordered_map>

#include "hook/os/ids.h"
#include "hook/os/unique_fd.h"

namespace execseal {

class VforkParents {
  public:
    // `child` is held stopped by us, and `parent` has just told of its birth. From there on the
    // kernel keeps it until the child's first thread lets go of their common memory, in execve(2)
    // or by its end: wait_for_vfork_done() and mm_release(), kernel/fork.c. Only death ends that
    // wait earlier. A child that is a thread, or finds no room, is left out.
    void add(Tid parent, Tgid child);
    // It did not live to its first stop: whoever has its number is another one.
    void forget_child(Tgid child);
    // An exec of this process is over: if it has succeeded, the number of the first thread, which
    // may have slept here, is that of the thread that made it (de_thread(), fs/exec.c).
    void forget_parent(Tgid process);

    // For the exec of one of the process's threads, before it is answered: whatever becomes of the
    // exec, the entry is gone. 0: nobody is known to sleep; so for the exec of another thread than
    // the first, since de_thread() wakes the vfork parent.
    [[nodiscard]] Tid take(Tgid process, Tid caller);

  private:
    struct Entry {
        Tid parent;
        UniqueFd parent_fd;
        UniqueFd child_fd;
    };

    std::unordered_map<Tgid, Entry> entries_;
};

}  // namespace execseal
