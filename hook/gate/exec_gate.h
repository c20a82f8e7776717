// ExecGate: moves each exec through the states of exec_flow.h, from its notification to its event:
// reads, judges, freezes, reads again, answers, verifies, thaws.
//
// Takes exec notifications and turns from Turns, stops of callers and time from the loop; gives
// answers and events. Reads and judges at once, so that denials and targets that do not exist cost
// nobody a pause. An exec that freezes somebody is taken through the gate alone and the others wait
// their turn; those that freeze nobody go side by side. Never blocks but for the freeze itself,
// which has a budget. Whatever it attaches, freezes or leaves unanswered is owned by an exec, whose
// end releases it.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <vector>

#include "config/plan.h"
#include "config/policy.h"
#include "config/settings.h"
#include "hook/exec/container_start.h"
#include "hook/exec/executed_programs.h"
#include "hook/exec/reader.h"
#include "hook/gate/audit.h"
#include "hook/gate/binding.h"
#include "hook/gate/exec.h"
#include "hook/gate/exec_flow.h"
#include "hook/gate/study_judge.h"
#include "hook/gate/terms.h"
#include "hook/gate/turns.h"
#include "hook/gate/writers.h"
#include "hook/os/event_loop.h"
#include "hook/tasks/quiet_caller.h"
#include "hook/tasks/strays.h"
#include "hook/tasks/task_lister.h"
#include "hook/tasks/vfork_parents.h"

namespace execseal {

class ForkTracking;
class Freeze;
class TaskTable;

// All of these outlive the gate, but for the policies: it keeps its own. `floor` may be null.
struct GateContext {
    EventLoop& loop;
    const Plan& plan;
    const Settings& settings;
    const Policy& policy;
    const Policy* floor;
    ExecBinder& binder;
    Freeze& freeze;
    TaskTable& tasks;
    ForkTracking& forks;
    Turns& turns;
    AuditLog& audit;
    Strays* strays = nullptr;  // null: nobody looks for them
};

struct GateCounters {
    std::array<std::uint64_t, 4> verdicts{};  // by Verdict
    std::uint64_t kernel_refusals = 0;        // of built_in_rule::kKernel, not among the verdicts
    std::uint64_t races_detected = 0;
    std::uint64_t raced = 0;
    std::uint64_t freezes = 0;
    std::uint64_t freeze_failures = 0;
};

class ExecGate final : private ExecServer {
  public:
    using Clock = EventLoop::Clock;

    // From here on serves the context's turns.
    explicit ExecGate(const GateContext& context);
    // Lets go of all that is held.
    ~ExecGate() override;
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
    // What an earlier gate of the container has told; an Error makes every exec be refused.
    void resume(Result<ContainerStart> start);
    // Told once, before the first exec is answered; an Error makes every exec be refused.
    using KeepStart = std::function<Result<>(const ContainerStart&)>;
    void tell_start_to(KeepStart keep) { keep_start_ = std::move(keep); }

    // Who the domain is; until it is known every freeze fails.
    void set_lister(TaskLister* lister) { lister_ = lister; }
    // What ids mean in the container; until it is known every exec is refused.
    void set_id_maps(IdMaps maps);

    // Stops and ends of tracees are to be looked at.
    void on_sigchld();
    // Outcomes of the binder's.
    void on_news();
    [[nodiscard]] std::optional<Clock::time_point> next_deadline() const;
    void on_deadline(Clock::time_point now);

    [[nodiscard]] const GateCounters& counters() const { return counters_; }
    // Execs that are not over, and calls that are still to be looked at.
    [[nodiscard]] std::size_t pending() const { return execs_.size() + context_.turns.unseen(); }
    // What execs come under from now on; those that are under way keep theirs. The context's
    // policy, floor and mode are only the first.
    [[nodiscard]] const SharedTerms& terms() const { return terms_; }
    void set_terms(SharedTerms terms);
    // By the container's filter, whatever the terms: it is what it was at the container's start.
    [[nodiscard]] bool forks_are_notified() const { return forks_are_notified_; }

  private:
    void begin(Session& session, NotifyId id, const ExecCall& call) override;
    [[nodiscard]] bool may_go(const Exec& exec) const override;
    [[nodiscard]] bool has_room() const override;
    void take_turn(Exec& exec) override;
    void look_at_executing() override;
    void look_at_news() override;
    void leave_earlier(Tid caller, const NotifiedCall& next) override;
    void end_session(const Session& session) override;

    // Feeds `input` and whatever follows from the actions' own results, until the exec rests or is
    // done.
    void drive(Exec& exec, ExecInput input);
    std::optional<ExecInput> step(Exec& exec, ExecInput input);
    // What came of it, where that is an input.
    std::optional<ExecInput> perform(Exec& exec, ExecAction action);
    // Its event, where there is one; it is dropped by drop_done().
    void finish(Exec& exec, std::optional<Outcome> outcome);
    void drop_done();

    // nullopt: the page or the mount does not answer yet.
    std::optional<ExecInput> collect(Exec& exec, Clock::time_point until);
    void take_study(Exec& exec, ExecStudy study);
    // Once all of it is known. False: it could not be kept.
    bool keep_start();
    // What its caller has executed, and who stands above that; as far as it may be relied on.
    [[nodiscard]] Lineage lineage_of(const Exec& exec, Via via) const;
    // Its program runs, or so it seems where nobody looks.
    void mark_executed(const Exec& exec);
    void on_read(Exec& exec);
    void choose_whom_to_freeze(Exec& exec);
    void watch_reading(Exec& exec);
    // One at a time is read whole, however large.
    void begin_next_large();
    std::optional<ExecInput> freeze(Exec& exec);
    // Why it could not be done; nullopt when everybody stands still.
    std::optional<std::string> try_freeze(Exec& exec);
    // Who waits for the caller in vfork(2) and cannot run; 0: not known.
    [[nodiscard]] bool is_left_executing(Tgid process) const;
    Tid take_sleeper(const Exec& exec);
    // They wait for our answer and run nothing; to interrupt them would cancel their notification.
    [[nodiscard]] std::vector<QuietCaller> quiet_callers() const;
    ExecInput reread(Exec& exec);
    ExecInput bind(Exec& exec);
    // Where the settings ask for it; false: it could not be, and the exec is refused.
    bool record_first(Exec& exec);
    static ExecInput answer(Exec& exec, const Answer& answer);
    std::optional<ExecInput> look_at(Exec& exec);
    void end_unverified(const Exec& exec);
    ExecInput verify(Exec& exec);
    void thaw(Exec& exec);
    // Ends the freeze of an exec that sleeps in the kernel: it may wait for one of the frozen.
    void look_for_stall(Exec& exec, Clock::time_point now);

    GateContext context_;
    SharedTerms terms_;
    bool forks_are_notified_;
    StudyJudge judge_;
    ExecReader reader_;
    WriterFinder writers_;
    ExecutedPrograms executed_;
    KeepStart keep_start_;
    TaskLister* lister_ = nullptr;
    std::list<std::unique_ptr<Exec>> execs_;
    VforkParents vfork_parents_;
    GateCounters counters_;
    // Whose exec was on its way when the present freeze began.
    std::vector<Tgid> left_executing_;
    bool look_again_ = false;  // at those, since they are left no longer
};

}  // namespace execseal
