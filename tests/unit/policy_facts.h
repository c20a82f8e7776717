// Short ways to write an exec down and to have it judged, for the policy tests.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "hook/gate/judge.h"

namespace execseal::test {

// argv[0] is the last component of `exe`.
inline ExecFacts exec_of(const std::string& exe, std::vector<std::string> arguments = {},
                         Via via = Via::kChild) {
    ExecFacts facts;
    arguments.insert(arguments.begin(), exe.substr(exe.rfind('/') + 1));
    facts.views.push_back({ViewRole::kProgram, exe, std::move(arguments)});
    facts.requested_path = exe;
    facts.env = {"PATH=/usr/bin:/bin"};
    facts.cwd = "/";
    facts.via = via;
    return facts;
}

// A policy of these rules (JSON array text).
inline Result<Policy> policy_of(const std::string& rules, const std::string& fallback = "allow") {
    return Policy::parse(R"({"apiVersion": "execseal/v1", "name": "t", "default": ")" + fallback +
                             R"(", "rules": )" + rules + "}",
                         "t.json");
}

// "verdict rule", e.g. "deny no-push", "allow default".
inline std::string verdict_of(const Policy& policy, const ExecFacts& facts) {
    const Judgement judgement = judge(policy, facts);
    return std::string(verdict_name(judgement.verdict)) + " " + judgement.rule;
}

// One rule `r` with these conditions (JSON members) refuses, everything else passes: does it match?
inline bool refuses(const std::string& conditions, const ExecFacts& facts) {
    const auto policy = policy_of(R"([{"id": "r", "verdict": "deny", )" + conditions + "}]");
    EXPECT_TRUE(policy.has_value()) << conditions << ": " << policy.error().text();
    return policy && judge(*policy, facts).verdict == Verdict::kDeny;
}

// The same for a rule that lets pass where everything else is refused.
inline bool passes(const std::string& conditions, const ExecFacts& facts) {
    const auto policy =
        policy_of(R"([{"id": "r", "verdict": "allow", )" + conditions + "}]", "deny");
    EXPECT_TRUE(policy.has_value()) << conditions << ": " << policy.error().text();
    return policy && judge(*policy, facts).verdict == Verdict::kAllow;
}

// The loader's answer to one rule that refuses with these conditions, without the file's name.
inline std::string refusal(const std::string& conditions, const std::string& verdict = "deny") {
    const auto policy =
        policy_of(R"([{"id": "r", "verdict": ")" + verdict + "\", " + conditions + "}]");
    return policy ? "(accepted)" : policy.error().text().substr(8);
}

}  // namespace execseal::test
