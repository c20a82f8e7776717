#include "hook/gate/arrivals.h"

#include <algorithm>
#include <cerrno>

#include "hook/exec/notified_call.h"
#include "hook/gate/caller.h"
#include "hook/os/log.h"
#include "hook/tasks/fork_tracking.h"

namespace execseal {
namespace {

// At a time; more would keep whom the freeze is for waiting.
constexpr int kMostArrivals = 256;

}  // namespace

void refuse_unknown(Session& session, const Notification& notification) {
    (void)session.notify->answer(notification.id, Answer::fail(ENOSYS));
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
        const Notification& notification = **received;
        drop(notification.tid);
        if (kind_of_call(notification.arch, notification.nr) == NotifiedCall::kUnknown) {
            refuse_unknown(session, notification);
        } else {
            unseen_.push_back({&session, notification});
        }
    }
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
        for (const auto& [session, notification] : *arrivals) {
            const bool exec =
                kind_of_call(notification.arch, notification.nr) == NotifiedCall::kExec;
            quiet.push_back({notification.tid, exec ? kExecCallerOptions : kForkCallerOptions,
                             session->notify.get(), notification.id});
        }
    }
}

void Arrivals::drop(Tid caller) {
    if (caller == Tid{}) {
        return;
    }
    for (auto* arrivals : {&unseen_, &deferred_forks_}) {
        std::erase_if(*arrivals,
                      [&](const Arrival& earlier) { return earlier.notification.tid == caller; });
    }
}

void Arrivals::forget(const Session& session) {
    for (auto* arrivals : {&unseen_, &deferred_forks_}) {
        std::erase_if(*arrivals,
                      [&](const Arrival& arrival) { return arrival.session == &session; });
    }
}

}  // namespace execseal
