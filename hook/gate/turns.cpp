#include "hook/gate/turns.h"

#include <algorithm>
#include <utility>

#include "hook/exec/notified_call.h"

namespace execseal {

void Turns::on_notification(Session& session, const Notification& notification) {
    const NotifiedCall kind = kind_of_call(notification.arch, notification.nr);
    if (kind == NotifiedCall::kUnknown) {
        refuse_unknown(session, notification);
        return;
    }
    // Not of 0: any task that we cannot see has that number.
    if (notification.tid != Tid{}) {
        arrivals_.drop(notification.tid);
        execs_->leave_earlier(notification);
        serve();
    }
    if (kind == NotifiedCall::kExec) {
        begin_exec(session, notification);
        serve();
    } else {
        begin_fork(session, notification);
    }
}

void Turns::begin_exec(Session& session, const Notification& notification) {
    if (forks_.is_followed(notification.tid)) {
        // Its last fork failed and nobody has noticed yet: it is let go first, and its exec comes
        // again.
        forks_.yield(*session.notify, notification, Clock::now());
        return;
    }
    execs_->begin(session, notification);
}

void Turns::begin_fork(Session& session, const Notification& notification) {
    if (freezer_ == nullptr && next_waiting() == nullptr) {
        forks_.on_notification(*session.notify, notification, Clock::now());
        return;
    }
    forks_.attach_waiting(notification);
    arrivals_.defer(session, notification);
}

void Turns::serve() {
    while (true) {
        if (std::exchange(stops_held_back_, false)) {
            execs_->look_at_executing();
        } else if (freezer_ != nullptr) {
            return;
        } else if (Exec* next = next_waiting()) {
            stop_waiting(*next);
            execs_->take_turn(*next);
        } else if (const auto fork = arrivals_.take_deferred()) {
            forks_.on_notification(*fork->session->notify, fork->notification, Clock::now());
        } else {
            return;
        }
    }
}

Exec* Turns::next_waiting() const {
    const auto next = std::find_if(waiting_.begin(), waiting_.end(),
                                   [&](const Exec* exec) { return execs_->may_go(*exec); });
    return next == waiting_.end() ? nullptr : *next;
}

void Turns::stop_waiting(const Exec& exec) {
    std::erase(waiting_, &exec);
}

void Turns::thawed() {
    freezer_ = nullptr;
    forks_.on_sigchld(Clock::now());
    stops_held_back_ = true;
}

void Turns::forget(const Session& session) {
    arrivals_.forget(session);
    forks_.forget(*session.notify);
    execs_->end_session(session);
    serve();
}

std::optional<Turns::Clock::time_point> Turns::next_deadline() const {
    // At once, but after the stops that are there.
    return unseen() != 0 ? std::optional(Clock::time_point{}) : std::nullopt;
}

void Turns::on_deadline() {
    // One at a time, as they would come from the listener: nobody's stop waits for all of them.
    if (const auto next = arrivals_.take_unseen()) {
        on_notification(*next->session, next->notification);
    }
}

}  // namespace execseal
