// Explanation: how a policy comes to its verdict on one exec, rule by rule.
//
// Pure. Takes what the judge takes and asks every rule in order, without the judge's index; the
// verdict itself is the judge's own.
#pragma once

#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "config/exec_facts.h"
#include "config/policy.h"
#include "hook/gate/judge.h"

namespace execseal {

// One condition that did not hold, on one program of the exec.
struct FailedCondition {
    std::size_t view = 0;
    std::string wanted;  // exe is "/usr/bin/git"
    std::string found;   // exe is "/bin/sh"
};

// A condition that was asked of one program of the exec.
struct AskedCondition {
    std::size_t view = 0;
    bool holds = false;
    std::string wanted;
    std::string found;
};

struct RuleTrail {
    std::string id;
    std::string description;
    Verdict verdict = Verdict::kDeny;
    bool matches = false;
    std::vector<std::string> held;        // where it matches: all of its conditions
    std::vector<FailedCondition> failed;  // where it does not: the first one on each program
    std::vector<AskedCondition> asked;    // all of them, on each program that the rule looks at
};

struct Explanation {
    std::string policy;
    std::vector<RuleTrail> rules;  // up to the one that decides, or all
    Judgement judgement;           // of this policy alone, in enforce mode
};

Explanation explain(const Policy& policy, const ExecFacts& facts);

// For people, without the exec itself.
std::string explanation_text(const Explanation& explanation, const ExecFacts& facts);
// The same as a tree: each rule with each of its conditions.
std::string explanation_tree(const Explanation& explanation, const ExecFacts& facts);
nlohmann::ordered_json explanation_json(const Explanation& explanation, const ExecFacts& facts);

// `/bin/sh -c id, via exec, uid 0, gid 0, cwd /`, and a line for each further program.
std::string facts_text(const ExecFacts& facts);

// "deny (EACCES)".
std::string verdict_text(const Judgement& judgement);

}  // namespace execseal
