#include "hook/exec/arguments.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <random>

#include "tests/unit/fake_memory.h"

namespace execseal {
namespace {

constexpr std::uint64_t kPath = 0x1000;
constexpr std::uint64_t kArgv = 0x2000;
constexpr std::uint64_t kEnvp = 0x3000;
constexpr std::uint64_t kText = 0x100000;

std::optional<std::uint64_t> eight_megabytes(Tid /*tid*/) {
    return 8U << 20U;
}

class ExecRequest : public ::testing::Test {
  protected:
    // Lays strings out one after the other, gives their addresses and the closing null.
    template <class Word>
    std::vector<Word> lay_out(const std::vector<std::string>& strings) {
        std::vector<Word> pointers;
        for (const std::string& string : strings) {
            pointers.push_back(static_cast<Word>(next_));
            memory_.put_string(next_, string);
            next_ += string.size() + 1;
        }
        pointers.push_back(0);
        return pointers;
    }
    void lay_out_request(const std::vector<std::string>& argv,
                         const std::vector<std::string>& env) {
        memory_.put_string(kPath, "/bin/true");
        memory_.put_array(kArgv, lay_out<std::uint64_t>(argv));
        memory_.put_array(kEnvp, lay_out<std::uint64_t>(env));
    }
    ExecCall call() {
        ExecCall call;
        call.path = RemoteAddr{kPath};
        call.argv = RemoteAddr{kArgv};
        call.envp = RemoteAddr{kEnvp};
        call.dirfd = AT_FDCWD;
        return call;
    }
    const ExecSnapshot& read(const ExecCall& call) {
        reader_.read(call, memory_, snapshot_);
        return snapshot_;
    }

    FakeMemory memory_;
    std::uint64_t next_ = kText;
    ExecRequestReader reader_{eight_megabytes};
    ExecSnapshot snapshot_;
};

using Strings = std::vector<std::string>;

TEST_F(ExecRequest, ReadsPathArgvAndEnvironmentAsBytes) {
    const Strings argv{"true", "", "a b", "\xff\xfe"};
    const Strings env{"A=1", "A=2", "no equals sign"};
    lay_out_request(argv, env);
    const ExecSnapshot& got = read(call());
    ASSERT_EQ(got.outcome, SnapshotOutcome::kComplete) << got.reason;
    EXPECT_EQ(got.path, "/bin/true");
    EXPECT_EQ(got.argv.split(), argv);
    EXPECT_EQ(got.env.split(), env);
    EXPECT_EQ(got.env.count, 3U);
}

TEST_F(ExecRequest, ATypicalRequestTakesAHandfulOfReads) {
    Strings argv;
    Strings env;
    for (int i = 0; i < 10; ++i) {
        argv.push_back("argument-" + std::to_string(i));
    }
    for (int i = 0; i < 30; ++i) {
        env.push_back("NAME_" + std::to_string(i) + "=" + std::string(60, 'v'));
    }
    lay_out_request(argv, env);
    ASSERT_EQ(read(call()).outcome, SnapshotOutcome::kComplete);
    EXPECT_LE(memory_.reads, 3);
}

TEST_F(ExecRequest, ANullArgvIsAListOfOneEmptyString) {
    lay_out_request({"x"}, {});
    ExecCall c = call();
    c.argv = RemoteAddr{0};
    c.envp = RemoteAddr{0};
    ASSERT_EQ(read(c).outcome, SnapshotOutcome::kComplete);
    EXPECT_EQ(snapshot_.argv.split(), Strings{""});
    EXPECT_EQ(snapshot_.env.count, 0U);
    memory_.put_array<std::uint64_t>(kArgv, {0});
    ASSERT_EQ(read(call()).outcome, SnapshotOutcome::kComplete);
    EXPECT_EQ(snapshot_.argv.split(), Strings{""});
}

TEST_F(ExecRequest, ReadsPointersOf32BitsForCompatCallers) {
    memory_.put_string(kPath, "/bin/true");
    memory_.put_array(kArgv, lay_out<std::uint32_t>({"one", "two", "three"}));
    memory_.put_array(kEnvp, lay_out<std::uint32_t>({"E=1"}));
    ExecCall c = call();
    c.width = PointerWidth::k32;
    ASSERT_EQ(read(c).outcome, SnapshotOutcome::kComplete);
    EXPECT_EQ(snapshot_.argv.split(), (Strings{"one", "two", "three"}));
    EXPECT_EQ(snapshot_.env.split(), Strings{"E=1"});
}

TEST_F(ExecRequest, APointerMayLieAcrossTwoPages) {
    memory_.put_string(kPath, "/bin/true");
    const std::uint64_t array = 0x5000 - 13;
    memory_.put_array(array, lay_out<std::uint64_t>({"one", "two", "three"}));
    ExecCall c = call();
    c.argv = RemoteAddr{array};
    c.envp = RemoteAddr{0};
    ASSERT_EQ(read(c).outcome, SnapshotOutcome::kComplete);
    EXPECT_EQ(snapshot_.argv.split(), (Strings{"one", "two", "three"}));
}

TEST_F(ExecRequest, AStringThatRunsOffTheMappedPagesIsAFaultNotAShorterString) {
    lay_out_request({"true"}, {});
    // Control: the NUL is the last mapped byte.
    memory_.put_string(0x7000 - 4, "abc");
    memory_.put_array<std::uint64_t>(kArgv, {0x7000 - 4, 0});
    ASSERT_EQ(read(call()).outcome, SnapshotOutcome::kComplete);
    EXPECT_EQ(snapshot_.argv.split(), Strings{"abc"});
    memory_.put(0x7000 - 4, "abcd");
    EXPECT_EQ(read(call()).outcome, SnapshotOutcome::kUnreadable);
    EXPECT_NE(snapshot_.reason.find("0x6ffc"), std::string::npos) << snapshot_.reason;
}

// EFAULT is the kernel's own answer only where it would fail, too.
TEST_F(ExecRequest, WhereNothingIsMappedTheKernelRefuses) {
    memory_.unreadable_is_mapped = false;
    const auto& refused = read(call());
    EXPECT_EQ(refused.outcome, SnapshotOutcome::kRefused);
    EXPECT_EQ(refused.error, EFAULT);
}

TEST_F(ExecRequest, TellsAGoneTaskFromAnUnreadablePage) {
    memory_.failure = ReadOutcome::kGone;
    EXPECT_EQ(read(call()).outcome, SnapshotOutcome::kGone);
    memory_.failure = ReadOutcome::kUnreadable;
    EXPECT_EQ(read(call()).outcome, SnapshotOutcome::kUnreadable);
}

TEST_F(ExecRequest, RefusesAPathOfPathMaxBytes) {
    lay_out_request({"true"}, {});
    memory_.put_string(0x20000, std::string(4095, 'p'));
    ExecCall c = call();
    c.path = RemoteAddr{0x20000};
    EXPECT_EQ(read(c).outcome, SnapshotOutcome::kComplete);
    memory_.put_string(0x20000, std::string(4096, 'p'));
    EXPECT_EQ(read(c).outcome, SnapshotOutcome::kRefused);
    EXPECT_EQ(snapshot_.error, ENAMETOOLONG);
}

TEST_F(ExecRequest, RefusesAStringPastTheKernelsLimitAndTakesOneThatJustFits) {
    lay_out_request({"true", std::string(kMaxArgString - 1, 'x')}, {});
    EXPECT_EQ(read(call()).outcome, SnapshotOutcome::kComplete);
    EXPECT_EQ(snapshot_.argv.bytes.size(), 5 + kMaxArgString);
    lay_out_request({"true", std::string(kMaxArgString, 'x')}, {});
    EXPECT_EQ(read(call()).outcome, SnapshotOutcome::kRefused);
    EXPECT_EQ(snapshot_.error, E2BIG);
}

TEST_F(ExecRequest, TheSumIsBoundByAQuarterOfTheStackLimit) {
    // 8 MiB / 4 = 2 MiB, pointers included: 16 strings of 128 KiB are a little too much.
    const std::string big(kMaxArgString - 1, 'x');
    lay_out_request(Strings(15, big), {});
    EXPECT_EQ(read(call()).outcome, SnapshotOutcome::kComplete);
    lay_out_request(Strings(16, big), {});
    EXPECT_EQ(read(call()).outcome, SnapshotOutcome::kRefused);
    EXPECT_EQ(snapshot_.error, E2BIG);
}

TEST_F(ExecRequest, OneStringNamedAMillionTimesEndsAtTheKernelsLimit) {
    lay_out_request({"true"}, {});
    std::vector<std::uint64_t> pointers(1U << 20U, kPath);
    const std::uint64_t array = 0x10000000;
    memory_.put_array(array, pointers);
    ExecCall c = call();
    c.argv = RemoteAddr{array};
    EXPECT_EQ(read(c).outcome, SnapshotOutcome::kRefused);
    EXPECT_EQ(snapshot_.error, E2BIG);
}

TEST_F(ExecRequest, AnyChangedByteMakesTwoRequestsDiffer) {
    lay_out_request({"true", "a"}, {"E=1"});
    const ExecSnapshot first = read(call());
    EXPECT_TRUE(same_request(first, read(call())));
    lay_out_request({"true", "b"}, {"E=1"});
    EXPECT_FALSE(same_request(first, read(call())));
    // The same bytes cut in other places are another argv.
    lay_out_request({"true", "a", ""}, {"E=1"});
    EXPECT_FALSE(same_request(first, read(call())));
    lay_out_request({"true", "a"}, {"E=2"});
    EXPECT_FALSE(same_request(first, read(call())));
}

// Pointers at page ends, not mapped, of the kernel, wrapping around: never a crash, never a
// complete snapshot that differs from the layout, and the outcome is one of three.
TEST_F(ExecRequest, HostilePointerArraysNeverGiveAWrongSnapshot) {
    std::mt19937_64 random(20240607);
    memory_.put_string(kPath, "/bin/true");
    for (std::uint64_t page = 0; page < 8; ++page) {
        memory_.map(0x40000 + page * 2 * kRemotePage);
    }
    const auto address = [&]() -> std::uint64_t {
        const std::uint64_t page = 0x40000 + (random() % 8) * 2 * kRemotePage;
        switch (random() % 8) {
            case 0:
                return ~std::uint64_t{0} - random() % 16;
            case 1:
                return 0xffff800000000000U + random() % kRemotePage;
            case 2:
                return random();
            case 3:
                return page + kRemotePage - 1 - random() % 3;
            case 4:
                return page + kRemotePage;
            default:
                return page + random() % kRemotePage;
        }
    };
    int complete = 0;
    int unreadable = 0;
    for (int round = 0; round < 3000; ++round) {
        for (std::uint64_t page = 0; page < 8; ++page) {
            const std::uint64_t at = 0x40000 + page * 2 * kRemotePage + random() % kRemotePage;
            memory_.put(at, random() % 2 == 0 ? std::string(1, '\0') : std::string(1, 'x'));
        }
        std::vector<std::uint64_t> pointers;
        Strings expected;
        for (std::uint64_t i = random() % 3; i > 0; --i) {
            pointers.push_back(address());
        }
        if (round % 4 == 0) {
            memory_.put_string(0x60000, "fine");
            pointers.assign(1 + random() % 5, 0x60000);
            expected.assign(pointers.size(), "fine");
        }
        pointers.push_back(0);
        memory_.put_array(0x70000 + kRemotePage - 8 * (1 + random() % 3), std::vector(3, kPath));
        const std::uint64_t array = 0x72000 - 8 * (random() % 4) - random() % 8;
        memory_.put_array(array, pointers);
        ExecCall c = call();
        c.argv = RemoteAddr{array};
        c.envp = RemoteAddr{round % 4 == 0 ? 0 : address()};
        c.width = PointerWidth::k64;
        read(c);
        complete += snapshot_.outcome == SnapshotOutcome::kComplete ? 1 : 0;
        unreadable += snapshot_.outcome == SnapshotOutcome::kUnreadable ? 1 : 0;
        if (round % 4 == 0) {
            ASSERT_EQ(snapshot_.outcome, SnapshotOutcome::kComplete) << snapshot_.reason;
            ASSERT_EQ(snapshot_.argv.split(), expected);
        } else if (snapshot_.outcome == SnapshotOutcome::kComplete) {
            ASSERT_EQ(snapshot_.argv.count, std::max<std::size_t>(pointers.size() - 1, 1));
        }
    }
    EXPECT_GT(complete, 750);
    EXPECT_GT(unreadable, 100);
}

// Not at the end of a batch: 40 strings of 100 KB stand in one.
TEST_F(ExecRequest, ReadsHardlyMoreThanItsLimit) {
    lay_out_request(Strings(40, std::string(100'000, 'x')), {});
    reader_.set_limit(150'000);
    EXPECT_EQ(read(call()).outcome, SnapshotOutcome::kLarge);
    EXPECT_LT(snapshot_.argv.bytes.size(), 250'000U);
    reader_.set_limit(kMaxArgTotal);
    EXPECT_EQ(read(call()).outcome, SnapshotOutcome::kRefused) << "8 MiB of stack give 2 MiB";
    reader_.set_limit(5'000'000);
    lay_out_request({"true", "x"}, {});
    EXPECT_EQ(read(call()).outcome, SnapshotOutcome::kComplete);
}

// Path, pointers and strings: who may write there decides whom the exec has to stop.
TEST_F(ExecRequest, SaysWhetherAnyOfItsPagesIsShared) {
    lay_out_request({"true", "x"}, {"A=b"});
    EXPECT_FALSE(read(call()).in_shared_pages);
    EXPECT_EQ(memory_.asked_for,
              (std::vector<std::uint64_t>{kPath / kRemotePage, kArgv / kRemotePage,
                                          kEnvp / kRemotePage, kText / kRemotePage}));
    for (const std::uint64_t address : {kPath, kArgv, kEnvp, kText}) {
        memory_.shared_pages = {address / kRemotePage};
        EXPECT_TRUE(read(call()).in_shared_pages) << address;
    }
    memory_.shared_pages = {kText / kRemotePage + 1};  // not one of its own
    EXPECT_FALSE(read(call()).in_shared_pages);
}

}  // namespace
}  // namespace execseal
