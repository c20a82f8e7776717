#include "hook/gate/judge.h"

#include <gtest/gtest.h>

#include <random>

#include "config/policy_rules.h"
#include "tests/unit/policy_facts.h"

namespace execseal {
namespace {

using test::exec_of;
using test::policy_of;
using test::verdict_of;

ExecFacts script(const std::string& path, const std::string& interpreter) {
    ExecFacts facts = exec_of(path, {"a"});
    facts.views.push_back({ViewRole::kInterpreter, interpreter, {interpreter, path, "a"}});
    return facts;
}

TEST(Judge, TheFirstRuleThatMatchesDecides) {
    const auto policy = policy_of(R"([
        {"id": "push", "verdict": "deny", "errno": "EPERM", "exe": "/usr/bin/git", "argv": {"contains": ["push"]}},
        {"id": "git", "verdict": "allow", "exe": "/usr/bin/git"},
        {"id": "bin", "verdict": "audit", "exe": "/usr/bin/*"},
        {"id": "late", "verdict": "allow", "exe": "/usr/bin/ls"},
        {"id": "boom", "verdict": "kill", "argv": {"contains": ["--boom"]}}])",
                                  "deny");
    ASSERT_TRUE(policy.has_value()) << policy.error().text();
    EXPECT_EQ(verdict_of(*policy, exec_of("/usr/bin/git", {"push"})), "deny push");
    EXPECT_EQ(judge(*policy, exec_of("/usr/bin/git", {"push"})).deny_errno, EPERM);
    EXPECT_EQ(verdict_of(*policy, exec_of("/usr/bin/git", {"status"})), "allow git");
    EXPECT_EQ(verdict_of(*policy, exec_of("/usr/bin/ls")), "audit bin");
    EXPECT_EQ(verdict_of(*policy, exec_of("/bin/ls", {"--boom"})), "kill boom");
    EXPECT_EQ(verdict_of(*policy, exec_of("/bin/ls")), "deny default");
    EXPECT_EQ(judge(*policy, exec_of("/bin/ls")).deny_errno, EACCES);
    EXPECT_EQ(judge(*policy, exec_of("/usr/bin/ls")).deny_errno, 0);
}

TEST(Judge, SaysWhichConditionsMatched) {
    const auto policy = policy_of(R"([
        {"id": "no-push", "verdict": "deny", "exe": "/usr/bin/git", "argv": {"contains": ["push"]}},
        {"id": "tools", "verdict": "deny", "exe": ["/opt/*", "/usr/sbin/*"], "uid": 0}])");
    EXPECT_EQ(judge(*policy, exec_of("/usr/bin/git", {"push"})).reason,
              "rule no-push: exe is \"/usr/bin/git\", argv contains \"push\"");
    EXPECT_EQ(judge(*policy, exec_of("/usr/sbin/x")).reason,
              "rule tools: exe \"/usr/sbin/x\" matches \"/usr/sbin/*\", uid is 0");
    EXPECT_EQ(judge(*policy, exec_of("/bin/ls")).reason, "no rule matches, the default is allow");
}

TEST(Judge, TheReasonIsOneLineWhateverTheBytes) {
    const auto policy =
        policy_of(R"([{"id": "r", "verdict": "deny", "argv": {"any": [{"regex": "x"}]}}])");
    EXPECT_EQ(
        judge(*policy, exec_of("/bin/a", {"x\n\xff\"" + std::string(500, 'y')})).reason,
        "rule r: argv contains \"x\\x0a\\xff\\\"" + std::string(156, 'y') + "\"... (504 bytes)");
}

TEST(Judge, ADenialSeesEveryProgramThatWouldRun) {
    const auto policy = policy_of(R"([{"id": "sh", "verdict": "deny", "exe": "/bin/sh"}])");
    EXPECT_EQ(verdict_of(*policy, script("/app/run", "/bin/sh")), "deny sh");
    EXPECT_EQ(judge(*policy, script("/app/run", "/bin/sh")).reason,
              "rule sh: exe is \"/bin/sh\" (on its interpreter \"/bin/sh\")");
    EXPECT_EQ(verdict_of(*policy, script("/app/run", "/bin/lua")), "allow default");
}

TEST(Judge, AnAllowanceSeesTheProgramOnly) {
    const auto policy =
        policy_of(R"([{"id": "sh", "verdict": "allow", "exe": "/bin/sh"}])", "deny");
    EXPECT_EQ(verdict_of(*policy, script("/app/run", "/bin/sh")), "deny default");
    EXPECT_EQ(verdict_of(*policy, exec_of("/bin/sh")), "allow sh");
}

TEST(Judge, AnAllowanceMustMatchAllThatMayRunInstead) {
    const auto policy = policy_of(
        R"([{"id": "lib", "verdict": "allow", "exe": "/usr/lib/**"},
            {"id": "all", "verdict": "audit", "exe": ["/usr/lib/**", "/usr/bin/**"]}])",
        "deny");
    for (const ViewRole role : {ViewRole::kPossible, ViewRole::kElfInterpreter}) {
        ExecFacts facts = exec_of("/usr/lib/ld.so", {"/tmp/x"});
        EXPECT_EQ(verdict_of(*policy, facts), "allow lib");
        facts.views.push_back({role, "/tmp/x", {"/tmp/x"}});
        EXPECT_EQ(verdict_of(*policy, facts), "deny default");
        facts.views[1].exe = "/usr/bin/x";
        EXPECT_EQ(verdict_of(*policy, facts), "audit all");
        facts.views.push_back({ViewRole::kPossible, "/tmp/y", {"/tmp/y"}});
        EXPECT_EQ(verdict_of(*policy, facts), "deny default");
    }
}

TEST(Judge, ADenialSeesEveryName) {
    const auto policy = policy_of(R"([
        {"id": "git", "verdict": "deny", "exe": "/usr/bin/git"},
        {"id": "sh", "verdict": "kill", "exe": "**/sh"},
        {"id": "not", "verdict": "deny", "uid": 7, "not": {"exe": "/usr/bin/*"}}])");
    ExecFacts facts = exec_of("/usr/bin/dash");
    EXPECT_EQ(verdict_of(*policy, facts), "allow default");
    facts.views[0].names = {"/bin/sh"};
    EXPECT_EQ(verdict_of(*policy, facts), "kill sh");
    EXPECT_EQ(judge(*policy, facts).reason,
              "rule sh: exe \"/bin/sh\" matches \"**/sh\" (a name of \"/usr/bin/dash\")");
    facts = exec_of("other-mounts:/usr/bin/git");
    facts.views[0].names = {"/usr/bin/git"};
    EXPECT_EQ(verdict_of(*policy, facts), "deny git");
    EXPECT_NE(judge(*policy, facts).reason.find("a mount that the container did not start with"),
              std::string::npos);
    // The name in a negation lets pass: only the one that is sure counts.
    facts = exec_of("/tmp/x");
    facts.views[0].names = {"/usr/bin/x"};
    EXPECT_EQ(verdict_of(*policy, facts), "allow default");
    facts.uid = 7;
    EXPECT_EQ(verdict_of(*policy, facts), "deny not");
}

TEST(Judge, AnAllowanceSeesOnlyTheNameThatIsSure) {
    const auto policy = policy_of(R"([
        {"id": "sh", "verdict": "allow", "exe": "/bin/sh"},
        {"id": "by-uid", "verdict": "audit", "uid": 7},
        {"id": "script", "verdict": "allow", "exe": "/image/run"}])",
                                  "deny");
    ExecFacts facts = exec_of("/tmp/x");
    facts.views[0].names = {"/bin/sh"};
    EXPECT_EQ(verdict_of(*policy, facts), "deny default");
    facts = exec_of("/image/run");
    EXPECT_EQ(verdict_of(*policy, facts), "allow script");
    facts.views[0].loose_link = "/tmp/l";
    EXPECT_EQ(verdict_of(*policy, facts), "deny default");
    EXPECT_NE(judge(*policy, facts).reason.find("the link \"/tmp/l\" can be changed"),
              std::string::npos);
    facts.uid = 7;
    EXPECT_EQ(verdict_of(*policy, facts), "audit by-uid");
}

TEST(Judge, ConditionsOfARuleHoldOnOneAndTheSameView) {
    const auto policy = policy_of(
        R"([{"id": "r", "verdict": "deny", "exe": "/bin/sh", "argv": {"exact": ["a"]}}])");
    // The script has the argv, its interpreter the exe.
    EXPECT_EQ(verdict_of(*policy, script("/app/run", "/bin/sh")), "allow default");
    EXPECT_EQ(verdict_of(*policy, exec_of("/bin/sh", {"a"})), "deny r");
}

TEST(Judge, RefusesWhenThereIsNothingToJudge) {
    const auto policy = policy_of("[]", "allow");
    EXPECT_EQ(judge(*policy, ExecFacts{}).verdict, Verdict::kDeny);
    EXPECT_EQ(judge(*policy, ExecFacts{}).deny_errno, EACCES);
    EXPECT_EQ(verdict_of(*policy, exec_of("/x")), "allow default");
}

TEST(JudgeWithFloor, TheStricterVerdictWins) {
    const auto floor =
        Policy::parse(R"({"apiVersion": "execseal/v1", "name": "floor", "default": "allow",
        "rules": [{"id": "wget", "verdict": "kill", "exe": "/bin/wget"},
                  {"id": "nc", "verdict": "deny", "exe": "/bin/nc"}]})",
                      "floor.json");
    const auto own =
        policy_of(R"([{"id": "all", "verdict": "allow", "exe": ["/bin/wget", "/bin/ls"]},
                                   {"id": "nc", "verdict": "deny", "exe": "/bin/nc"}])",
                  "deny");
    const auto decide = [&](const std::string& exe) {
        const Judgement judgement = judge_with_floor(*own, &*floor, exec_of(exe));
        return judgement.policy + " " + verdict_name(judgement.verdict) + " " + judgement.rule;
    };
    EXPECT_EQ(decide("/bin/wget"), "floor kill wget");
    EXPECT_EQ(decide("/bin/ls"), "t allow all");
    EXPECT_EQ(decide("/bin/cat"), "t deny default");
    EXPECT_EQ(decide("/bin/nc"), "t deny nc");
    EXPECT_EQ(judge_with_floor(*own, nullptr, exec_of("/bin/wget")).verdict, Verdict::kAllow);
}

TEST(JudgeWithFloor, AuditModeSoftensThePolicyButNeverTheFloor) {
    const auto floor =
        policy_of(R"([{"id": "wget", "verdict": "deny", "exe": "/bin/wget"}])", "allow");
    const auto own = policy_of("[]", "kill");
    const Judgement softened = judge_with_floor(*own, &*floor, exec_of("/bin/ls"), Mode::kAudit);
    EXPECT_EQ(softened.verdict, Verdict::kAudit);
    EXPECT_EQ(softened.softened, Verdict::kKill);
    EXPECT_EQ(softened.deny_errno, 0);
    EXPECT_EQ(softened.reason, "audit mode, else kill: no rule matches, the default is kill");
    EXPECT_EQ(judge_with_floor(*own, &*floor, exec_of("/bin/wget"), Mode::kAudit).verdict,
              Verdict::kDeny);
    EXPECT_EQ(judge_with_floor(*own, &*floor, exec_of("/bin/ls"), Mode::kEnforce).verdict,
              Verdict::kKill);
    const auto lax = policy_of("[]", "allow");
    const Judgement allowed = judge_with_floor(*lax, nullptr, exec_of("/bin/ls"), Mode::kLearn);
    EXPECT_EQ(allowed.verdict, Verdict::kAllow);
    EXPECT_FALSE(allowed.softened);
}

// Every rule asked in turn: what the index must give the same answer as.
std::string linear(const Policy& policy, const ExecFacts& facts) {
    for (const CompiledRule& rule : policy.compiled().rules) {
        if (matching_view(rule, facts)) {
            return std::string(verdict_name(rule.verdict)) + " " + rule.id;
        }
    }
    return std::string(verdict_name(policy.compiled().default_verdict)) + " default";
}

class RandomPolicies {
  public:
    explicit RandomPolicies(unsigned seed) : random_(seed) {}

    std::string pick(const std::vector<std::string>& words) {
        return words[std::uniform_int_distribution<std::size_t>(0, words.size() - 1)(random_)];
    }
    std::string exe() { return pick({"/bin/a", "/bin/b", "/usr/bin/a", "/opt/x/a", "memfd:a"}); }
    std::string word() { return pick({"push", "-f", "--force", "x", "-C", ""}); }

    std::string rule(int number) {
        std::string text = R"({"id": "r)" + std::to_string(number) + R"(", "verdict": ")" +
                           pick({"allow", "deny", "audit", "kill"}) + "\"";
        const std::string exe_part =
            pick({"", R"(, "exe": ")" + exe() + "\"", R"(, "exe": ["/bin/*", ")" + exe() + R"("])",
                  R"(, "exe": "**/a")", R"(, "exe": "/opt/**")"});
        const std::string argv_part = pick(
            {"", R"(, "argv": {"contains": [")" + word() + R"(", {"regex": "p"}]})",
             R"(, "argv": {"any": [")" + word() + R"(", ")" + word() + R"("]})",
             R"(, "argv": {"any": [{"regex": "^--f"}, {"glob": "p**"}]})",
             R"(, "argv": {"contains": [{"regex": "orc"}]})",
             R"(, "argv": {"contains": [{"glob": "-**"}, {"regex": "(?i)X"}]})",
             R"(, "argv": {"none": [")" + word() + R"("]})",
             R"(, "argv": {"subcommand": {"is": ["push", "x"], "flags_with_values": ["-C"]}})"});
        const std::string rest = exe_part.empty() && argv_part.empty() ? R"(, "uid": 0)" : "";
        return text + exe_part + argv_part + rest + "}";
    }

    ExecFacts facts() {
        ExecFacts made = exec_of(exe(), {word(), word()});
        made.uid = pick({"0", "1"}) == "0" ? 0 : 1;
        if (pick({"0", "1"}) == "1") {
            made.views.push_back({ViewRole::kInterpreter, exe(), {"i", word(), word(), word()}});
        }
        return made;
    }

  private:
    std::mt19937 random_;
};

TEST(Judge, TheIndexDecidesAsAskingEveryRuleDoes) {
    RandomPolicies random(20'240'601);
    std::size_t ruled = 0;
    for (int round = 0; round < 60; ++round) {
        std::string rules;
        for (int i = 0; i < 12; ++i) {
            rules += (i == 0 ? "" : ",\n") + random.rule(i);
        }
        const auto policy = policy_of("[" + rules + "]", "deny");
        ASSERT_TRUE(policy.has_value()) << policy.error().text();
        for (int i = 0; i < 60; ++i) {
            const ExecFacts facts = random.facts();
            const std::string expected = linear(*policy, facts);
            ASSERT_EQ(verdict_of(*policy, facts), expected) << rules;
            ruled += expected.ends_with("default") ? 0 : 1;
        }
    }
    EXPECT_GT(ruled, 1000U);  // else nothing was compared
}

TEST(Judge, AWordSaidManyTimesIsLookedUpOnce) {
    std::string rules;
    for (int i = 0; i < 200; ++i) {
        rules += (i == 0 ? "" : ", ") + (R"({"id": "r)" + std::to_string(i)) +
                 R"(", "verdict": "deny", "argv": {"contains": ["w", "never"]}})";
    }
    const auto policy = policy_of("[" + rules + "]");
    EXPECT_EQ(verdict_of(*policy, exec_of("/x", std::vector<std::string>(20'000, "w"))),
              "allow default");
}

}  // namespace
}  // namespace execseal
