#include "hook/os/result.h"

#include <gtest/gtest.h>

#include <cerrno>

namespace execseal {
namespace {

TEST(Result, HoldsAValueOrAnError) {
    const Result<int> good = 7;
    ASSERT_TRUE(good.has_value());
    EXPECT_EQ(good.value(), 7);

    const Result<int> bad = Error{ENOENT, "open /x"};
    ASSERT_FALSE(bad.has_value());
    EXPECT_EQ(bad.error().code, ENOENT);
}

TEST(Result, TextNamesTheCallAndTheErrno) {
    EXPECT_EQ((Error{ENOENT, "open /x"}.text()), "open /x: No such file or directory");
    EXPECT_EQ(make_error("config.json: /linux: expected an object").text(),
              "config.json: /linux: expected an object");
    EXPECT_EQ(add_context("create", Error{EPERM, "seize"}).text(),
              "create: seize: Operation not permitted");
}

TEST(ResultDeathTest, TakingAValueThatIsNotThereEndsTheProcess) {
    const Result<int> bad = make_error("x");
    EXPECT_DEATH((void)bad.value(), "broken invariant");
}

}  // namespace
}  // namespace execseal
