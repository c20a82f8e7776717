// TaskTable: every process of the container that the supervisor has heard of.
//
// Takes births from the fork tracking and listings of the domain; gives entries by number and rows
// for `execseal ps`. Exits are noticed late (tend()), but a listing tells a process that got the
// number of another by its birth. Bounded in entries and descriptors.
#pragma once

#include <chrono>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "config/lineage.h"
#include "hook/os/exit_watch.h"
#include "hook/os/procfs.h"
#include "hook/tasks/task_lister.h"

namespace execseal {

// How a process got into the table. kSession: the first one of a listener, that is the container's
// init or the command of a `runc exec`. kStray: its creator died before telling of it.
enum class TaskOrigin { kListing, kSession, kForkEvent, kStray };
const char* task_origin_name(TaskOrigin origin);

struct TaskEntry {
    TaskKey key;  // of its first thread; birth 0: not read yet
    Tgid parent;  // 0: unknown, or outside
    TaskOrigin origin = TaskOrigin::kListing;
    std::chrono::system_clock::time_point since;
    // Its address space: processes with the same number may share it. 0: not known.
    std::uint64_t memory = 0;
    // Of what it executes: the program that it runs, and those above.
    Lineage lineage;
};

struct TaskRow {
    TaskEntry entry;
    std::vector<pid_t> namespace_ids;  // from ours to its own; empty: gone meanwhile
    std::string exe;                   // bytes of the link
};

struct TaskTableLimits {
    std::size_t entries = 65536;
    // A process that lives shorter than this costs no descriptor; it is looked at when it is
    // between one and two of these old.
    std::chrono::milliseconds settle{50};
    std::chrono::milliseconds slow_look{2000};
    std::size_t batch = 512;  // processes looked at in one tend()
};

class TaskTable {
  public:
    using Clock = std::chrono::steady_clock;

    TaskTable(Procfs& procfs, ExitWatch& exits, TaskTableLimits limits = {});

    // A process that is held stopped by us, or of a listing. Reads its birth and parent.
    // False: it is gone already.
    bool add(Tgid process, TaskOrigin origin, Clock::time_point now);
    // A newborn one that is held stopped by us, by its fork event. Costs no system call: its birth
    // is read when it has settled.
    void add_child(Tgid child, Tgid parent, Clock::time_point now);
    void remove(Tgid process);

    // A process whose address space nobody else has: of fork(2), or after its exec.
    void has_own_memory(Tgid process);
    // One that was made with CLONE_VM by a thread of `creator` (0: not known), and runs in its
    // memory until it executes a program.
    void shares_memory(Tgid process, Tgid creator);
    // The other processes that may write to this one's memory as their own: those that are known to
    // share it, and those of whom nothing is known. nullopt: there may be more than the table has.
    [[nodiscard]] std::optional<std::vector<Tgid>> sharers_of(Tgid process) const;

    // Of what the process executes next. Nothing is known of one that has no entry, and of one
    // whose birth nobody has told of.
    void set_lineage(Tgid process, Lineage lineage);
    [[nodiscard]] Lineage lineage_of(Tgid process) const;
    // From now on a process may be born that nobody tells of, with the number of one that has ended
    // and still has its entry.
    void may_miss_births() { may_miss_births_ = true; }

    // Adds what was missed and forgets what has gone. Costs a read a process.
    void heal(std::span<const ListedTask> tasks, Clock::time_point now);

    // Notices exits. Cheap; call it once per turn of the loop, and when it is due.
    void tend(Clock::time_point now);
    [[nodiscard]] std::optional<Clock::time_point> next_due() const;

    // By number alone: only for a process that is known to live (the caller of a valid
    // notification).
    [[nodiscard]] const TaskEntry* find(Tgid process) const;
    [[nodiscard]] std::size_t size() const { return entries_.size(); }
    // Processes that found no room; they are found again by a later heal().
    [[nodiscard]] std::size_t refused() const { return refused_; }

    // Processes that listings have come upon since the last call: nobody has seen their birth.
    [[nodiscard]] std::vector<Tgid> take_newcomers() { return std::exchange(newcomers_, {}); }

    // Reads numbers and programs of the living now.
    [[nodiscard]] std::vector<TaskRow> rows() const;

  private:
    struct Settling {
        TaskKey key;
        Clock::time_point due;
    };

    bool insert(const TaskEntry& entry, Clock::time_point now);
    void erase(std::unordered_map<Tgid, TaskEntry>::iterator entry);
    void set_memory(Tgid process, std::uint64_t memory);
    void count_memory(std::uint64_t memory, int change);
    [[nodiscard]] Clock::time_point settled_at(Clock::time_point born) const;
    void learn_birth(TaskEntry& entry, std::uint64_t birth) const;
    // Forgets it if it has gone, watches it if it lives, reads its birth if that is 0.
    void settle(const TaskKey& key, Clock::time_point now);

    Procfs& procfs_;
    ExitWatch& exits_;
    TaskTableLimits limits_;
    std::unordered_map<Tgid, TaskEntry> entries_;
    std::deque<Settling> settling_;
    std::vector<Tgid> ended_;
    std::vector<Tgid> newcomers_;
    Clock::time_point next_look_{};
    std::size_t refused_ = 0;
    bool may_miss_births_ = false;
    std::uint64_t next_memory_ = 1;
    std::unordered_map<std::uint64_t, std::size_t> memories_;  // how many entries have each
};

}  // namespace execseal
