#include "hook/os/task_rights.h"

#include <gtest/gtest.h>

#include <string>

namespace execseal {
namespace {

TEST(TaskRights, ReadsGroupsAndTheSearchingCapabilities) {
    const auto plain = parse_task_rights("Name:\tx\nGroups:\t5 2000 \nCapEff:\t0000000000000000\n");
    ASSERT_TRUE(plain.has_value());
    EXPECT_EQ(plain->groups, (std::vector<gid_t>{5, 2000}));
    EXPECT_FALSE(plain->may_search_all);
    for (const char* sets : {"0000000000000002", "0000000000000004", "000001ffffffffff"}) {
        const auto rights =
            parse_task_rights("Name:\tx\nGroups:\t\nCapEff:\t" + std::string(sets) + "\n");
        ASSERT_TRUE(rights.has_value()) << sets;
        EXPECT_TRUE(rights->may_search_all) << sets;
        EXPECT_TRUE(rights->groups.empty());
    }
    EXPECT_FALSE(parse_task_rights("Name:\tx\nGroups:\t5\n").has_value());
    EXPECT_FALSE(parse_task_rights("Name:\tx\nGroups:\t5\nCapEff:\t\n").has_value());
}

TEST(TaskRights, ReadsTheRangesOfAnIdMap) {
    const auto whole = parse_id_map("         0          0 4294967295\n");
    EXPECT_TRUE(is_in(whole, 0));
    EXPECT_TRUE(is_in(whole, 100000));
    const auto two = parse_id_map("0 1000 1\n1 100000 65536\nnonsense\n");
    ASSERT_EQ(two.size(), 2U);
    EXPECT_TRUE(is_in(two, 1000));
    EXPECT_FALSE(is_in(two, 1001));
    EXPECT_FALSE(is_in(two, 0));
    EXPECT_TRUE(is_in(two, 165535));
    EXPECT_FALSE(is_in(two, 165536));
}

}  // namespace
}  // namespace execseal
