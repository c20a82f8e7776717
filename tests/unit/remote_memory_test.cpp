#include "hook/os/remote_memory.h"

#include <gtest/gtest.h>

#include "tests/unit/fake_memory.h"

namespace execseal {
namespace {

TEST(PageCache, ReadsARunOfNeighboursInOneCall) {
    FakeMemory memory;
    for (std::uint64_t page = 0x10; page < 0x18; ++page) {
        memory.put(page * kRemotePage, "x");
    }
    PageCache cache;
    cache.reset(memory);
    const std::vector<std::uint64_t> addresses{0x12008, 0x11000, 0x10ff0, 0x12fff, 0x16000};
    cache.fetch(addresses);
    EXPECT_EQ(memory.reads, 2);
    EXPECT_EQ(cache.bytes_at(0x12ffe).size(), 2U);
    EXPECT_EQ(static_cast<char>(cache.bytes_at(0x16000)[0]), 'x');
    EXPECT_EQ(memory.reads, 2);
}

TEST(PageCache, OneHoleDoesNotHideThePagesAroundIt) {
    FakeMemory memory;
    memory.put(0x10000, "a");
    memory.put(0x12000, "c");
    PageCache cache;
    cache.reset(memory);
    const std::vector<std::uint64_t> addresses{0x10000, 0x11000, 0x12000};
    cache.fetch(addresses);
    EXPECT_EQ(static_cast<char>(cache.bytes_at(0x10000)[0]), 'a');
    EXPECT_EQ(static_cast<char>(cache.bytes_at(0x12000)[0]), 'c');
    EXPECT_EQ(cache.outcome(), ReadOutcome::kComplete);
    EXPECT_TRUE(cache.bytes_at(0x11fff).empty());
    EXPECT_EQ(cache.outcome(), ReadOutcome::kUnreadable);
}

TEST(PageCache, PastItsCapacityItForgetsAndReadsAgain) {
    FakeMemory memory;
    std::vector<std::uint64_t> addresses;
    for (std::uint64_t i = 0; i < PageCache::kCapacity; ++i) {
        addresses.push_back((0x1000 + 2 * i) * kRemotePage);
        memory.put(addresses.back(), std::string(1, static_cast<char>('a' + i % 26)));
    }
    memory.put(0x8000, "z");
    PageCache cache;
    cache.reset(memory);
    cache.fetch(addresses);
    EXPECT_EQ(static_cast<char>(cache.bytes_at(0x8000)[0]), 'z');
    EXPECT_EQ(static_cast<char>(cache.bytes_at(addresses[27])[0]), 'b');
}

}  // namespace
}  // namespace execseal
