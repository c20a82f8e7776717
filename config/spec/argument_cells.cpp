#include "config/spec/argument_cells.h"

#include <algorithm>
#include <bit>

namespace execseal {
namespace {

constexpr std::uint64_t kAllBits = ~std::uint64_t{0};

Relation from_bounds(bool all, bool none) {
    if (all) {
        return Relation::kAll;
    }
    return none ? Relation::kNone : Relation::kSome;
}

Relation opposite(Relation relation) {
    switch (relation) {
        case Relation::kNone:
            return Relation::kAll;
        case Relation::kSome:
            return Relation::kSome;
        case Relation::kAll:
            return Relation::kNone;
    }
    return Relation::kSome;
}

Relation masked(std::uint64_t mask, std::uint64_t value, const ArgumentBits& bits) {
    if (((bits.value ^ value) & mask & bits.mask) != 0) {
        return Relation::kNone;
    }
    return (mask & ~bits.mask) == 0 ? Relation::kAll : Relation::kSome;
}

Relation relation_of(const Comparison& comparison, const ArgumentCell& cell) {
    const ArgumentBits& bits = cell.arguments[comparison.argument];
    const std::uint64_t least = bits.value;
    const std::uint64_t most = bits.value | ~bits.mask;
    switch (comparison.op) {
        case CompareOp::kMaskedEqual:
            return masked(comparison.value, comparison.value_two, bits);
        case CompareOp::kEqual:
            return masked(kAllBits, comparison.value, bits);
        case CompareOp::kNotEqual:
            return opposite(masked(kAllBits, comparison.value, bits));
        case CompareOp::kLess:
            return from_bounds(most < comparison.value, least >= comparison.value);
        case CompareOp::kLessOrEqual:
            return from_bounds(most <= comparison.value, least > comparison.value);
        case CompareOp::kGreaterOrEqual:
            return from_bounds(least >= comparison.value, most < comparison.value);
        case CompareOp::kGreater:
            return from_bounds(least > comparison.value, most <= comparison.value);
    }
    return Relation::kSome;
}

}  // namespace

std::optional<ArgumentCell> cell_of(const std::vector<Comparison>& comparisons) {
    ArgumentCell cell;
    for (const Comparison& comparison : comparisons) {
        ArgumentBits& bits = cell.arguments[comparison.argument];
        if (bits.mask != 0) {
            return std::nullopt;
        }
        if (comparison.op == CompareOp::kEqual) {
            bits = {kAllBits, comparison.value};
        } else if (comparison.op == CompareOp::kMaskedEqual) {
            bits = {comparison.value, comparison.value_two};
        } else {
            return std::nullopt;
        }
    }
    return cell;
}

Relation relation_of(const std::vector<Comparison>& comparisons, const ArgumentCell& cell) {
    Relation together = Relation::kAll;
    for (const Comparison& comparison : comparisons) {
        together = std::min(together, relation_of(comparison, cell));
    }
    return together;
}

std::optional<SplitBit> next_split(const std::vector<Comparison>& comparisons,
                                   const ArgumentCell& cell) {
    std::optional<SplitBit> first;
    for (const Comparison& comparison : comparisons) {
        if (relation_of(comparison, cell) != Relation::kSome) {
            continue;
        }
        const std::uint64_t compared =
            comparison.op == CompareOp::kMaskedEqual ? comparison.value : kAllBits;
        // Some calls pass and some do not, so a bit that is compared is open.
        const std::uint64_t open = compared & ~cell.arguments[comparison.argument].mask;
        const SplitBit split{comparison.argument, std::bit_floor(open)};
        if (!first || split.argument < first->argument ||
            (split.argument == first->argument && split.bit > first->bit)) {
            first = split;
        }
    }
    return first;
}

}  // namespace execseal
