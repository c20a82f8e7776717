// Arrivals: notifications that were received and whose turn has not come.
//
// A freeze receives who waits in the notify queue before it begins: such a caller stands still, but
// one whose notification nobody has received cannot be told from one that runs; it would be
// interrupted, and call again. Keeps their order. A caller has one call at a time, so that a later
// notification of it replaces the earlier one.
#pragma once

#include <deque>
#include <optional>
#include <vector>

#include "hook/exec/notified_call.h"
#include "hook/gate/session.h"
#include "hook/tasks/quiet_caller.h"

namespace execseal {

struct Arrival {
    Session* session = nullptr;
    NotifyId id;
    Tid caller;
    NotifiedCall call;  // an exec or a fork
};

// nullopt: not a call of our rules (another tool's, or an ABI that nobody has planned for), refused
// with ENOSYS.
std::optional<Arrival> arrival_of(Session& session, const Notification& notification);

class Arrivals {
  public:
    // What waits in the session's queue.
    void receive(Session& session);
    // A fork that was looked at, until nobody is frozen or waits for it.
    void defer(const Arrival& fork) { deferred_forks_.push_back(fork); }

    [[nodiscard]] std::size_t unseen() const { return unseen_.size(); }
    // An exec for which there is no room yet, behind the others.
    void keep(const Arrival& exec) { unseen_.push_back(exec); }
    // Without room for execs forks only.
    [[nodiscard]] bool has_unseen(bool room_for_execs) const;
    [[nodiscard]] std::optional<Arrival> take_unseen(bool room_for_execs = true);
    [[nodiscard]] std::optional<Arrival> take_deferred() { return take(deferred_forks_); }
    // All of them, as a freeze has to know them.
    void append_quiet(std::vector<QuietCaller>& quiet) const;

    // That have left their call: not of 0, any task that we cannot see has that number.
    void drop(Tid caller);
    void forget(const Session& session);

  private:
    static std::optional<Arrival> take(std::deque<Arrival>& from);

    std::deque<Arrival> unseen_;
    std::deque<Arrival> deferred_forks_;
};

}  // namespace execseal
