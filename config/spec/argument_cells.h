// argument_cells: which calls the comparisons of a seccomp profile are about.
//
// Takes rules on one call as (comparisons, what they say), gives the same decision as cells that do
// not overlap, so that no order of evaluation matters: libseccomp evaluates the rules of a call in
// an order of its own. Pure.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace execseal {

inline constexpr unsigned kArgumentRegisters = 6;

// SCMP_CMP_...; kMaskedEqual compares (argument & value) with value_two, which lies in value.
enum class CompareOp {
    kMaskedEqual,
    kEqual,
    kNotEqual,
    kLess,
    kLessOrEqual,
    kGreaterOrEqual,
    kGreater
};

struct Comparison {
    unsigned argument = 0;  // below kArgumentRegisters
    CompareOp op = CompareOp::kMaskedEqual;
    std::uint64_t value = 0;
    std::uint64_t value_two = 0;
};

// The calls whose arguments have these bits: (argument & mask) == value, and value lies in mask.
struct ArgumentBits {
    std::uint64_t mask = 0;
    std::uint64_t value = 0;
    friend bool operator==(const ArgumentBits&, const ArgumentBits&) = default;
};

struct ArgumentCell {
    std::array<ArgumentBits, kArgumentRegisters> arguments;
    friend bool operator==(const ArgumentCell&, const ArgumentCell&) = default;
};

// The cell of these comparisons if they are equalities on different arguments; else nullopt.
std::optional<ArgumentCell> cell_of(const std::vector<Comparison>& comparisons);

// How the calls of a cell answer all of `comparisons` together.
enum class Relation { kNone, kSome, kAll };
Relation relation_of(const std::vector<Comparison>& comparisons, const ArgumentCell& cell);

// The bit that a cell is to be split at next, so that `comparisons`, which some of its calls pass,
// become decided: the lowest argument's highest bit first, as libseccomp nests its tests.
struct SplitBit {
    unsigned argument = 0;
    std::uint64_t bit = 0;
};
std::optional<SplitBit> next_split(const std::vector<Comparison>& comparisons,
                                   const ArgumentCell& cell);

}  // namespace execseal
