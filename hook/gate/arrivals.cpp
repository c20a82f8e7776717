#include "hook/gate/arrivals.h"

#include <algorithm>
#include <cerrno>

#include "hook/os/log.h"

namespace execseal {
namespace {

// At a time; more would keep whom the freeze is for waiting.
constexpr int kMostArrivals = 256;

}  // namespace

std::optional<Arrival> arrival_of(Session& session, const Notification& notification) {
    NotifiedCall call = decode_call(notification);
    if (std::holds_alternative<std::monostate>(call)) {
        (void)session.notify->answer(notification.id, Answer::fail(ENOSYS));
        return std::nullopt;
    }
    return Arrival{&session, notification.id, notification.tid, call};
}

void Arrivals::receive(Session& session) {
    session.was_emptied = true;
    for (int left = kMostArrivals; left > 0; --left) {
        const auto state = session.notify->poll(std::chrono::milliseconds(0));
        if (!state || *state != ListenerState::kReadable) {
            return;
        }
        const auto received = session.notify->receive();
        if (!received) {
            log_warning("receiving a notification: " + received.error().text());
            return;
        }
        if (!*received) {
            continue;
        }
        drop((*received)->tid);
        if (const auto arrival = arrival_of(session, **received)) {
            unseen_.push_back(*arrival);
        }
    }
}

bool Arrivals::has_unseen(bool room_for_execs) const {
    return std::any_of(unseen_.begin(), unseen_.end(), [&](const Arrival& arrival) {
        return room_for_execs || !std::holds_alternative<ExecCall>(arrival.call);
    });
}

std::optional<Arrival> Arrivals::take_unseen(bool room_for_execs) {
    const auto first = std::find_if(unseen_.begin(), unseen_.end(), [&](const Arrival& arrival) {
        return room_for_execs || !std::holds_alternative<ExecCall>(arrival.call);
    });
    if (first == unseen_.end()) {
        return std::nullopt;
    }
    const Arrival taken = *first;
    unseen_.erase(first);
    return taken;
}

std::optional<Arrival> Arrivals::take(std::deque<Arrival>& from) {
    if (from.empty()) {
        return std::nullopt;
    }
    const Arrival first = from.front();
    from.pop_front();
    return first;
}

void Arrivals::append_quiet(std::vector<QuietCaller>& quiet) const {
    for (const auto* arrivals : {&unseen_, &deferred_forks_}) {
        for (const Arrival& arrival : *arrivals) {
            const bool exec = std::holds_alternative<ExecCall>(arrival.call);
            quiet.push_back({arrival.caller, exec ? QuietCall::kExec : QuietCall::kFork,
                             arrival.session->notify.get(), arrival.id});
        }
    }
}

void Arrivals::drop(Tid caller) {
    if (caller == Tid{}) {
        return;
    }
    for (auto* arrivals : {&unseen_, &deferred_forks_}) {
        std::erase_if(*arrivals, [&](const Arrival& earlier) { return earlier.caller == caller; });
    }
}

void Arrivals::forget(const Session& session) {
    for (auto* arrivals : {&unseen_, &deferred_forks_}) {
        std::erase_if(*arrivals,
                      [&](const Arrival& arrival) { return arrival.session == &session; });
    }
}

}  // namespace execseal
