// The hash by which judged and taken arguments are compared: SipHash-2-4 over 256-byte chunks that
// are padded with zeroes, with the length at its end.
#include <gtest/gtest.h>

#include <array>
#include <set>
#include <string>

#include "hook/bpf/programs.h"

namespace execseal {
namespace {

constexpr std::array<std::uint64_t, 2> kKey{0x0706050403020100ULL, 0x0f0e0d0c0b0a0908ULL};

// The reference implementation, by its published rounds, over the padded message and the length.
std::uint64_t by_the_book(const std::string& message) {
    std::uint64_t v0 = kKey[0] ^ 0x736f6d6570736575ULL;
    std::uint64_t v1 = kKey[1] ^ 0x646f72616e646f6dULL;
    std::uint64_t v2 = kKey[0] ^ 0x6c7967656e657261ULL;
    std::uint64_t v3 = kKey[1] ^ 0x7465646279746573ULL;
    const auto rotl = [](std::uint64_t x, int b) { return (x << b) | (x >> (64 - b)); };
    const auto round = [&] {
        v0 += v1;
        v2 += v3;
        v1 = rotl(v1, 13);
        v3 = rotl(v3, 16);
        v1 ^= v0;
        v3 ^= v2;
        v0 = rotl(v0, 32);
        v2 += v1;
        v0 += v3;
        v1 = rotl(v1, 17);
        v3 = rotl(v3, 21);
        v1 ^= v2;
        v3 ^= v0;
        v2 = rotl(v2, 32);
    };
    const auto take = [&](std::uint64_t word) {
        v3 ^= word;
        round();
        round();
        v0 ^= word;
    };
    std::string padded = message;
    padded.resize((message.size() + 255) / 256 * 256);
    for (std::size_t at = 0; at < padded.size(); at += 8) {
        std::uint64_t word = 0;
        for (std::size_t i = 0; i < 8; ++i) {
            word |= static_cast<std::uint64_t>(static_cast<unsigned char>(padded[at + i]))
                    << (8 * i);
        }
        take(word);
    }
    take(message.size());
    v2 ^= 0xff;
    for (int i = 0; i < 4; ++i) {
        round();
    }
    return v0 ^ v1 ^ v2 ^ v3;
}

std::string bytes(std::size_t size) {
    std::string all;
    for (std::size_t i = 0; i < size; ++i) {
        all.push_back(static_cast<char>(i * 7 + 3));
    }
    return all;
}

TEST(BindingHash, IsSipHashOverPaddedChunks) {
    for (const std::size_t size : {0U, 1U, 7U, 8U, 9U, 255U, 256U, 257U, 1000U, 4096U}) {
        EXPECT_EQ(binding_hash(kKey, bytes(size)), by_the_book(bytes(size))) << size;
    }
}

TEST(BindingHash, TwoPiecesAreOneRun) {
    const std::string all = bytes(700);
    for (const std::size_t at : {0U, 1U, 5U, 8U, 250U, 256U, 511U, 699U, 700U}) {
        EXPECT_EQ(binding_hash(kKey, all.substr(0, at), all.substr(at)), binding_hash(kKey, all))
            << at;
    }
}

TEST(BindingHash, NoPaddingStandsForAnything) {
    std::set<std::uint64_t> seen;
    for (std::size_t zeroes = 0; zeroes < 600; ++zeroes) {
        seen.insert(binding_hash(kKey, std::string(zeroes, '\0')));
    }
    EXPECT_EQ(seen.size(), 600U);
    EXPECT_NE(binding_hash(kKey, "a"), binding_hash({1, 2}, "a"));
}

}  // namespace
}  // namespace execseal
