// PidNamespace: a PID namespace from outside: a procfs of it, and its numbers in ours.
//
// Nothing of it becomes visible anywhere: the procfs is a detached mount that only our descriptor
// holds. A nested namespace is part of the outer one, with numbers in it.
#pragma once

#include <sys/types.h>

#include <optional>
#include <unordered_map>
#include <vector>

#include "hook/os/ids.h"
#include "hook/os/result.h"
#include "hook/os/unique_fd.h"

namespace execseal {

enum class ProcMount { kByOption, kByHelper };  // how the procfs was had

class PidNamespace {
  public:
    // That of a living task. `mount`: for tests; the real way is to try the option first.
    static Result<PidNamespace> open(Tid member);
    static Result<PidNamespace> open(Tid member, ProcMount mount);

    // The root of its procfs.
    [[nodiscard]] int procfs() const { return procfs_.get(); }
    // Whether numbers can be translated one by one (Linux 6.11).
    [[nodiscard]] bool can_translate() const { return can_translate_; }
    // Its number -> ours; nullopt: no such task.
    [[nodiscard]] std::optional<Tid> translate(pid_t number) const;
    // Ours -> its; nullopt: no such task in it.
    [[nodiscard]] std::optional<pid_t> number_of(Tid task) const;
    // The same of a task that is known to be in it, for kernels that cannot translate.
    [[nodiscard]] std::optional<pid_t> number_by_status(Tid task) const;
    // Whether a task is in it or in one nested in it; false for one that is gone.
    Result<bool> contains(Tid task);
    // contains() remembers namespaces by inode, which recycle: call before each series.
    void forget_namespaces() { inside_.clear(); }

  private:
    PidNamespace(UniqueFd descriptor, UniqueFd procfs, ino_t inode, std::size_t depth);

    static Result<bool> contains_forbidden(Tid task);

    UniqueFd descriptor_;
    UniqueFd procfs_;
    ino_t inode_;
    std::size_t depth_;  // below ours
    std::unordered_map<ino_t, bool> inside_;
    bool can_translate_ = false;
};

// A directory of numbers (/proc, /proc/PID/task), read with few calls.
class NumberDirectory {
  public:
    NumberDirectory();
    // Appends the names under `parent`/`path` that are numbers; path "." is `parent` itself. False:
    // no such directory (any more).
    Result<bool> list(int parent, const char* path, std::vector<pid_t>& numbers);
    // The same of one that open_listing() has opened; can be done again and again.
    Result<> read(int directory, std::vector<pid_t>& numbers);

  private:
    std::vector<char> buffer_;
};

// A directory for NumberDirectory::read().
Result<UniqueFd> open_listing(int parent, const char* path);

// A directory, for looking things up in it.
Result<UniqueFd> open_directory(const char* path);

// How many threads a process has, from the link count of PROCFS/NUMBER/task (proc_task_getattr(),
// fs/proc/base.c): one call instead of a directory read. 0: no such process.
Result<std::size_t> count_threads(int procfs, pid_t number);

}  // namespace execseal
