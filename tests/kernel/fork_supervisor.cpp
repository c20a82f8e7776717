#include "tests/kernel/fork_supervisor.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <csignal>

namespace execseal::test {
namespace {

using Clock = std::chrono::steady_clock;

}  // namespace

ForkSupervisor::ForkSupervisor(ForkedContainer& container, ForkTrackingLimits limits)
    : tracking(tracer, table, *procfs, limits), container_(container) {
    (void)container.listener().try_sync_wake_up();
    loop_.add(container.listener().fd(), POLLIN, [this](short events) { receive(events); });
    loop_.add(sigchld_.get(), POLLIN, [this](short) {
        (void)drain_signal_fd(sigchld_.get());
        tracking.on_sigchld(Clock::now());
    });
}

ForkSupervisor::~ForkSupervisor() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    (void)pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

void ForkSupervisor::receive(short events) {
    if ((events & POLLIN) == 0) {
        hung_up = true;
        loop_.remove(container_.listener().fd());
        return;
    }
    const auto received = container_.listener().receive();
    ASSERT_TRUE(received.has_value()) << received.error().text();
    if (!*received) {
        return;
    }
    if (on_notification && on_notification(**received)) {
        return;
    }
    const NotifyId id = (*received)->id;
    const NotifiedCall call = decode_call(**received);
    if (const auto* fork = std::get_if<ForkCall>(&call)) {
        tracking.on_notification(container_.listener(), id, *fork, Clock::now());
        return;
    }
    if (tracking.is_followed((*received)->tid)) {
        tracking.yield(container_.listener(), id, (*received)->tid, Clock::now());
    } else {
        (void)container_.listener().answer(id, Answer::go_on());
    }
}

void ForkSupervisor::serve_once(std::chrono::microseconds longest) {
    Clock::time_point until = Clock::now() + longest;
    if (const auto due = tracking.next_deadline()) {
        until = std::min(until, *due);
    }
    const Result<int> ran = loop_.run_once(until);
    ASSERT_TRUE(ran.has_value());
    const Clock::time_point now = Clock::now();
    tracking.on_deadline(now);
    table.tend(now);
}

bool ForkSupervisor::serve_until(const std::function<bool()>& condition,
                                 std::chrono::milliseconds patience) {
    const Clock::time_point end = Clock::now() + patience;
    while (!condition()) {
        if (Clock::now() > end || ::testing::Test::HasFatalFailure()) {
            return false;
        }
        serve_once(std::chrono::milliseconds(2));
    }
    return true;
}

}  // namespace execseal::test
