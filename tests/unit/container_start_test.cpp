#include "hook/exec/container_start.h"

#include <gtest/gtest.h>

namespace execseal {
namespace {

ContainerStart sample() {
    const auto map = [](const char* text) {
        return IdMap::parse(text, MapReader::kOutside).value();
    };
    return {{{1, 2}, {3, 4}, 5, "/srv/root\xff"},
            {{10, "/"}, {11, "/a b\n\x80"}},
            {map("0 100000 65536\n"), map("0 200000 10\n5000 300000 1\n")}};
}

TEST(ContainerStart, IsReadAsItWasWritten) {
    const auto read = unpack_start(pack_start(sample()));
    ASSERT_TRUE(read.has_value()) << read.error().text();
    EXPECT_EQ(read->root, sample().root);
    EXPECT_EQ(read->mounts, sample().mounts);
    EXPECT_EQ(read->maps.uid.inside(100001), 1U);
    EXPECT_EQ(read->maps.gid.inside(300000), 5000U);
    EXPECT_FALSE(read->maps.gid.inside(200010).has_value());
}

TEST(ContainerStart, AnythingElseIsAnError) {
    const std::string whole = pack_start(sample());
    for (std::size_t size = 0; size < whole.size(); ++size) {
        EXPECT_FALSE(unpack_start(whole.substr(0, size)).has_value()) << size;
    }
    EXPECT_FALSE(unpack_start(whole + "x").has_value());
    std::string other = whole;
    other[8] = 'E';
    EXPECT_FALSE(unpack_start(other).has_value());
}

}  // namespace
}  // namespace execseal
