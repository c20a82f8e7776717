#include "hook/gate/verify.h"

#include <gtest/gtest.h>

#include <array>

namespace execseal {
namespace {

using namespace std::string_literals;

ExpectedExec judged() {
    return {{1, 2}, make_block({"prog", "a", ""}), make_block({"E=1"})};
}
TakenExec taken() {
    return {{1, 2}, "prog\0a\0\0"s, "E=1\0"s};
}

TEST(VerifyComparison, TheSameBytesAndFileAreTheSame) {
    EXPECT_EQ(compare_exec(judged(), taken()).outcome, VerifyOutcome::kSame);
}

TEST(VerifyComparison, NamesTheFirstArgumentThatDiffers) {
    TakenExec other = taken();
    other.argv = "prog\0b\0\0"s;
    const Verification result = compare_exec(judged(), other);
    EXPECT_EQ(result.outcome, VerifyOutcome::kDiffers);
    EXPECT_EQ(result.field, "argv[1]");
    EXPECT_EQ(result.judged, "a");
    EXPECT_EQ(result.taken, "b");
}

TEST(VerifyComparison, SeesShorterLongerAndDifferentlyCutLists) {
    for (const std::string& argv : {"prog\0a\0"s, "prog\0a\0\0\0"s, "prog\0a"s, ""s, "proga\0\0"s,
                                    "prog\0a\0\0x"s, "\0prog\0a\0\0"s}) {
        TakenExec other = taken();
        other.argv = argv;
        EXPECT_EQ(compare_exec(judged(), other).outcome, VerifyOutcome::kDiffers);
    }
}

TEST(VerifyComparison, SeesTheEnvironmentAndTheFile) {
    TakenExec env = taken();
    env.env = "E=1\0LD_PRELOAD=x\0"s;
    EXPECT_EQ(compare_exec(judged(), env).field, "env[1]");
    EXPECT_EQ(compare_exec(judged(), env).taken, "LD_PRELOAD=x");
    TakenExec file = taken();
    file.executable.inode = 3;
    EXPECT_EQ(compare_exec(judged(), file).field, "exe");
}

TEST(VerifyComparison, SeesThePath) {
    ExpectedExec named = judged();
    named.path = "/bin/good";
    TakenExec other = taken();
    other.path = "/bin/evil";
    EXPECT_EQ(compare_exec(named, other).field, "path");
    EXPECT_EQ(compare_exec(named, other).judged, "/bin/good");
    EXPECT_EQ(compare_exec(named, other).taken, "/bin/evil");
    other.path = "/bin/good";
    EXPECT_EQ(compare_exec(named, other).outcome, VerifyOutcome::kSame);
}

// argc, argv, NULL, environment, NULL, as judged() lies on a stack whose strings begin at 0x7000.
constexpr std::array<std::uint64_t, 7> kWords{3, 0x7000, 0x7005, 0x7007, 0, 0x7008, 0};

TEST(VerifyStack, TheKernelsLayoutGivesWhereTheStringsAre) {
    EXPECT_EQ(stack_words(judged()), kWords.size());
    EXPECT_EQ(match_stack_words(judged(), kWords), RemoteAddr{0x7000});
}

TEST(VerifyStack, AnyOtherWordIsNoMatch) {
    for (std::size_t i = 0; i < kWords.size(); ++i) {
        auto words = kWords;
        ++words[i];
        EXPECT_FALSE(match_stack_words(judged(), words)) << i;
    }
}

TEST(VerifyStack, ListsOfAnotherLengthAreNoMatch) {
    const std::span<const std::uint64_t> words = kWords;
    EXPECT_FALSE(match_stack_words(judged(), words.first(6)));
    EXPECT_FALSE(match_stack_words(judged(), {}));
    ExpectedExec more = judged();
    more.argv.add("b");
    EXPECT_FALSE(match_stack_words(more, words));
    EXPECT_FALSE(match_stack_words(ExpectedExec{}, std::array<std::uint64_t, 3>{0, 0, 0}));
}

TEST(VerifyStack, AnEmptyEnvironmentMatches) {
    const ExpectedExec bare{{1, 2}, make_block({""}), {}};
    EXPECT_EQ(match_stack_words(bare, std::array<std::uint64_t, 4>{1, 0x7000, 0, 0}),
              RemoteAddr{0x7000});
}

}  // namespace
}  // namespace execseal
