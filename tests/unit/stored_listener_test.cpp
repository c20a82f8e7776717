#include "hook/agent/stored_listener.h"

#include <gtest/gtest.h>

namespace execseal {
namespace {

TEST(StoredListener, IsReadBackFromItsName) {
    const StoredListener listener{"0123abc", "web", {Tid{4711}, 99}};
    const auto name = name_of_stored(listener);
    ASSERT_TRUE(name.has_value());
    EXPECT_EQ(name->find(':'), std::string::npos) << "sd_notify(3), FDNAME=";
    EXPECT_EQ(parse_stored(*name), listener);
    const StoredListener unknown{"0123abc", "", {}};
    EXPECT_EQ(parse_stored(*name_of_stored(unknown)), unknown);
}

TEST(StoredListener, IsNotStoredWhereTheNameWouldNotDo) {
    EXPECT_FALSE(name_of_stored({"", "web", {}}).has_value());
    EXPECT_FALSE(name_of_stored({"a:b", "web", {}}).has_value());
    EXPECT_FALSE(name_of_stored({"a,b", "web", {}}).has_value());
    EXPECT_FALSE(name_of_stored({"a", std::string(300, 'p'), {}}).has_value());
}

TEST(StoredListener, OtherNamesAreNotOurs) {
    for (const char* name :
         {"", "stored", "a,b", "a,b,1", "a,b,x,1", "a,b,1,", ",b,1,2", "a,b,1,2,3"}) {
        EXPECT_FALSE(parse_stored(name).has_value()) << name;
    }
}

}  // namespace
}  // namespace execseal
