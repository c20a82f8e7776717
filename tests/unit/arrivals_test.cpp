#include "hook/gate/arrivals.h"

#include <gtest/gtest.h>
#include <linux/audit.h>

#include <cerrno>
#include <map>

#include "tests/unit/fake_notify.h"

namespace execseal {
namespace {

constexpr int kExecve = 59;
constexpr int kFork = 57;
constexpr int kGetpid = 39;

Arrival fork_of(Session& session, std::uint64_t id, pid_t caller) {
    return {&session, NotifyId{id}, Tid{caller}, ForkCall{Tid{caller}, 0}};
}

class ArrivalsTest : public ::testing::Test {
  protected:
    void call(std::uint64_t id, pid_t caller, int nr) {
        Notification notification{.id = NotifyId{id}, .tid = Tid{caller}};
        notification.arch = AUDIT_ARCH_X86_64;
        notification.nr = nr;
        notify.queue.emplace_back(notification);
    }
    std::vector<std::uint64_t> take_all() {
        std::vector<std::uint64_t> ids;
        while (const auto next = arrivals.take_unseen()) {
            ids.push_back(next->id.value);
        }
        return ids;
    }

    Session session = session_of(std::make_unique<FakeNotify>());
    FakeNotify& notify = static_cast<FakeNotify&>(*session.notify);
    Arrivals arrivals;
};

TEST_F(ArrivalsTest, AreLookedAtInTheOrderOfTheQueue) {
    call(1, 100, kExecve);
    notify.queue.emplace_back(std::nullopt);
    call(2, 200, kFork);
    arrivals.receive(session);
    EXPECT_TRUE(notify.queue.empty());
    EXPECT_TRUE(session.was_emptied);
    EXPECT_EQ(arrivals.unseen(), 2U);
    EXPECT_EQ(take_all(), (std::vector<std::uint64_t>{1, 2}));
}

TEST_F(ArrivalsTest, WhoCallsAgainHasLeftItsEarlierCall) {
    call(1, 100, kExecve);
    call(2, 200, kFork);
    arrivals.receive(session);
    arrivals.defer(fork_of(session, 3, 300));
    call(4, 100, kExecve);
    call(5, 300, kFork);
    arrivals.receive(session);
    EXPECT_EQ(take_all(), (std::vector<std::uint64_t>{2, 4, 5}));
    EXPECT_FALSE(arrivals.take_deferred().has_value());
}

TEST_F(ArrivalsTest, CallersThatWeCannotSeeAreNotTakenForOneAnother) {
    call(1, 0, kExecve);
    call(2, 0, kExecve);
    arrivals.receive(session);
    EXPECT_EQ(take_all(), (std::vector<std::uint64_t>{1, 2}));
}

TEST_F(ArrivalsTest, ACallOfNoRuleOfOursIsRefusedAtOnce) {
    call(1, 100, kGetpid);
    arrivals.receive(session);
    EXPECT_EQ(arrivals.unseen(), 0U);
    EXPECT_EQ(notify.errors, (std::map<std::uint64_t, int>{{1, ENOSYS}}));
}

TEST_F(ArrivalsTest, AFloodDoesNotKeepTheFreezeWaiting) {
    for (std::uint64_t id = 1; id <= 1000; ++id) {
        call(id, static_cast<pid_t>(1000 + id), kExecve);
    }
    arrivals.receive(session);
    EXPECT_GT(arrivals.unseen(), 0U);
    EXPECT_FALSE(notify.queue.empty());
}

TEST_F(ArrivalsTest, AFreezeKnowsThemWithWhatTheirOwnCallsWillNeed) {
    call(1, 100, kExecve);
    call(2, 200, kFork);
    arrivals.receive(session);
    arrivals.defer(fork_of(session, 3, 300));
    std::vector<QuietCaller> quiet;
    arrivals.append_quiet(quiet);
    ASSERT_EQ(quiet.size(), 3U);
    EXPECT_EQ(quiet[0].call, QuietCall::kExec);
    EXPECT_EQ(quiet[1].call, QuietCall::kFork);
    EXPECT_EQ(quiet[2].call, QuietCall::kFork);
    for (const QuietCaller& caller : quiet) {
        EXPECT_EQ(caller.listener, session.notify.get());
    }
    EXPECT_EQ(quiet[0].id, NotifyId{1});
    EXPECT_EQ(quiet[2].tid, Tid{300});
}

TEST_F(ArrivalsTest, WhatBelongsToAnEndedSessionIsForgotten) {
    Session other = session_of(std::make_unique<FakeNotify>());
    call(1, 100, kExecve);
    arrivals.receive(session);
    arrivals.defer(fork_of(session, 2, 200));
    arrivals.defer(fork_of(other, 3, 300));
    arrivals.forget(session);
    EXPECT_EQ(arrivals.unseen(), 0U);
    EXPECT_EQ(arrivals.take_deferred()->id, NotifyId{3});
    EXPECT_FALSE(arrivals.take_deferred().has_value());
}

}  // namespace
}  // namespace execseal
