#include "hook/gate/turns.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "hook/tasks/fork_tracking.h"

namespace execseal {

void Turns::on_notification(Session& session, const Notification& notification) {
    if (const auto arrival = arrival_of(session, notification)) {
        take(*arrival);
    }
}

void Turns::take(const Arrival& arrival) {
    // Not of 0: any task that we cannot see has that number.
    if (arrival.caller != Tid{}) {
        arrivals_.drop(arrival.caller);
        execs_->leave_earlier(arrival.caller, arrival.call);
        execs_->look_at_news();  // the child of a fork runs what its maker has executed
        serve();
    }
    const auto* const exec = std::get_if<ExecCall>(&arrival.call);
    if (exec != nullptr && !execs_->has_room()) {
        arrivals_.keep(arrival);
    } else if (exec != nullptr) {
        begin_exec(arrival, *exec);
        serve();
    } else if (const auto* fork = std::get_if<ForkCall>(&arrival.call)) {
        begin_fork(arrival, *fork);
    }
}

void Turns::begin_exec(const Arrival& arrival, const ExecCall& call) {
    if (forks_.is_followed(call.tid)) {
        // Its last fork failed and nobody has noticed yet: it is let go first, and its exec comes
        // again.
        forks_.yield(*arrival.session->notify, arrival.id, call.tid, Clock::now());
        return;
    }
    execs_->begin(*arrival.session, arrival.id, call);
}

void Turns::begin_fork(const Arrival& arrival, const ForkCall& call) {
    if (freezer_ == nullptr && next_waiting() == nullptr) {
        forks_.on_notification(*arrival.session->notify, arrival.id, call, Clock::now());
        return;
    }
    forks_.attach_waiting(call);
    arrivals_.defer(arrival);
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
            // Nobody is frozen and nobody waits: it begins.
            begin_fork(*fork, std::get<ForkCall>(fork->call));
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
    return arrivals_.has_unseen(execs_->has_room()) ? std::optional(Clock::time_point{})
                                                    : std::nullopt;
}

void Turns::on_deadline() {
    // One at a time, as they would come from the listener: nobody's stop waits for all of them.
    if (const auto next = arrivals_.take_unseen(execs_->has_room())) {
        take(*next);
    }
}

}  // namespace execseal
