// `execseal policy explain`: the way to a verdict, rule by rule.
#include "hook/cli/explain.h"

#include <gtest/gtest.h>

#include <array>
#include <nlohmann/json.hpp>

#include "tests/unit/policy_facts.h"

namespace execseal {
namespace {

using test::exec_of;
using test::policy_of;

Policy policy(const std::string& rules, const std::string& fallback = "allow") {
    auto made = policy_of(rules, fallback);
    EXPECT_TRUE(made.has_value()) << made.error().text();
    return std::move(made).value();
}

constexpr const char* kRules = R"([
    {"id": "git", "verdict": "allow", "exe": "/usr/bin/git", "argv": {"prefix": ["status"]}},
    {"id": "root", "verdict": "deny", "errno": "EPERM", "uid": 0, "via": "exec"},
    {"id": "never", "verdict": "kill", "exe": "/bin/never"}
])";

TEST(Explain, NamesForEachEarlierRuleTheConditionThatFailed) {
    const ExecFacts facts = exec_of("/usr/bin/git", {"push"}, Via::kExec);
    const Explanation explanation = explain(policy(kRules), facts);
    ASSERT_EQ(explanation.rules.size(), 2U);  // what comes after the decision is not asked
    const RuleTrail& git = explanation.rules[0];
    EXPECT_FALSE(git.matches);
    ASSERT_EQ(git.failed.size(), 1U);
    EXPECT_EQ(git.failed[0].wanted, "argv begins with \"status\"");
    EXPECT_EQ(git.failed[0].found, "argv is [\"git\", \"push\"]");
    EXPECT_TRUE(explanation.rules[1].matches);
    EXPECT_EQ(explanation.rules[1].held, (std::vector<std::string>{"uid is 0", "via is exec"}));
    EXPECT_EQ(explanation.judgement.rule, "root");
    EXPECT_EQ(verdict_text(explanation.judgement), "deny (EPERM)");
}

TEST(Explain, TheFirstConditionThatFailsIsTheOneThatIsNamed) {
    ExecFacts facts = exec_of("/bin/sh");
    facts.uid = 7;
    const Explanation explanation = explain(policy(kRules), facts);
    ASSERT_EQ(explanation.rules.size(), 3U);
    EXPECT_EQ(explanation.rules[1].failed[0].wanted, "uid is 0");
    EXPECT_EQ(explanation.rules[1].failed[0].found, "uid is 7");
    EXPECT_EQ(explanation.judgement.rule, "default");
    const std::string text = explanation_text(explanation, facts);
    EXPECT_NE(text.find("  *  default  allow    no rule matches\n"), std::string::npos) << text;
}

TEST(Explain, ARuleThatRefusesIsAskedAboutEveryProgram) {
    ExecFacts facts = exec_of("/app/run.sh");
    facts.views.push_back({ViewRole::kInterpreter, "/bin/bash", {"/bin/bash", "/app/run.sh"}});
    const auto rules = R"([
        {"id": "no-dash", "verdict": "deny", "exe": "/bin/dash"},
        {"id": "ok", "verdict": "allow", "exe": "/bin/ok"},
        {"id": "no-bash", "verdict": "deny", "exe": "/bin/bash"}
    ])";
    const Explanation explanation = explain(policy(rules), facts);
    ASSERT_EQ(explanation.rules.size(), 3U);
    EXPECT_EQ(explanation.rules[0].failed.size(), 2U);
    EXPECT_EQ(explanation.rules[1].failed.size(), 1U);  // what lets pass must fit the program
    EXPECT_TRUE(explanation.rules[2].matches);
    const std::string text = explanation_text(explanation, facts);
    EXPECT_NE(text.find("exe is \"/app/run.sh\" (program)"), std::string::npos) << text;
    EXPECT_NE(text.find("exe is \"/bin/bash\" (interpreter)"), std::string::npos) << text;
    EXPECT_NE(facts_text(facts).find("interpreter /bin/bash /app/run.sh\n"), std::string::npos);
}

// The judge finds its rules through an index, the explanation asks all of them: explain() checks
// that they agree, for every rule of a policy with all kinds of index entries.
TEST(Explain, AgreesWithTheJudgeWhateverTheIndexLeavesOut) {
    std::string rules = "[";
    for (int i = 0; i < 300; ++i) {
        const std::string n = std::to_string(i);
        const std::array<std::string, 4> conditions{
            R"("exe": "/bin/p)" + n + "\"", R"("exe": "/srv/)" + n + "/*\"",
            R"("argv": {"contains": ["word)" + n + "\"]}", R"("uid": )" + n};
        rules.append(R"({"id": "r)").append(n).append(R"(", "verdict": "deny", )");
        rules.append(conditions.at(static_cast<std::size_t>(i) % 4)).append("},");
    }
    rules.back() = ']';
    const Policy many = policy(rules);
    for (int i = 0; i < 300; ++i) {
        const std::string n = std::to_string(i);
        ExecFacts facts = exec_of(i % 4 == 0   ? "/bin/p" + n
                                  : i % 4 == 1 ? "/srv/" + n + "/x"
                                               : std::string("/bin/other"),
                                  {i % 4 == 2 ? "word" + n : std::string("word")});
        facts.uid = i % 4 == 3 ? static_cast<uid_t>(i) : 5000;
        EXPECT_EQ(explain(many, facts).judgement.rule, "r" + n);
    }
}

TEST(Explain, NamesWhatStandsAboveOrSaysThatItIsNotKnown) {
    const Policy below_nginx = policy(R"([
        {"id": "of-nginx", "verdict": "deny", "parent": "/usr/sbin/nginx"}])");
    ExecFacts facts = exec_of("/bin/sh");
    EXPECT_EQ(explain(below_nginx, facts).rules[0].held,
              std::vector<std::string>{R"(parent is not known and may be "/usr/sbin/nginx")"});
    facts.lineage = below({"/usr/sbin/nginx", {}, true}, Lineage::start());
    facts.lineage = below({"/usr/bin/dash", {"/bin/sh"}, true}, facts.lineage);
    facts.lineage.depth = 2;
    EXPECT_NE(facts_text(facts).find("below \"/usr/bin/dash\" < \"/usr/sbin/nginx\", depth 2\n"),
              std::string::npos)
        << facts_text(facts);
    const Explanation explanation = explain(below_nginx, facts);
    ASSERT_EQ(explanation.rules[0].failed.size(), 1U);
    EXPECT_EQ(explanation.rules[0].failed[0].found, R"(parent is "/usr/bin/dash" or "/bin/sh")");
}

TEST(Explain, SaysTheSameInJson) {
    const ExecFacts facts = exec_of("/usr/bin/git", {"push"}, Via::kExec);
    const auto json = explanation_json(explain(policy(kRules), facts), facts);
    EXPECT_EQ(json["verdict"], "deny");
    EXPECT_EQ(json["errno"], "EPERM");
    EXPECT_EQ(json["rule"], "root");
    EXPECT_EQ(json["rules"][0]["failed"][0]["wanted"], "argv begins with \"status\"");
    EXPECT_EQ(json["rules"][1]["conditions"][1], "via is exec");
}

}  // namespace
}  // namespace execseal
