#include "hook/supervisor/verify.h"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace execseal
