// ForkTracking: performs the ForkFlows of a container: many at once, none ever waited for.
//
// Takes fork-class notifications, SIGCHLD and time from the loop; registers each child in the
// TaskTable while it stands still before its first instruction, then lets it and its creator go.
// Must never block, and never interrupt a caller that still waits in the notify queue.
#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <optional>
#include <unordered_map>
#include <vector>

#include "hook/exec/fs_sharers.h"
#include "hook/exec/notified_call.h"
#include "hook/os/seccomp_notify.h"
#include "hook/tasks/fork_flow.h"
#include "hook/tasks/task_table.h"
#include "hook/tasks/tracer.h"
#include "hook/tasks/vfork_parents.h"

namespace execseal {

struct ForkTrackingLimits {
    // How long an answered call may go without an event before the caller is interrupted. A longer
    // grace harms nobody: the caller runs, it merely stays attached. A shorter one makes slow forks
    // back out. It grows with what is seen, up to `longest_grace`.
    std::chrono::microseconds grace{500};
    std::chrono::microseconds longest_grace{50'000};
    // How long a caller that catches SIGCHLD stays attached after its last call.
    std::chrono::milliseconds keep{1000};
    int refused_errno = 1;  // EPERM; for a caller that cannot be attached to
    // Where nobody is ever frozen, not every task has to be known: who is traced by somebody else
    // forks untracked, and a listing finds the child.
    bool traced_may_fork = false;
    // How often a caller that cannot be seized yet is tried again.
    std::chrono::milliseconds retry{10};
    // How long another container's supervisor may hold it.
    std::chrono::milliseconds longest_held{5000};
    // From so many flows on it is cheaper to wait for any tracee than for each.
    std::size_t many = 8;
};

struct ForkCounts {
    std::uint64_t received = 0;
    std::uint64_t born = 0;
    std::uint64_t without_child = 0;  // failed, backed out for a signal, or the caller died
    std::uint64_t refused = 0;
    std::uint64_t strays = 0;
    std::uint64_t impossible = 0;
};

class ForkTracking {
  public:
    using Clock = std::chrono::steady_clock;

    ForkTracking(Tracer& tracer, TaskTable& table, Procfs& procfs, ForkTrackingLimits limits = {});

    void set_traced_may_fork(bool may) { limits_.traced_may_fork = may; }
    // To be told of each vfork from now on; outlives this.
    void tell_vforks_to(VforkParents& parents) { vfork_parents_ = &parents; }

    // Of this listener, which is kept only until forget() for a caller in whose process another
    // thread's exec is on its way, or whom another container's supervisor holds: such a call waits
    // for the end of that, as a signal would make it.
    void on_notification(SeccompNotify& listener, NotifyId id, const ForkCall& call,
                         Clock::time_point now);
    // For one that is received and cannot be looked at yet: a signal that ends its wait meanwhile
    // must not end its call, see Tracer::release(). What came of it is asked again when
    // on_notification() is told of it.
    void attach_waiting(const ForkCall& call);
    // Also after each thaw: stops that happened while tasks were held are looked at then.
    void on_sigchld(Clock::time_point now);
    [[nodiscard]] std::optional<Clock::time_point> next_deadline();
    void on_deadline(Clock::time_point now);

    // True if this thread is attached for its forks: an earlier one failed, and we have not noticed
    // yet, or it is kept for the next. An exec gate that meets its notification calls yield() and
    // forgets the notification: the call is restarted and comes again, unattached.
    [[nodiscard]] bool is_followed(Tid tid) const { return flows_.contains(tid); }
    void yield(SeccompNotify& listener, NotifyId id, Tid caller, Clock::time_point now);
    // Nobody waits for this listener's answers any more; it is not used afterwards.
    void forget(const SeccompNotify& listener);

    // The tracer has found children that nobody waits for (freeze, leaving tasks): they are
    // registered here, and released.
    void adopt_strays(Clock::time_point now);

    // Who has used CLONE_FS, as far as their calls came here.
    [[nodiscard]] const FsSharers& fs_sharers() const { return fs_sharers_; }
    // These have used it earlier, unseen by us.
    void suspect_sharers(const std::vector<Tgid>& processes);

    [[nodiscard]] bool idle() const {
        return flows_.empty() && births_.empty() && unseized_.empty();
    }
    [[nodiscard]] std::size_t in_flight() const { return flows_.size() + births_.size(); }
    [[nodiscard]] const ForkCounts& counts() const { return counts_; }
    [[nodiscard]] std::chrono::microseconds grace() const { return grace_; }

  private:
    // kSibling: CLONE_PARENT, a child of the caller's parent.
    enum class Makes { kChild, kSibling, kThread, kUnknown };
    // The address space of the child; kCompare: the flags are in memory, where others may write.
    enum class Memory { kOwn, kShared, kCompare };
    struct Flow {
        ForkState state = ForkState::kReceived;
        std::uint64_t number = 0;  // in the order of their beginning
        std::uint64_t arming = 0;  // of its last deadline
        Tid caller;
        Makes makes = Makes::kUnknown;
        Tgid fs_maker;  // whose root and working directory its child will share; 0: of nobody
        Memory memory = Memory::kCompare;
        Lineage lineage;                            // of its caller, when it made its present call
        std::optional<bool> catches_child;          // unless it has not been asked
        std::optional<Clock::time_point> answered;  // its present call
    };
    struct Deadline {
        Clock::time_point at;
        Tid caller;
        std::uint64_t arming = 0;
    };
    // A child without a creator that could still claim it; `before`: the flows up to this number
    // could.
    struct Stray {
        Tid tid;
        std::uint64_t before = 0;
    };
    // A call whose caller could not be seized yet.
    struct Unseized {
        SeccompNotify* listener = nullptr;
        NotifyId id;
        ForkCall call;
        Tgid process;                                 // 0: not known
        std::optional<Clock::time_point> held_since;  // by another container's supervisor
    };
    // What a run of a flow needs besides the flow itself.
    struct Occasion {
        SeccompNotify* listener = nullptr;
        NotifyId id;
        Tid child;
        Clock::time_point now;
    };

    static Makes what_it_makes(const ForkCall& call);
    // Where the call would share root and working directory with a new process.
    void begin_sharing(Flow& flow, const ForkCall& call);
    // It has ended, with a child or (0) without.
    void end_sharing(Flow& flow, Tid child);
    static Memory where_it_runs(const ForkCall& call);
    void note_memory(Tgid child, const Flow& creator);
    // Before the call's answer: what its caller runs cannot change until then.
    [[nodiscard]] Lineage lineage_of(const ForkCall& call) const;

    // Runs until the flow waits again or is done.
    void run(Flow& flow, ForkInput input, const Occasion& occasion);
    std::optional<ForkInput> perform(Flow& flow, ForkAction action, const Occasion& occasion);
    std::optional<ForkInput> take_seized(const SeizeOutcome& outcome, Tid caller,
                                         const Occasion& occasion);
    void begin(const Unseized& call, Clock::time_point now);
    void try_again(Unseized call, Clock::time_point now);
    void retry_unseized(Clock::time_point now);
    static ForkInput answer(const Answer& answer, const Occasion& occasion);
    void start_grace(Flow& flow, Clock::time_point now);
    void start_keep(Flow& flow, Clock::time_point now);
    // Asks once a flow.
    bool catches_child(Flow& flow, Clock::time_point now);
    bool caller_catches_child(Tid caller, Clock::time_point now);
    void release(Tid tid);
    // Polls and runs; the flow may be gone or a birth afterwards.
    void poll_flow(Tid caller, Clock::time_point now);
    void poll_birth(Tid child, Clock::time_point now);
    void settle(Tid caller, const Occasion& occasion);
    void register_child(Tid child, const Flow& creator, TaskOrigin origin, Clock::time_point now);
    void forget_child(Tid child);
    void learn_from_event(Clock::duration taken);
    void learn_from_interrupt(Tid caller);
    // The first that still stands; drops those before it that do not.
    std::optional<Clock::time_point> first_of(std::deque<Deadline>& deadlines);
    void run_due(std::deque<Deadline>& deadlines, Clock::time_point now);
    void look_again(Clock::time_point now);

    Tracer& tracer_;
    TaskTable& table_;
    Procfs& procfs_;
    ForkTrackingLimits limits_;
    std::chrono::microseconds grace_;
    std::uint64_t next_number_ = 1;
    // A flow stands in one of them.
    std::unordered_map<Tid, Flow> flows_;   // by caller; all but kBirth
    std::unordered_map<Tid, Flow> births_;  // by child; kBirth
    std::deque<Deadline> deadlines_;        // of the grace
    std::deque<Deadline> keeps_;            // of those that are kept
    std::vector<Unseized> unseized_;
    std::optional<Clock::time_point> next_retry_;  // while there are any
    std::optional<Clock::time_point> next_look_;   // see look_again()
    std::vector<Stray> strays_;
    FsSharers fs_sharers_;
    VforkParents* vfork_parents_ = nullptr;
    // When a caller was last found not to catch SIGCHLD.
    std::unordered_map<Tid, Clock::time_point> not_catching_;
    std::vector<Tid> scratch_;
    ForkCounts counts_;
};

}  // namespace execseal
