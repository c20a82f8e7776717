#include "hook/exec/fs_sharers.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

namespace execseal {
namespace {

TEST(FsSharers, NobodyIsSuspectUntilSomebodyHasUsedTheFlag) {
    FsSharers sharers;
    EXPECT_TRUE(sharers.empty());
    EXPECT_FALSE(sharers.suspects(Tgid{7}).has_value());
    EXPECT_EQ(sharers.last_of(Tgid{7}), 0U);
}

TEST(FsSharers, MakerAndChildSuspectEachOther) {
    FsSharers sharers;
    sharers.begun(Tgid{7});
    ASSERT_TRUE(sharers.suspects(Tgid{7}).has_value());
    EXPECT_TRUE(sharers.suspects(Tgid{7})->in_flight);
    sharers.ended(Tgid{7}, Tgid{8});
    EXPECT_FALSE(sharers.suspects(Tgid{7})->in_flight);
    EXPECT_EQ(sharers.suspects(Tgid{7})->others, std::vector<Tgid>{Tgid{8}});
    EXPECT_EQ(sharers.suspects(Tgid{8})->others, std::vector<Tgid>{Tgid{7}});
    EXPECT_FALSE(sharers.suspects(Tgid{9}).has_value());
}

TEST(FsSharers, ALaterCallOfTheProcessIsSeen) {
    FsSharers sharers;
    sharers.begun(Tgid{7});
    sharers.ended(Tgid{7}, Tgid{8});
    const std::uint64_t studied = sharers.serial();
    sharers.begun(Tgid{1});
    EXPECT_LE(sharers.last_of(Tgid{7}), studied);
    sharers.begun(Tgid{7});
    EXPECT_GT(sharers.last_of(Tgid{7}), studied);
    sharers.ended(Tgid{7}, Tgid{});
    EXPECT_FALSE(sharers.suspects(Tgid{7})->in_flight);
}

// A child that sleeps, made with these flags.
class Sleeper {
  public:
    explicit Sleeper(int flags) {
        pid_ = ::clone(
            [](void*) {
                for (;;) {
                    (void)::pause();
                }
                return 0;
            },
            stack_ + sizeof stack_, flags | SIGCHLD, nullptr);
    }
    Sleeper(const Sleeper&) = delete;
    Sleeper& operator=(const Sleeper&) = delete;
    Sleeper(Sleeper&&) = delete;
    Sleeper& operator=(Sleeper&&) = delete;
    ~Sleeper() {
        (void)::kill(pid_, SIGKILL);
        (void)::waitpid(pid_, nullptr, 0);
    }
    [[nodiscard]] Tgid process() const { return Tgid{pid_}; }

  private:
    alignas(64) char stack_[64 << 10] = {};
    pid_t pid_ = 0;
};

TEST(FsSharers, TheKernelSaysWhoStillShares) {
    const Tid self{::getpid()};
    const Sleeper plain(0);
    const Sleeper sharer(CLONE_FS);
    ASSERT_GT(plain.process().value, 0);
    ASSERT_GT(sharer.process().value, 0);
    const auto none = find_fs_sharer(self, {plain.process()});
    ASSERT_TRUE(none.has_value()) << none.error().text();
    EXPECT_FALSE(none->has_value());
    const auto found = find_fs_sharer(self, {plain.process(), sharer.process()});
    ASSERT_TRUE(found.has_value()) << found.error().text();
    EXPECT_EQ(*found, sharer.process());
}

TEST(FsSharers, AllOfThemAreFoundAnew) {
    const Tgid self{::getpid()};
    const Sleeper plain(0);
    const auto none = find_all_sharers({self, plain.process()}, std::chrono::seconds(30));
    ASSERT_TRUE(none.has_value()) << none.error().text();
    EXPECT_TRUE(none->empty());
    const Sleeper sharer(CLONE_FS);
    const auto both =
        find_all_sharers({self, plain.process(), sharer.process()}, std::chrono::seconds(30));
    ASSERT_TRUE(both.has_value()) << both.error().text();
    EXPECT_EQ(both->size(), 2U);
    EXPECT_NE(std::find(both->begin(), both->end(), self), both->end());
    EXPECT_NE(std::find(both->begin(), both->end(), sharer.process()), both->end());
}

TEST(FsSharers, OneThatHasEndedSharesNothing) {
    Tgid ended;
    {
        const Sleeper sharer(CLONE_FS);
        ended = sharer.process();
    }
    const auto found = find_fs_sharer(Tid{::getpid()}, {ended});
    ASSERT_TRUE(found.has_value()) << found.error().text();
    EXPECT_FALSE(found->has_value());
}

}  // namespace
}  // namespace execseal
