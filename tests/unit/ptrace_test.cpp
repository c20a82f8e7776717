#include "hook/os/ptrace.h"

#include <gtest/gtest.h>
#include <sys/ptrace.h>

#include <csignal>

namespace execseal {
namespace {

int stopped(int signal, int event = 0) {
    return event << 16 | signal << 8 | 0x7f;
}

template <class T>
T decoded(int status) {
    const Stop stop = decode_wait_status(status);
    EXPECT_TRUE(std::holds_alternative<T>(stop)) << stop.index();
    return std::holds_alternative<T>(stop) ? std::get<T>(stop) : T{};
}

TEST(DecodeWaitStatus, TellsExitFromKill) {
    EXPECT_EQ(decoded<stop::Exited>(3 << 8).code, 3);
    EXPECT_EQ(decoded<stop::Killed>(SIGKILL).signal, SIGKILL);
    EXPECT_EQ(decoded<stop::Killed>(SIGSEGV | 0x80).signal, SIGSEGV);  // with a core
}

TEST(DecodeWaitStatus, TellsAStopSignalOnItsWayFromTheGroupStopThatItMakes) {
    EXPECT_EQ(decoded<stop::Signal>(stopped(SIGSTOP)).signal, SIGSTOP);
    EXPECT_EQ(decoded<stop::Group>(stopped(SIGSTOP, PTRACE_EVENT_STOP)).signal, SIGSTOP);
    EXPECT_EQ(decoded<stop::Group>(stopped(SIGTTIN, PTRACE_EVENT_STOP)).signal, SIGTTIN);
}

TEST(DecodeWaitStatus, TellsASigtrapFromAnInterrupt) {
    EXPECT_EQ(decoded<stop::Signal>(stopped(SIGTRAP)).signal, SIGTRAP);
    (void)decoded<stop::Trap>(stopped(SIGTRAP, PTRACE_EVENT_STOP));
}

TEST(DecodeWaitStatus, NamesEachEvent) {
    const auto kind = [](int event) { return decoded<stop::Event>(stopped(SIGTRAP, event)).kind; };
    EXPECT_EQ(kind(PTRACE_EVENT_FORK), stop::EventKind::kFork);
    EXPECT_EQ(kind(PTRACE_EVENT_VFORK), stop::EventKind::kVfork);
    EXPECT_EQ(kind(PTRACE_EVENT_CLONE), stop::EventKind::kClone);
    EXPECT_EQ(kind(PTRACE_EVENT_VFORK_DONE), stop::EventKind::kVforkDone);
    EXPECT_EQ(kind(PTRACE_EVENT_EXEC), stop::EventKind::kExec);
    EXPECT_EQ(kind(PTRACE_EVENT_EXIT), stop::EventKind::kExit);
    EXPECT_EQ(kind(PTRACE_EVENT_SECCOMP), stop::EventKind::kOther);
}

TEST(Stop, OnlyTheForkFamilyIsABirth) {
    EXPECT_TRUE(is_birth(stop::Event{stop::EventKind::kFork, 1}));
    EXPECT_TRUE(is_birth(stop::Event{stop::EventKind::kVfork, 1}));
    EXPECT_TRUE(is_birth(stop::Event{stop::EventKind::kClone, 1}));
    EXPECT_FALSE(is_birth(stop::Event{stop::EventKind::kExec, 1}));
    EXPECT_FALSE(is_birth(stop::Trap{}));
}

TEST(Stop, GoneIsAnEndLikeExitAndKill) {
    EXPECT_TRUE(is_end(stop::Gone{}));
    EXPECT_TRUE(is_end(stop::Exited{0}));
    EXPECT_TRUE(is_end(stop::Killed{9}));
    EXPECT_FALSE(is_end(stop::Group{SIGSTOP}));
}

}  // namespace
}  // namespace execseal
