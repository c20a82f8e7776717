// ExecGate: performs the flows of exec_flow.h, from an exec's notification to its thaw and its
// audit event: who is read, who waits, who has frozen the domain, who is awaited.
//
// Takes exec notifications (and fork notifications, which wait while somebody is frozen), gives
// answers. Reads and judges at once, so that denials and targets that do not exist cost nobody a
// pause. Under freeze one exec at a time is taken through the gate and the others wait their turn;
// without it all go side by side. Never blocks but for the freeze itself, which has a budget.
// Whatever it attaches, freezes or leaves unanswered is owned by a flow, whose end releases it.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <list>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <vector>

#include "config/plan.h"
#include "config/policy.h"
#include "config/settings.h"
#include "hook/exec/reader.h"
#include "hook/gate/arrivals.h"
#include "hook/gate/audit.h"
#include "hook/gate/caller.h"
#include "hook/gate/exec_flow.h"
#include "hook/gate/session.h"
#include "hook/gate/study_judge.h"
#include "hook/gate/verify.h"
#include "hook/os/event_loop.h"
#include "hook/os/seccomp_notify.h"
#include "hook/tasks/fork_tracking.h"
#include "hook/tasks/freeze.h"
#include "hook/tasks/process_lister.h"
#include "hook/tasks/tracer.h"
#include "hook/tasks/vfork_parents.h"

namespace execseal {

// All of these outlive the gate. `floor` may be null.
struct GateContext {
    EventLoop& loop;
    const Plan& plan;
    const Settings& settings;
    const Policy& policy;
    const Policy* floor;
    Tracer& tracer;
    Procfs& procfs;
    TaskTable& tasks;
    ForkTracking& forks;
    AuditLog& audit;
};

struct GateCounters {
    std::array<std::uint64_t, 4> verdicts{};  // by Verdict
    std::uint64_t kernel_refusals = 0;        // of built_in_rule::kKernel, not among the verdicts
    std::uint64_t races_detected = 0;
    std::uint64_t raced = 0;
    std::uint64_t freezes = 0;
    std::uint64_t freeze_failures = 0;
};

class ExecGate {
  public:
    using Clock = EventLoop::Clock;

    explicit ExecGate(const GateContext& context);
    // Lets go of all that is held.
    ~ExecGate();
    ExecGate(const ExecGate&) = delete;
    ExecGate& operator=(const ExecGate&) = delete;
    ExecGate(ExecGate&&) = delete;
    ExecGate& operator=(ExecGate&&) = delete;

    // Starts what the first exec would have to wait for.
    Result<> warm_up() { return reader_.warm_up(); }

    // What names mean in the container is learnt from its first exec, or from its first process by
    // this, for a gate that begins later. Blocks while the process that looks does. A root that
    // cannot be looked at makes every exec be refused.
    void learn_root(Tid first);

    // Who the domain is; until it is known every freeze fails.
    void set_lister(TaskLister* lister) { lister_ = lister; }
    // What ids mean in the container; until it is known every exec is refused.
    void set_id_maps(IdMaps maps);

    // Of any call; the other two are of those kinds.
    void on_notification(Session& session, const Notification& notification);
    void on_exec(Session& session, const Notification& notification);
    void on_fork(Session& session, const Notification& notification);
    // Stops and ends of tracees are to be looked at.
    void on_sigchld();
    [[nodiscard]] std::optional<Clock::time_point> next_deadline() const;
    void on_deadline(Clock::time_point now);
    // The session's last task is gone: nobody waits for its answers.
    void forget(const Session& session);

    [[nodiscard]] const GateCounters& counters() const { return counters_; }
    // Execs that are not over, and calls that are still to be looked at.
    [[nodiscard]] std::size_t pending() const {
        return reading_.size() + active_.size() + waiting_.size() + arrivals_.unseen();
    }
    // Of the container's policy and the floor, the tighter of each.
    [[nodiscard]] const Protection& protection() const { return protection_; }

  private:
    struct Flow;
    using Flows = std::list<std::unique_ptr<Flow>>;

    // Feeds `input` and whatever follows from the actions' own results, until the flow waits or is
    // done.
    void drive(Flow& flow, ExecInput input);
    std::optional<ExecInput> step(Flow& flow, ExecInput input);
    std::optional<ExecInput> perform(Flow& flow, ExecAction action);
    // The first read, which may be waiting for a page or a mount that does not answer.
    void collect(Flow& flow, Clock::time_point until);
    void take_study(Flow& flow, ExecStudy study);
    // What was read; fills the flow's event.
    ExecInput judge(Flow& flow);
    // Whose turn it is, once nobody is frozen.
    void advance();
    // The first that waits and need not: an exec waits for that of another thread of its process,
    // which would let nobody seize it. Null: there is none.
    [[nodiscard]] Flow* next_turn() const;
    // Ends the freeze of an exec that sleeps in the kernel: it may wait for one of the frozen.
    void look_for_stall(Flow& flow, Clock::time_point now);
    void activate(Flows& from, Flow& flow, ExecInput input);
    static void move_flow(Flows& from, Flows& to, const Flow& flow);
    std::optional<ExecInput> freeze(Flow& flow);
    std::optional<ExecInput> reread(Flow& flow);
    std::optional<ExecInput> arm(Flow& flow);
    static void executed(Flow& flow);
    ExecInput verify(Flow& flow);
    static void kill_caller(Flow& flow);
    void thaw(Flow& flow);
    // What was held back meanwhile: stops of forks at once, those of armed callers by advance().
    void look_after_thaw();
    void report(Flow& flow);
    std::optional<ExecInput> look_at(Flow& flow);
    void look_at_active();
    void end_unverified(const Flow& flow);
    void drop_done();
    // A task that notifies anew has left its earlier calls, whatever has become of their reading.
    void supersede(const Notification& next);
    // Why it could not be done; nullopt when everybody stands still.
    std::optional<std::string> try_freeze(Flow& flow);
    // Who waits for the caller in vfork(2) and cannot run; 0: not known.
    Tid take_sleeper(const Flow& flow);
    // They wait for our answer and run nothing; to interrupt them would cancel their notification.
    // A seized task keeps the options it was seized with, so these are already what its own flow
    // will need.
    [[nodiscard]] std::vector<QuietCaller> quiet_callers() const;

    GateContext context_;
    ExecTraits traits_;
    Protection protection_;
    StudyJudge judge_;
    ExecReader reader_;
    ExecVerifier verifier_;
    TaskLister* lister_ = nullptr;
    Flows reading_;  // the first read has not come back yet
    Flows active_;   // armed, and at most one that has frozen the domain
    Flows waiting_;  // allowed after the first read, waiting for their turn to freeze
    Arrivals arrivals_;
    Flow* freezer_ = nullptr;  // the one that has frozen the domain
    bool look_again_ = false;
    VforkParents vfork_parents_;
    Freeze freeze_;
    GateCounters counters_;
};

}  // namespace execseal
