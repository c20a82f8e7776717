#include "hook/os/seccomp_notify.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "tests/kernel/forked_container.h"

namespace execseal {
namespace {

using namespace std::chrono_literals;
using test::ForkedContainer;
using test::Inside;
using test::NotifiedCalls;

Notification receive_one(SeccompListener& listener) {
    EXPECT_EQ(listener.poll(10s).value(), ListenerState::kReadable);
    const auto received = listener.receive().value();
    EXPECT_TRUE(received.has_value());
    return received.value_or(Notification{});
}

int raw_fork(const Inside&) {
    const long result = syscall(SYS_fork);
    if (result == 0) {
        _exit(0);
    }
    return result < 0 ? errno : 0;
}

TEST(SeccompListener, NamesTheCallAndTheCaller) {
    ForkedContainer container(NotifiedCalls::kForks, raw_fork);
    const Notification notification = receive_one(container.listener());
    EXPECT_EQ(notification.nr, SYS_fork);
    EXPECT_EQ(notification.tid, container.init());
    EXPECT_EQ(container.listener().id_valid(notification.id).value(), NotifyReach::kDone);
    EXPECT_EQ(container.listener().answer(notification.id, Answer::go_on()).value(),
              NotifyReach::kDone);
    EXPECT_EQ(container.wait_end(), 0);
}

TEST(SeccompListener, AnErrnoIsWhatTheCallerGets) {
    ForkedContainer container(NotifiedCalls::kForks, raw_fork);
    const Notification notification = receive_one(container.listener());
    EXPECT_EQ(container.listener().answer(notification.id, Answer::fail(ENOTTY)).value(),
              NotifyReach::kDone);
    EXPECT_EQ(container.wait_end(), ENOTTY);
}

TEST(SeccompListener, AnAnswerWithoutAKindDenies) {
    ForkedContainer container(NotifiedCalls::kForks, raw_fork);
    const Notification notification = receive_one(container.listener());
    EXPECT_EQ(container.listener().answer(notification.id, Answer{}).value(), NotifyReach::kDone);
    EXPECT_EQ(container.wait_end(), EPERM);
}

TEST(SeccompListener, AKilledCallerIsGoneNotAnError) {
    ForkedContainer container(NotifiedCalls::kForks, raw_fork);
    const Notification notification = receive_one(container.listener());
    kill(container.init().value, SIGKILL);
    EXPECT_EQ(container.wait_end(), 128 + SIGKILL);
    EXPECT_EQ(container.listener().id_valid(notification.id).value(), NotifyReach::kGone);
    EXPECT_EQ(container.listener().answer(notification.id, Answer::go_on()).value(),
              NotifyReach::kGone);
}

TEST(SeccompListener, ACallerKilledBeforeReceiveIsGoneAndTheListenerHangsUp) {
    ForkedContainer container(NotifiedCalls::kForks, raw_fork);
    EXPECT_EQ(container.listener().poll(10s).value(), ListenerState::kReadable);
    kill(container.init().value, SIGKILL);
    EXPECT_EQ(container.wait_end(), 128 + SIGKILL);
    EXPECT_FALSE(container.listener().receive().value().has_value());
    EXPECT_EQ(container.listener().poll(10s).value(), ListenerState::kHungUp);
}

TEST(SeccompListener, IsIdleWithoutANotification) {
    ForkedContainer container(NotifiedCalls::kForks,
                              [](const Inside& inside) { return inside.hear(); });
    EXPECT_EQ(container.listener().poll(0ms).value(), ListenerState::kIdle);
    container.say(7);
    EXPECT_EQ(container.wait_end(), 7);
}

}  // namespace
}  // namespace execseal
