// Attachments: what is known of each tracee, and whose number an exec is about to hand on.
//
// The records of Tracer and Waits; makes no call of the kernel. Belongs to the thread that made it,
// as the attachments do (ptrace(2)).
#pragma once

#include <cstdint>
#include <optional>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "hook/os/ids.h"
#include "hook/os/ptrace.h"

namespace execseal {

struct Attachment {
    std::uint64_t serial = 0;
    PtraceOptions options;
    std::optional<Stop> stop;
    bool seen = false;     // `stop` was given to its owner
    bool held = false;     // its owner gets no news: it must stay as it is
    bool leaving = false;  // to be released when it stops
    bool newborn = false;  // has not run yet
    bool told = false;     // its present system call cannot have an untold child
};

// Of a caller of fork and a child that was born attached, and of a caller of execve.
inline constexpr PtraceOptions kForkOptions{.births = true};
inline constexpr PtraceOptions kExecOptions{.births = true, .exec = true, .exit_kill = true};

class Attachments {
  public:
    void check_thread() const;

    // null: not attached. Valid until the next attach(), erase(), adopt_child() or rename().
    [[nodiscard]] Attachment* find(Tid tid);
    [[nodiscard]] const Attachment* find(Tid tid) const;
    [[nodiscard]] bool contains(Tid tid) const { return find(tid) != nullptr; }
    [[nodiscard]] std::size_t size() const { return records_.size(); }
    // A new record, with a serial of its own, also where the number had one.
    Attachment& attach(Tid tid, const PtraceOptions& options);
    // It is let go.
    void erase(Tid tid);
    // It has ended, perhaps before it told of a child.
    void end(Tid tid);
    // The leader's record becomes that of the thread which has taken its number.
    void rename(Tid former, Tid leader);

    // The child of a birth's event. The kernel gives it its creator's options (ptrace_init_task()).
    void adopt_child(const PtraceOptions& options, Tid child);
    // Attached from birth by a creator that has not told of it: nobody waits for it yet.
    void add_stray(Tid child) { strays_.push_back(child); }
    std::vector<Tid> take_strays() { return std::exchange(strays_, {}); }
    // A creator has ended whose child, if it has made one, nobody knows. The leader's end is not
    // told where a thread takes its number.
    void suspect_orphan();
    void suspect_orphan_of(Tid ended);
    [[nodiscard]] bool may_have_strays() const { return orphans_possible_; }
    void has_no_strays() { orphans_possible_ = false; }
    // Its child may have stopped before the last sweep of Waits, so that no SIGCHLD tells of it.
    [[nodiscard]] bool sweep_is_due() const { return sweep_is_due_; }
    void swept() { sweep_is_due_ = false; }

    // See Tracer::expect_exec().
    void expect_exec(Tgid process, Tid caller);
    // True: no thread of the process will take its leader's number any more.
    bool exec_over(Tgid process, Tid caller);
    [[nodiscard]] bool expects_exec(Tid leader) const { return execs_.contains(leader); }
    [[nodiscard]] bool expects_any_exec() const { return !execs_.empty(); }
    // Whether the number may be another task's than that of which we know a stop.
    [[nodiscard]] bool may_be_taken(Tid tid) const;
    // It stands at the end of an exec that is expected.
    [[nodiscard]] bool has_executed(Tid tid) const;

  private:
    struct Expected {
        int execs = 0;
        int of_others = 0;  // than the leader, whose number they will take
    };

    std::thread::id thread_{std::this_thread::get_id()};
    std::uint64_t next_serial_ = 1;
    std::unordered_map<Tid, Attachment> records_;
    std::unordered_map<Tid, Expected> execs_;  // by leader
    std::vector<Tid> strays_;
    bool orphans_possible_ = false;
    bool sweep_is_due_ = false;
};

}  // namespace execseal
