// ExecGate: performs the flows of exec_flow.h, from an exec's notification to its thaw and its
// audit event.
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
#include <deque>
#include <list>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <vector>

#include "config/plan.h"
#include "config/policy.h"
#include "config/settings.h"
#include "hook/os/event_loop.h"
#include "hook/os/seccomp_notify.h"
#include "hook/supervisor/audit.h"
#include "hook/supervisor/build_facts.h"
#include "hook/supervisor/exec_flow.h"
#include "hook/supervisor/exec_reader.h"
#include "hook/supervisor/fork_tracking.h"
#include "hook/supervisor/freeze.h"
#include "hook/supervisor/pidns_listing.h"
#include "hook/supervisor/session.h"
#include "hook/supervisor/tracer.h"
#include "hook/supervisor/verify.h"
#include "hook/supervisor/vfork_parents.h"

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
    void set_id_maps(IdMaps maps) { id_maps_ = std::move(maps); }

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
        return reading_.size() + active_.size() + waiting_.size() + arrived_.size();
    }
    // Of the container's policy and the floor, the tighter of each.
    [[nodiscard]] const Protection& protection() const { return protection_; }

  private:
    struct Flow;
    using Flows = std::list<std::unique_ptr<Flow>>;

    // Feeds `input` and whatever follows from the actions' own results, until the flow waits or is
    // done.
    void drive(Flow& flow, ExecInput input);
    std::optional<ExecInput> perform(Flow& flow, ExecAction action);
    // The first read, which may be waiting for a page or a mount that does not answer.
    void collect(Flow& flow, Clock::time_point until);
    void take_study(Flow& flow, ExecStudy study);
    // What was read is judged; fills the flow's event.
    ExecInput judge_study(Flow& flow);
    ExecInput judge_facts(Flow& flow);
    // Whose turn it is, once nobody is frozen.
    void advance();
    void activate(Flows& from, Flow& flow, ExecInput input);
    static void move_flow(Flows& from, Flows& to, const Flow& flow);
    std::optional<ExecInput> freeze(Flow& flow);
    std::optional<ExecInput> reread(Flow& flow);
    std::optional<ExecInput> arm(Flow& flow);
    // False: the caller does not wait for it any more.
    static bool answer(Flow& flow, const Answer& answer);
    static void executed(Flow& flow);
    ExecInput verify(Flow& flow);
    // The number under which the flow's caller is attached; 0 when it is not.
    [[nodiscard]] Tid attached_as(const Flow& flow) const;
    void kill_caller(Flow& flow);
    void release_caller(Flow& flow);
    void thaw(Flow& flow);
    void report(Flow& flow);
    static void refuse(Flow& flow, int error, const char* rule, std::string reason);
    std::optional<ExecInput> look_at(Flow& flow);
    void look_at_active();
    void end_unverified(const Flow& flow);
    void drop_done();
    // A task that notifies anew has left its earlier calls, whatever has become of their reading.
    void supersede(const Notification& next);
    // Of those that wait to be looked at. Not of 0: any task that we cannot see has that number.
    void drop_arrivals_of(Tid caller);
    // Why it could not be done; nullopt when everybody stands still.
    std::optional<std::string> try_freeze(Flow& flow);
    // Receives what waits in the session's queue. Who is in it stands still, but whose notification
    // is not received cannot be told from one that runs: it would be interrupted, and call again.
    void take_arrived(Session& session);
    [[nodiscard]] std::vector<QuietCaller> quiet_callers() const;

    GateContext context_;
    ExecTraits traits_;
    Protection protection_;
    ExecReader reader_;
    ExecVerifier verifier_;
    // What names mean in the container: learnt from its first exec, not from a caller that may have
    // made itself another root.
    std::optional<RootIdentity> root_;
    std::optional<std::string> root_failure_;
    std::optional<IdMaps> id_maps_;
    TaskLister* lister_ = nullptr;
    Flows reading_;  // the first read has not come back yet
    Flows active_;   // armed, and at most one that has frozen the domain
    Flows waiting_;  // allowed after the first read, waiting for their turn to freeze
    struct Arrival {
        Session* session;
        Notification notification;
    };
    std::deque<Arrival> arrived_;         // for a freeze, and not yet looked at
    std::deque<Arrival> deferred_forks_;  // until nobody is frozen or waits for it
    Flow* freezer_ = nullptr;
    bool look_again_ = false;  // after a thaw: the stops of other armed callers were held back
    VforkParents vfork_parents_;
    std::unique_ptr<Freeze> freeze_;  // of the one flow that has frozen the domain
    GateCounters counters_;
};

}  // namespace execseal
