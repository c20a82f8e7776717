// `execseal why`: how one recorded decision came about, and what would let exactly this pass.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "config/policy.h"
#include "hook/cli/recordings.h"
#include "hook/cli/table.h"
#include "hook/os/result.h"

namespace execseal {

struct WhyCommand {
    std::string id;        // of the event; empty: the last denial
    RecordingQuery query;  // one file at most
    Format format = Format::kTable;
};

// 1: there is no such event, or failure.
Result<int> run_why(const WhyCommand& command);

struct SmallestRule {
    nlohmann::ordered_json rule;
    std::string before;  // the rule in front of which it belongs; empty: at the end
};

// The rule with which `policy` lets this exec pass and nothing that differs from it. nullopt, and
// why in `obstacle`: no rule can say that.
std::optional<SmallestRule> smallest_rule(const Policy& policy, const RecordedExec& exec,
                                          std::string& obstacle);

// What a rule that is not of a policy means ("kernel": ...); empty for any other.
std::string built_in_meaning(std::string_view rule);

}  // namespace execseal
