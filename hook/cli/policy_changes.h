// PolicyChanges: what another policy would change of a recording, grouped by its rules.
//
// Takes recorded execs one by one, keeps counts and an example of each kind of change. What a
// record does not tell is counted apart and never guessed. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "hook/cli/recorded_judge.h"

namespace execseal {

class PolicyChanges {
  public:
    // `other` is what to compare with; null: what was recorded. All outlive this.
    PolicyChanges(const RecordedJudge& judge, const RecordedJudge* other)
        : judge_(judge), other_(other) {}

    // `group`: execs of one group get one answer, the first one's; 0: of none.
    void take(const RecordedExec& exec, std::size_t group = 0);
    // The same for many execs of no group, which several threads look at.
    void take_batch(std::span<const RecordedExec* const> execs);

    struct Change {
        std::uint64_t count = 0;
        std::string reason;    // of the first
        std::string old_rule;  // of the first
        RecordedExec example;
    };
    // "allow", "deny", "deny default"; "?" stands for what cannot be told.
    struct Kind {
        std::string before;
        std::string after;
        std::string rule;  // that decides now
        auto operator<=>(const Kind&) const = default;
    };
    [[nodiscard]] const std::map<Kind, Change>& changes() const { return changes_; }
    [[nodiscard]] std::uint64_t judged() const { return judged_; }
    [[nodiscard]] std::uint64_t changed() const { return changed_; }
    [[nodiscard]] std::uint64_t unknown() const { return unknown_; }
    // By the rule of the event: what no policy decides.
    [[nodiscard]] const std::map<std::string, std::uint64_t>& not_judged() const {
        return not_judged_;
    }

  private:
    enum class What { kNotJudged, kSame, kChanged, kUnknown };
    struct Answer {
        What what = What::kNotJudged;
        Kind kind{};
        std::string reason{};
        std::string old_rule{};
    };
    [[nodiscard]] Answer answer_to(const RecordedExec& exec) const;
    void count(const RecordedExec& exec, const Answer& answer);

    const RecordedJudge& judge_;
    const RecordedJudge* other_;
    std::vector<std::optional<Answer>> answers_;  // by group
    std::map<Kind, Change> changes_;
    std::map<std::string, std::uint64_t> not_judged_;
    std::uint64_t judged_ = 0;
    std::uint64_t changed_ = 0;
    std::uint64_t unknown_ = 0;
};

std::string changes_text(const PolicyChanges& changes, std::size_t columns);
nlohmann::ordered_json changes_json(const PolicyChanges& changes);

}  // namespace execseal
