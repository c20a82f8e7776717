// The pure parts around a program: names below a root, id maps, string blocks.
#include <gtest/gtest.h>

#include <array>

#include "hook/exec/facts.h"
#include "hook/exec/flat_message.h"
#include "hook/exec/naming.h"

namespace execseal {
namespace {

TEST(BelowRoot, TakesOffWholeComponentsOnly) {
    EXPECT_EQ(below("/bin/sh", "/"), "/bin/sh");
    EXPECT_EQ(below("/jail/bin/sh", "/jail"), "/bin/sh");
    EXPECT_EQ(below("/jail", "/jail"), "/");
    EXPECT_EQ(below("/jailbreak/bin/sh", "/jail"), std::nullopt);
    EXPECT_EQ(below("/bin/sh", "/jail"), std::nullopt);
}

TEST(IdMap, TurnsOutsideIdsIntoInsideOnes) {
    const auto map =
        IdMap::parse("         0     100000      65536\n     70000  5 1\n", MapReader::kOutside);
    ASSERT_TRUE(map.has_value());
    EXPECT_EQ(map->inside(100000), 0U);
    EXPECT_EQ(map->inside(100999), 999U);
    EXPECT_EQ(map->inside(5), 70000U);
    EXPECT_EQ(map->inside(165536), std::nullopt);
    EXPECT_EQ(map->inside(0), std::nullopt);
    EXPECT_EQ(IdMap::parse("0 0 4294967295\n", MapReader::kOutside)->inside(1234), 1234U);
    EXPECT_EQ(IdMap::parse("", MapReader::kOutside)->inside(0), std::nullopt);
    EXPECT_FALSE(IdMap::parse("0 zero 1\n", MapReader::kOutside).has_value());
}

TEST(IdMap, OfOurOwnNamespaceChangesNothingButKnowsWhatIsNotInIt) {
    const auto map = IdMap::parse("0 1000 1\n1 100000 65536\n", MapReader::kInside);
    ASSERT_TRUE(map.has_value());
    EXPECT_EQ(map->inside(0), 0U);
    EXPECT_EQ(map->inside(1000), 1000U);
    EXPECT_EQ(map->inside(100000), std::nullopt);
}

TEST(StringBlock, SplitsIntoWhatWasAdded) {
    const std::vector<std::string> strings{"a", "", "b c", ""};
    EXPECT_EQ(make_block(strings).split(), strings);
    EXPECT_EQ(make_block(strings).count, 4U);
    EXPECT_TRUE(StringBlock{}.split().empty());
}

TEST(FlatMessage, ComesBackWholeOrSaysThatItDidNot) {
    std::array<std::byte, 64> bytes{};
    const std::span<std::byte> room(bytes);
    FlatWriter out(room);
    out.number(7);
    out.string("bytes");
    ASSERT_TRUE(out.fits());
    FlatReader in(room.first(out.size()));
    EXPECT_EQ(in.number(), 7U);
    EXPECT_EQ(in.string(), "bytes");
    EXPECT_TRUE(in.done());

    FlatReader cut(room.first(out.size() - 1));
    EXPECT_EQ(cut.number(), 7U);
    EXPECT_EQ(cut.string(), "");
    EXPECT_FALSE(cut.done());

    FlatWriter full(room.first(12));
    full.string("more than twelve");
    EXPECT_FALSE(full.fits());
}

}  // namespace
}  // namespace execseal
