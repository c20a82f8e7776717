// RuleIndex: which rules can match an exec at all, found in a time that hardly grows with the
// policy.
//
// A rule is found through its literal paths (a hash map), an argument that it cannot do without (a
// hash map), its path globs (one RE2::Set), a pattern that some argument must match (another), or
// else it is always a candidate. It only ever leaves out rules that cannot match; the judge still
// asks the candidates all their conditions.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "config/exec_facts.h"

namespace re2 {
class RE2;
}

namespace execseal {

struct CompiledRule;
class PatternSet;

class RuleIndex {
  public:
    using RuleNumber = std::uint32_t;
    struct TextHash {
        using is_transparent = void;
        std::size_t operator()(std::string_view text) const noexcept {
            return std::hash<std::string_view>{}(text);
        }
    };
    using ByText =
        std::unordered_map<std::string, std::vector<RuleNumber>, TextHash, std::equal_to<>>;

    RuleIndex();
    RuleIndex(RuleIndex&&) noexcept;
    RuleIndex& operator=(RuleIndex&&) noexcept;
    RuleIndex(const RuleIndex&) = delete;
    RuleIndex& operator=(const RuleIndex&) = delete;
    ~RuleIndex();

    void build(std::span<const CompiledRule> rules);

  private:
    friend class RuleCandidates;

    void add(const CompiledRule& rule, RuleNumber number);

    ByText by_exe_;
    ByText by_argument_;
    std::size_t longest_argument_ = 0;
    std::vector<RuleNumber> always_;
    std::unique_ptr<PatternSet> exe_globs_;
    std::unique_ptr<PatternSet> argument_regexes_;
};

// The candidates of one exec, in the policy's order, each once.
class RuleCandidates {
  public:
    RuleCandidates(const RuleIndex& index, const ExecFacts& facts);
    [[nodiscard]] std::optional<RuleIndex::RuleNumber> next();

  private:
    void add(const RuleIndex::ByText& map, std::string_view key);
    void add(std::span<const RuleIndex::RuleNumber> rules);

    std::vector<std::span<const RuleIndex::RuleNumber>> lists_;
    std::vector<std::vector<RuleIndex::RuleNumber>> owned_;
};

}  // namespace execseal
