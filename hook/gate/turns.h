// Turns: what may go on now, of all that the container has called for.
//
// Every notification comes in here and is handed on as an exec or as a fork, equals both. While an
// exec has frozen the domain nobody else is answered, for it would run: execs that are judged wait
// here in their order, forks behind them. Never blocks.
#pragma once

#include <chrono>
#include <deque>
#include <optional>
#include <vector>

#include "hook/gate/arrivals.h"
#include "hook/gate/session.h"

namespace execseal {

struct Exec;
class ForkTracking;

// Who serves the execs.
class ExecServer {
  public:
    ExecServer() = default;
    ExecServer(const ExecServer&) = delete;
    ExecServer& operator=(const ExecServer&) = delete;
    ExecServer(ExecServer&&) = delete;
    ExecServer& operator=(ExecServer&&) = delete;
    virtual ~ExecServer() = default;

    virtual void begin(Session& session, NotifyId id, const ExecCall& call) = 0;
    // For one more exec; until then it stays where it is, unseen.
    [[nodiscard]] virtual bool has_room() const = 0;
    // False: it waits for the exec of another thread of its process, which would let nobody bind
    // it.
    [[nodiscard]] virtual bool may_go(const Exec& exec) const = 0;
    // Nobody is frozen, and this one was the first to wait of those who may go.
    virtual void take_turn(Exec& exec) = 0;
    // Their stops and ends may not have been looked at yet.
    virtual void look_at_executing() = 0;
    // The same where there is news that no stop of a task tells of: it may have executed a program
    // and gone on.
    virtual void look_at_news() = 0;
    // A task that notifies anew has left its earlier call, whatever has become of that.
    virtual void leave_earlier(Tid caller, const NotifiedCall& next) = 0;
    // The session's last task is gone: nobody waits for its answers.
    virtual void end_session(const Session& session) = 0;
};

class Turns {
  public:
    using Clock = std::chrono::steady_clock;

    // Outlives this.
    explicit Turns(ForkTracking& forks) : forks_(forks) {}

    // Before the first notification; outlives the last.
    void set_execs(ExecServer& execs) { execs_ = &execs; }

    // Of any call, which is decoded here; what is not of our rules is refused.
    void on_notification(Session& session, const Notification& notification);
    void forget(const Session& session);

    [[nodiscard]] std::optional<Clock::time_point> next_deadline() const;
    void on_deadline();

    // It is judged; its turn comes by serve().
    void wait(Exec& exec) { waiting_.push_back(&exec); }
    void stop_waiting(const Exec& exec);
    // Hands on what may go on. After all that may have ended a freeze or begun a wait, not from
    // within an ExecServer's call.
    void serve();

    // The exec that holds the domain; null: nobody is frozen.
    [[nodiscard]] Exec* freezer() const { return freezer_; }
    void froze(Exec& exec) { freezer_ = &exec; }
    // Also after a freeze that has failed: stops of its time are to be looked at. Those of forks
    // are at once, those of execs by serve().
    void thawed();

    // What waits in the session's queue. A freeze has to know them all, see append_quiet().
    void receive(Session& session) { arrivals_.receive(session); }
    void append_quiet(std::vector<QuietCaller>& quiet) const { arrivals_.append_quiet(quiet); }
    // Received and not looked at yet.
    [[nodiscard]] std::size_t unseen() const { return arrivals_.unseen(); }

  private:
    void take(const Arrival& arrival);
    void begin_exec(const Arrival& arrival, const ExecCall& call);
    // The first that waits and may go; null: there is none.
    [[nodiscard]] Exec* next_waiting() const;
    void begin_fork(const Arrival& arrival, const ForkCall& call);

    ForkTracking& forks_;
    ExecServer* execs_ = nullptr;
    Arrivals arrivals_;
    std::deque<Exec*> waiting_;
    Exec* freezer_ = nullptr;
    bool stops_held_back_ = false;  // of execs, by a freeze that is over
};

}  // namespace execseal
