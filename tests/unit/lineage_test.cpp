// Lineage: what rules say of what stands above an exec, and what is kept of it.
#include "config/lineage.h"

#include <gtest/gtest.h>

#include "hook/exec/executed_programs.h"
#include "tests/unit/policy_facts.h"

namespace execseal {
namespace {

using test::exec_of;
using test::passes;
using test::policy_of;
using test::refusal;
using test::refuses;

enum class Beyond { kNothing, kUnknown };

// An exec of /bin/x, made by the first of these, that one by the second, and so on.
ExecFacts under(const std::vector<ExecutedProgram>& programs, Beyond beyond = Beyond::kNothing) {
    ExecFacts facts = exec_of("/bin/x");
    facts.lineage.whole = beyond == Beyond::kNothing;
    for (auto program = programs.rbegin(); program != programs.rend(); ++program) {
        facts.lineage = below(*program, facts.lineage);
        ++facts.lineage.depth;
    }
    return facts;
}

const ExecutedProgram kDash{"/usr/bin/dash", {"/bin/sh", "/usr/bin/sh"}, true};
const ExecutedProgram kNginx{"/usr/sbin/nginx", {}, true};
const ExecutedProgram kLoose{"/srv/tool", {}, false};
const ExecutedProgram kMemfd{"memfd:tool", {"/tool"}, true};

enum class Pass { kNone, kDeny, kAllow, kBoth };

// Whether a rule that refuses with these conditions matches, and one that lets pass.
Pass matches(const std::string& conditions, const ExecFacts& facts) {
    const bool deny = refuses(conditions, facts);
    const bool allow = passes(conditions, facts);
    return deny ? (allow ? Pass::kBoth : Pass::kDeny) : (allow ? Pass::kAllow : Pass::kNone);
}

struct Row {
    const char* conditions;
    ExecFacts facts;
    Pass expected;
};

TEST(LineageConditions, HoldOfWhatIsKnownAndDoubtRefuses) {
    const ExecFacts first = under({});
    const ExecFacts by_nginx = under({kNginx});
    const ExecFacts by_shell = under({kDash, kNginx});
    const ExecFacts unknown = under({}, Beyond::kUnknown);
    const ExecFacts half_known = under({kDash}, Beyond::kUnknown);
    for (const Row& row : {
             // The parent, and a name that only rules that refuse see.
             Row{R"("parent": "/usr/sbin/nginx")", by_nginx, Pass::kBoth},
             Row{R"("parent": "/usr/sbin/nginx")", by_shell, Pass::kNone},
             Row{R"("parent": "/usr/bin/dash")", by_shell, Pass::kBoth},
             Row{R"("parent": "**/sh")", by_shell, Pass::kDeny},
             Row{R"("parent": ["/bin/none", "/usr/bin/*"])", by_shell, Pass::kBoth},
             Row{R"("parent": "**")", first, Pass::kNone},
             Row{R"("parent": "/usr/bin/dash")", unknown, Pass::kDeny},
             Row{R"("parent": "/usr/bin/dash")", half_known, Pass::kBoth},
             Row{R"("parent": "/usr/sbin/nginx")", half_known, Pass::kNone},
             // What may have been another program, and what has no path.
             Row{R"("parent": "/srv/tool")", under({kLoose}), Pass::kDeny},
             Row{R"("parent": "**")", under({kMemfd}), Pass::kDeny},
             Row{R"("parent": "memfd:tool")", under({kMemfd}), Pass::kBoth},
             // All of them.
             Row{R"("ancestor": "/usr/sbin/nginx")", by_shell, Pass::kBoth},
             Row{R"("ancestor": "/usr/bin/dash")", by_shell, Pass::kBoth},
             Row{R"("ancestor": "/usr/bin/dash")", by_nginx, Pass::kNone},
             Row{R"("ancestor": "**")", first, Pass::kNone},
             Row{R"("ancestor": "/usr/sbin/nginx")", unknown, Pass::kDeny},
             Row{R"("ancestor": "/usr/sbin/nginx")", half_known, Pass::kDeny},
             Row{R"("ancestor": "/usr/bin/dash")", half_known, Pass::kBoth},
             // How many.
             Row{R"("depth": 0)", first, Pass::kBoth},
             Row{R"("depth": 0)", by_nginx, Pass::kNone},
             Row{R"("depth": {"min": 2})", by_shell, Pass::kBoth},
             Row{R"("depth": {"min": 2})", by_nginx, Pass::kNone},
             Row{R"("depth": [0, {"min": 2, "max": 3}])", by_shell, Pass::kBoth},
             Row{R"("depth": {"max": 1})", by_shell, Pass::kNone},
             Row{R"("depth": {"min": 5})", unknown, Pass::kDeny},
             Row{R"("depth": {"min": 5})", half_known, Pass::kDeny},
             Row{R"("depth": 0)", half_known, Pass::kNone},
             // The other way round.
             Row{R"("not": {"parent": "/usr/sbin/nginx"})", by_nginx, Pass::kNone},
             Row{R"("not": {"parent": "/usr/sbin/nginx"})", by_shell, Pass::kBoth},
             Row{R"("not": {"parent": "/usr/sbin/nginx"})", unknown, Pass::kDeny},
             Row{R"("not": {"parent": "**/sh"})", by_shell, Pass::kDeny},
             Row{R"("not": {"ancestor": "/usr/sbin/nginx"})", half_known, Pass::kDeny},
             Row{R"("not": {"depth": {"min": 1}})", first, Pass::kBoth},
             Row{R"("not": {"depth": {"min": 1}})", unknown, Pass::kDeny},
         }) {
        EXPECT_EQ(matches(row.conditions, row.facts), row.expected)
            << row.conditions << ", " << row.facts.lineage.depth;
    }
}

TEST(LineageConditions, SayWhatHeldAndWhatWasNotKnown) {
    const auto policy = policy_of(R"([{"id": "r", "verdict": "deny", "parent": "**/sh"},
                                      {"id": "s", "verdict": "deny", "depth": {"min": 9}}])");
    ASSERT_TRUE(policy.has_value()) << policy.error().text();
    EXPECT_EQ(judge(*policy, under({kDash})).reason, R"(rule r: parent "/bin/sh" matches "**/sh")");
    EXPECT_EQ(judge(*policy, under({}, Beyond::kUnknown)).reason,
              R"(rule r: parent is not known and may be "**/sh")");
    EXPECT_EQ(judge(*policy, under({kNginx}, Beyond::kUnknown)).reason,
              "rule s: depth is not known, at least 1, which may be 9 to 4294967294");
    EXPECT_EQ(judge(*policy, under({kNginx})).verdict, Verdict::kAllow) << "the control";
}

TEST(LineageConditions, AreReadAsStrictlyAsOthers) {
    EXPECT_NE(refusal(R"("parent": "nginx")"), "(accepted)");
    EXPECT_NE(refusal(R"("parent": [])"), "(accepted)");
    EXPECT_NE(refusal(R"("ancestor": "/usr//bin/x")"), "(accepted)");
    EXPECT_NE(refusal(R"("ancestor": 7)"), "(accepted)");
    EXPECT_EQ(refusal(R"("depth": "0")").find("/rules/0/depth: expected a number, {\"min\": n"),
              0U);
    EXPECT_NE(refusal(R"("depth": -1)"), "(accepted)");
    EXPECT_NE(refusal(R"("depth": {"min": 3, "max": 2})"), "(accepted)");
    EXPECT_NE(refusal(R"("depth": [])"), "(accepted)");
    EXPECT_EQ(refusal(R"("depth": {"max": 3}, "parent": ["**"], "ancestor": "/a")"), "(accepted)");
}

TEST(LineageConditions, NeedForksToBeToldInAnyMode) {
    for (const char* const conditions :
         {R"("parent": "/bin/a")", R"("ancestor": "/bin/a")", R"("depth": 0)",
          R"("exe": "/bin/a", "not": {"depth": 0})"}) {
        const auto policy =
            policy_of(std::string(R"([{"id": "r", "verdict": "allow", )") + conditions + "}]");
        ASSERT_TRUE(policy.has_value()) << policy.error().text();
        EXPECT_TRUE(policy->sees_lineage()) << conditions;
        EXPECT_FALSE(policy->needs_fork_tracking()) << "nobody can change it: " << conditions;
    }
    EXPECT_FALSE(policy_of(R"([{"id": "r", "verdict": "deny", "exe": "/bin/a"}])")->sees_lineage());
}

std::vector<ProgramView> program(const std::string& exe) {
    return {{ViewRole::kProgram, exe, {"x"}}};
}

std::vector<std::string> above(const Lineage& lineage) {
    std::vector<std::string> names;
    for (const LineageNode* node = lineage.nearest.get(); node != nullptr;
         node = node->above.get()) {
        names.push_back(node->program->exe);
    }
    return names;
}

TEST(Executed, AreTheProgramsAboveTheNextOne) {
    ExecutedPrograms programs;
    const Lineage shell = programs.after(Lineage::start(), program("/bin/sh"), true);
    const Lineage git = programs.after(shell, program("/bin/git"), true);
    EXPECT_EQ(above(git), (std::vector<std::string>{"/bin/git", "/bin/sh"}));
    EXPECT_EQ(git.depth, 2U);
    EXPECT_TRUE(git.whole && git.certain);
    // The same by somebody else costs nothing more.
    const Lineage other = programs.after(Lineage::start(), program("/bin/sh"), true);
    EXPECT_EQ(other.nearest, shell.nearest);
    EXPECT_EQ(programs.nodes(), 2U);
    // What is not known above stays so.
    const Lineage half = programs.after(Lineage{}, program("/bin/git"), true);
    EXPECT_EQ(above(half), std::vector<std::string>{"/bin/git"});
    EXPECT_FALSE(half.whole);
    EXPECT_FALSE(programs.after(shell, program("/bin/git"), false).certain);
    EXPECT_FALSE(
        programs.after(programs.after(shell, program("/bin/git"), false), program("/bin/ls"), true)
            .certain);
}

TEST(Executed, HaveTheNamesOfAllTheirViews) {
    const ExecutedProgram script = executed_program(
        {{ViewRole::kProgram, "/srv/run.sh", {"run.sh"}, {"/run"}},
         {ViewRole::kInterpreter, "/usr/bin/dash", {"sh", "/srv/run.sh"}, {"/bin/sh", "/run"}}});
    EXPECT_EQ(script, (ExecutedProgram{"/srv/run.sh", {"/run", "/usr/bin/dash", "/bin/sh"}, true}));
    EXPECT_FALSE(
        executed_program({{ViewRole::kProgram, "/srv/run.sh", {"x"}, {}, "/tmp/link"}}).proved);
    EXPECT_FALSE(executed_program({{ViewRole::kProgram, "/bin/ls", {"x"}},
                                   {ViewRole::kPossible, "/tmp/x", {"x"}}})
                     .proved);
    EXPECT_TRUE(executed_program({{ViewRole::kProgram, "/bin/ls", {"x"}},
                                  {ViewRole::kLoader, "/lib/ld.so", {"x"}}})
                    .proved);
}

TEST(Executed, OfALoopTakeNoMoreRoomHoweverLongItRuns) {
    ExecutedPrograms programs({.length = 8, .distinct = 6});
    Lineage lineage = Lineage::start();
    for (int i = 0; i < 10'000; ++i) {
        lineage = programs.after(lineage, program(i % 3 == 0 ? "/bin/a" : "/bin/b"), true);
    }
    EXPECT_EQ(lineage.depth, 10'000U);
    EXPECT_TRUE(lineage.whole);
    EXPECT_LE(lineage.nearest->length, 8U);
    EXPECT_LT(programs.nodes(), 3000U);
    EXPECT_EQ(above(lineage).front(), "/bin/a");
    const auto all = above(lineage);
    EXPECT_NE(std::find(all.begin(), all.end(), "/bin/b"), all.end());
}

TEST(Executed, OfTooManyKindsAreKnownAsFarAsTheyGo) {
    ExecutedPrograms programs({.length = 8, .distinct = 6});
    Lineage lineage = Lineage::start();
    for (int i = 0; i < 100; ++i) {
        lineage = programs.after(lineage, program("/bin/" + std::to_string(i)), true);
    }
    EXPECT_EQ(lineage.depth, 100U);
    EXPECT_FALSE(lineage.whole);
    EXPECT_EQ(above(lineage)[0], "/bin/99");
    EXPECT_EQ(above(lineage)[5], "/bin/94");
}

TEST(Executed, ThatFindNoRoomAreNotKnownUntilOthersAreGone) {
    ExecutedPrograms programs({.nodes = 50});
    std::vector<Lineage> kept;
    for (int i = 0; i < 60; ++i) {
        kept.push_back(
            programs.after(Lineage::start(), program("/bin/" + std::to_string(i)), true));
    }
    EXPECT_TRUE(kept[49].whole);
    EXPECT_FALSE(kept[50].whole);
    EXPECT_EQ(kept[50].nearest, nullptr);
    EXPECT_EQ(programs.nodes(), 50U);
    kept.clear();
    // It looks for what is gone once in a while only.
    Lineage again;
    for (int i = 0; i < 5000 && !again.whole; ++i) {
        again = programs.after(Lineage::start(), program("/bin/again"), true);
    }
    EXPECT_TRUE(again.whole);
    const std::string long_name(20'000, 'x');
    EXPECT_FALSE(programs.after(Lineage::start(), program("/" + long_name), true).whole);
}

}  // namespace
}  // namespace execseal
