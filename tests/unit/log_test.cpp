#include "hook/os/log.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <string>
#include <vector>

#include "tests/unit/folder_test.h"

namespace execseal {
namespace {

class Log : public FolderTest {
  protected:
    std::vector<std::string> lines() {
        std::ifstream file(directory_ + "/log");
        std::vector<std::string> all;
        for (std::string line; std::getline(file, line);) {
            all.push_back(line);
        }
        return all;
    }
};

// A container with a traced child makes a line with each fork, thousands a second.
TEST_F(Log, AFloodOfOneLevelIsBoundedAndTakesNoRoomFromAnother) {
    ASSERT_TRUE(log_to(directory_ + "/log", LogLevel::kInfo, "test").has_value());
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < 10'000; ++i) {
        log_info("its fork is refused " + std::to_string(i));
    }
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    const auto flooded = lines();
    EXPECT_GE(flooded.size(), 500U) << "the control: the first are there";
    // Two lines a time: what was left out is told of.
    EXPECT_LE(static_cast<double>(flooded.size()), 500 + 2 * (5 * took.count() + 1));
    log_error("the disk is full");
    EXPECT_NE(lines().back().find("the disk is full"), std::string::npos);
}

TEST_F(Log, ALineIsBounded) {
    ASSERT_TRUE(log_to(directory_ + "/log", LogLevel::kInfo, "test").has_value());
    log_warning(std::string(1U << 20U, 'x'));
    ASSERT_EQ(lines().size(), 1U);
    EXPECT_LT(lines()[0].size(), 5000U);
    EXPECT_GT(lines()[0].size(), 4000U);
}

}  // namespace
}  // namespace execseal
