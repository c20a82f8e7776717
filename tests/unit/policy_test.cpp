// The file's frame and every condition; which rule decides is judge_test's.
#include "config/policy.h"

#include <gtest/gtest.h>

#include "tests/unit/policy_facts.h"

namespace execseal {
namespace {

using test::exec_of;
using test::passes;
using test::policy_of;
using test::refusal;
using test::refuses;

std::string load_refusal(const std::string& text) {
    const auto policy = Policy::parse(text, "p.json");
    return policy ? "(accepted)" : policy.error().text().substr(8);
}

TEST(Policy, ReadsItsFrame) {
    const auto policy = Policy::parse(R"({
        "$schema": "x", "apiVersion": "execseal/v1", "name": "a.b_c-1", "description": "d",
        "default": "deny", "errno": "EPERM",
        "protect": {"freeze": "siblings", "verify": true, "on_freeze_failure": "verify",
                    "freeze_budget_ms": 7},
        "rules": []})",
                                      "p.json");
    ASSERT_TRUE(policy.has_value()) << policy.error().text();
    EXPECT_EQ(policy->name(), "a.b_c-1");
    EXPECT_EQ(policy->protection().freeze, FreezeScope::kSiblings);
    EXPECT_EQ(policy->protection().on_freeze_failure, OnFreezeFailure::kVerify);
    EXPECT_EQ(policy->protection().freeze_budget.count(), 7);
    const Judgement judgement = judge(*policy, exec_of("/bin/x"));
    EXPECT_EQ(judgement.verdict, Verdict::kDeny);
    EXPECT_EQ(judgement.deny_errno, EPERM);
    EXPECT_EQ(judgement.policy, "a.b_c-1");
}

TEST(Policy, TheDefaultsAreTheSafeOnes) {
    const auto policy = policy_of("[]", "deny");
    EXPECT_EQ(policy->protection().freeze, FreezeScope::kWriters);
    EXPECT_TRUE(policy->protection().verify);
    EXPECT_EQ(policy->protection().on_freeze_failure, OnFreezeFailure::kDeny);
    EXPECT_EQ(judge(*policy, exec_of("/bin/x")).deny_errno, EACCES);
}

TEST(Policy, RefusesABadFrameInOneLine) {
    EXPECT_EQ(load_refusal("{}"), "/: expected a key \"apiVersion\"");
    EXPECT_EQ(load_refusal(R"({"apiVersion": "v1"})"),
              "/apiVersion: expected \"execseal/v1\", got \"v1\"");
    EXPECT_EQ(load_refusal(R"({"apiVersion": "execseal/v1", "name": "a"})"),
              "/: expected a key \"default\"");
    const auto with = [](const std::string& members) {
        return load_refusal(R"({"apiVersion": "execseal/v1", "name": "a", "default": "allow", )" +
                            members + "}");
    };
    EXPECT_EQ(with(R"("rules": [])"), "(accepted)");
    EXPECT_EQ(with(R"("requires": "0.99.0", "rulez": [])").find("/requires: the file needs "), 0U);
    EXPECT_EQ(with(R"("rulez": [])").find("/rulez: unknown key, expected "), 0U);
    EXPECT_EQ(with(R"("rules": {})"), "/rules: expected an array of rules, got an empty object");
    EXPECT_EQ(with(R"("errno": "ENOPE")"),
              "/errno: expected an errno's name or number, as \"EACCES\", \"EPERM\" or 13, got "
              "\"ENOPE\"");
    EXPECT_EQ(with(R"("errno": 0)"),
              "/errno: expected an integer from 1 to 4095, got a number (0)");
    EXPECT_NE(with(R"("errno": 4000)"), "(accepted)");
    EXPECT_EQ(
        with(R"("protect": {"freeze": "all"})"),
        "/protect/freeze: expected \"pidns\", \"writers\", \"siblings\" or \"off\", got \"all\"");
    EXPECT_EQ(with(R"("protect": {"freeze": "pidns", "verify": false,)"
                   R"( "on_freeze_failure": "verify"})"),
              "/protect/on_freeze_failure: expected \"deny\" where \"verify\" is false");
    for (const char* const unverified :
         {R"("protect": {"verify": false})", R"("protect": {"verify": false, "freeze": "off"})",
          R"("protect": {"freeze": "siblings", "verify": false})",
          R"("protect": {"freeze": "writers", "verify": false})"}) {
        EXPECT_EQ(with(unverified),
                  "/protect/verify: expected true, or \"freeze\": \"pidns\" beside it")
            << unverified;
    }
    EXPECT_EQ(with(R"("protect": {"freeze": "pidns", "verify": false})"), "(accepted)");
    EXPECT_NE(with(R"("protect": {"freeze_budget_ms": 0})"), "(accepted)");
    EXPECT_NE(load_refusal(R"({"apiVersion": "execseal/v1", "name": "a/b", "default": "allow"})"),
              "(accepted)");
    EXPECT_NE(load_refusal(R"({"apiVersion": "execseal/v1", "name": "a", "default": "ask"})"),
              "(accepted)");
}

TEST(Policy, RefusesBadRulesInOneLine) {
    EXPECT_EQ(refusal(R"("exe": "/bin/sh")"), "(accepted)");
    EXPECT_EQ(refusal(R"("description": "x")").find("/rules/0: expected at least one condition"),
              0U);
    EXPECT_EQ(refusal(R"("exe": "/bin/sh", "errno": "EPERM")", "kill"),
              "/rules/0/errno: expected errno in deny rules only");
    EXPECT_EQ(refusal(R"("exe": "/bin/sh", "arg": 1)").find("/rules/0/arg: unknown key"), 0U);
    const auto twice = policy_of(R"([{"id": "a", "verdict": "deny", "exe": "/x"},
                                     {"id": "a", "verdict": "deny", "exe": "/y"}])");
    ASSERT_FALSE(twice.has_value());
    EXPECT_EQ(twice.error().text(),
              "t.json: /rules/1: expected an id of its own, \"a\" is an earlier rule's");
    for (const std::string rule :
         {R"({"verdict": "deny", "exe": "/x"})", R"({"id": "a", "exe": "/x"})",
          R"({"id": "", "verdict": "deny", "exe": "/x"})",
          R"({"id": "default", "verdict": "deny", "exe": "/x"})",
          R"({"id": "a b", "verdict": "deny", "exe": "/x"})", "7"}) {
        EXPECT_FALSE(policy_of("[" + rule + "]").has_value()) << rule;
    }
}

TEST(PolicyExe, IsAGlobOverTheResolvedPath) {
    EXPECT_TRUE(refuses(R"("exe": "/usr/bin/git")", exec_of("/usr/bin/git")));
    EXPECT_FALSE(refuses(R"("exe": "/usr/bin/git")", exec_of("/bin/git")));
    EXPECT_TRUE(refuses(R"("exe": ["/x", "/usr/bin/g*"])", exec_of("/usr/bin/git")));
    EXPECT_FALSE(refuses(R"("exe": ["/x", "/usr/*"])", exec_of("/usr/bin/git")));
    EXPECT_TRUE(refuses(R"("exe": "**/git")", exec_of("/usr/bin/git")));
    EXPECT_TRUE(refuses(R"("exe": "memfd:*")", exec_of("memfd:payload")));
}

TEST(PolicyExe, WildcardsLetPassOnlyWhatHasAPath) {
    EXPECT_TRUE(passes(R"("exe": "**/x")", exec_of("/a/x")));
    EXPECT_FALSE(passes(R"("exe": "**/x")", exec_of("unreachable:/a/x")));
    EXPECT_FALSE(passes(R"("exe": "**")", exec_of("memfd:x")));
    EXPECT_FALSE(passes(R"("exe": "/a/**")", exec_of("/a/x (deleted)")));
    EXPECT_TRUE(passes(R"j("exe": "/a/x (deleted)")j", exec_of("/a/x (deleted)")));
    EXPECT_TRUE(passes(R"j("exe": "/a/* (deleted)")j", exec_of("/a/x (deleted)")));
    EXPECT_TRUE(passes(R"("exe": "memfd:**")", exec_of("memfd:x")));
    for (const char* exe : {"unreachable:/a/x", "memfd:x", "/a/x (deleted)"}) {
        EXPECT_TRUE(refuses(R"("exe": "**")", exec_of(exe))) << exe;
        // Below not, the leaning turns: what is not surely /a/** is refused.
        EXPECT_TRUE(refuses(R"("not": {"exe": "/a/**"})", exec_of(exe))) << exe;
    }
}

TEST(PolicyExe, RefusesWhatCouldNeverMatch) {
    for (const std::string exe :
         {R"("git")", R"("./git")", R"("/usr/bin/")", R"("/usr//bin/x")", R"("/usr/../x")",
          R"("/a/./b")", R"("")", "[]", "7", R"(["/x", 7])", R"("/a[")", R"("/a***")"}) {
        EXPECT_EQ(refusal("\"exe\": " + exe).find("/rules/0/exe"), 0U) << exe;
    }
}

TEST(PolicyArgv, ListsLookAtTheArgumentsAfterTheName) {
    const ExecFacts facts = exec_of("/usr/bin/git", {"push", "origin", "main"});
    const auto git = [](const std::string& argv) {
        return R"("exe": "/usr/bin/git", "argv": )" + argv;
    };
    EXPECT_TRUE(refuses(git(R"({"exact": ["push", "origin", "main"]})"), facts));
    EXPECT_FALSE(refuses(git(R"({"exact": ["push", "origin"]})"), facts));
    EXPECT_TRUE(refuses(git(R"({"prefix": ["push"]})"), facts));
    EXPECT_FALSE(refuses(git(R"({"prefix": ["origin"]})"), facts));
    EXPECT_FALSE(refuses(git(R"({"prefix": ["push", "origin", "main", "x"]})"), facts));
    EXPECT_TRUE(refuses(git(R"({"contains": ["main", "push"]})"), facts));
    EXPECT_FALSE(refuses(git(R"({"contains": ["main", "pull"]})"), facts));
    EXPECT_TRUE(refuses(git(R"({"any": ["pull", "push"]})"), facts));
    EXPECT_FALSE(refuses(git(R"({"any": ["pull", "git"]})"), facts));
    EXPECT_TRUE(refuses(git(R"({"sequence": ["origin", "main"]})"), facts));
    EXPECT_FALSE(refuses(git(R"({"sequence": ["push", "main"]})"), facts));
    EXPECT_TRUE(refuses(git(R"({"none": ["--force"]})"), facts));
    EXPECT_FALSE(refuses(git(R"({"none": ["--force", "main"]})"), facts));
    EXPECT_TRUE(refuses(git(R"({"every": ["push", {"regex": "^[a-z]+$"}]})"), facts));
    EXPECT_FALSE(refuses(git(R"({"every": ["push", "origin"]})"), facts));
    EXPECT_TRUE(refuses(git(R"({"exact": []})"), exec_of("/usr/bin/git")));
    EXPECT_FALSE(refuses(git(R"({"exact": []})"), facts));
    EXPECT_TRUE(refuses(git(R"({"count": {"min": 3, "max": 3}})"), facts));
    EXPECT_FALSE(refuses(git(R"({"count": {"max": 2}})"), facts));
    EXPECT_FALSE(refuses(git(R"({"count": {"min": 4}})"), facts));
    EXPECT_TRUE(refuses(git(R"({"prefix": ["push"], "contains": ["main"]})"), facts));
    EXPECT_FALSE(refuses(git(R"({"prefix": ["push"], "contains": ["dev"]})"), facts));
}

TEST(PolicyArgv, TheNameTheCallerGivesDoesNotMatter) {
    ExecFacts facts = exec_of("/usr/bin/git", {"push"});
    facts.views[0].argv[0] = "totally-not-git";
    EXPECT_TRUE(refuses(R"("exe": "/usr/bin/git", "argv": {"prefix": ["push"]})", facts));
    EXPECT_TRUE(refuses(R"("argv": {"at": {"0": "totally-not-git"}})", facts));
    facts.views[0].argv.clear();
    EXPECT_FALSE(refuses(R"("argv": {"at": {"0": "git"}})", facts));
    EXPECT_TRUE(refuses(R"("exe": "/usr/bin/git", "argv": {"exact": []})", facts));
}

TEST(PolicyArgv, PositionsCountFromBothEnds) {
    const ExecFacts facts = exec_of("/bin/cp", {"a", "b"});
    EXPECT_TRUE(refuses(R"("argv": {"at": {"1": "a", "-1": "b"}})", facts));
    EXPECT_FALSE(refuses(R"("argv": {"at": {"1": "b"}})", facts));
    EXPECT_FALSE(refuses(R"("argv": {"at": {"3": "b"}})", facts));
    EXPECT_TRUE(refuses(R"("argv": {"at": {"-2": "a"}})", facts));
    EXPECT_FALSE(refuses(R"("argv": {"at": {"-3": "cp"}})", facts));
    EXPECT_FALSE(refuses(R"("argv": {"at": {"-1": "cp"}})", exec_of("/bin/cp")));
    for (const std::string key : {"x", "01", "+1", "", "1 ", "-0", "99999999999"}) {
        EXPECT_NE(refusal(R"("argv": {"at": {")" + key + R"(": "a"}})"), "(accepted)") << key;
    }
}

TEST(PolicyArgv, PatternsSeeBytes) {
    const auto one = [](const std::string& pattern, const std::string& argument) {
        return refuses(R"("argv": {"any": [)" + pattern + "]}", exec_of("/bin/x", {argument}));
    };
    EXPECT_TRUE(one(R"("caf\u00e9")", "caf\xc3\xa9"));
    EXPECT_TRUE(one(R"({"hex": "66ff"})", "f\xff"));
    EXPECT_FALSE(one(R"({"hex": "66ff"})", "f\xfe"));
    EXPECT_TRUE(one(R"({"regex": "^f.$"})", "f\xff"));
    EXPECT_TRUE(one(R"({"regex": "\\xff"})", "a\xff"));
    EXPECT_TRUE(one(R"({"regex": "^--exec=.*$"})", "--exec=a\nb"));
    EXPECT_FALSE(one(R"({"regex": "^b$"})", "a\nb"));
    EXPECT_TRUE(one(R"({"glob": "--exec=**"})", "--exec=/bin/sh"));
    EXPECT_FALSE(one(R"("*")", "anything"));
    const std::string longest(131'071, 'a');  // MAX_ARG_STRLEN less its NUL
    EXPECT_TRUE(one(R"({"regex": "b$"})", longest + "b"));
    EXPECT_FALSE(one(R"({"regex": "b$"})", longest));
}

TEST(PolicyArgv, RefusesPatternsThatDoNotMeanWhatTheySeem) {
    const auto any = [](const std::string& pattern, const std::string& verdict = "deny") {
        return refusal(R"("argv": {"any": [)" + pattern + "]}", verdict);
    };
    EXPECT_EQ(any(R"({"glob": "--exec=*"})").find("/rules/0/argv/any/0/glob: expected **"), 0U);
    EXPECT_EQ(any(R"({"glob": "/data/*"})", "allow"), "(accepted)");
    EXPECT_EQ(any(R"j({"regex": "a("})j")
                  .find("/rules/0/argv/any/0/regex: expected a valid RE2 regular expression: "),
              0U);
    for (const std::string pattern :
         {R"({"regex": ""})", R"j({"regex": "(?=x)"})j", R"({"hex": "0"})", R"({"hex": "zz"})",
          R"({"hex": "00"})", R"({"hex": "FF"})", R"({"glob": ""})", R"({"glob": "a["})",
          R"({"text": "x"})", R"({"glob": "a", "regex": "b"})", "{}", "7", "null", R"("a\u0000")",
          R"({"regex": 1})"}) {
        EXPECT_NE(any(pattern), "(accepted)") << pattern;
    }
    for (const std::string argv :
         {"{}", "[]", R"({"contains": []})", R"({"contains": "x"})", R"({"any": [[]]})",
          R"({"none": []})", R"({"count": {}})", R"({"count": {"min": 2, "max": 1}})",
          R"({"count": 2})", R"({"at": {}})", R"({"at": ["a"]})", R"({"prefixes": ["a"]})"}) {
        EXPECT_EQ(refusal("\"argv\": " + argv).find("/rules/0/argv"), 0U) << argv;
    }
}

TEST(PolicyArgv, RefusesPositionsOfAnUnknownProgramAndItsNameAmongThem) {
    EXPECT_EQ(refusal(R"("argv": {"prefix": ["push"]})")
                  .find("/rules/0/argv/prefix: expected an exe condition in the same rule"),
              0U);
    EXPECT_EQ(refusal(R"("exe": "/usr/bin/git", "argv": {"prefix": ["git", "push"]})")
                  .find("/rules/0/argv/prefix/0: expected the first argument after the program's "
                        "name, got the name \"git\""),
              0U);
    EXPECT_NE(refusal(R"("exe": ["/x", "**/git"], "argv": {"exact": ["/usr/bin/git"]})"),
              "(accepted)");
    EXPECT_EQ(refusal(R"("exe": "/usr/bin/git", "argv": {"prefix": ["push", "git"]})"),
              "(accepted)");
}

TEST(PolicyArgv, ARegexThatLetsPassMustMatchTheWhole) {
    const std::string safe = R"("argv": {"every": [{"regex": "[a-z]+"}]})";
    EXPECT_TRUE(passes(safe, exec_of("/bin/x", {"abc"})));
    EXPECT_FALSE(passes(safe, exec_of("/bin/x", {"abc; rm"})));
    EXPECT_TRUE(refuses(R"("argv": {"any": [{"regex": "rm"}]})", exec_of("/bin/x", {"abc; rm"})));
    // Below none and not, a match refuses again.
    const std::string none = R"("argv": {"none": [{"regex": "rm"}]})";
    EXPECT_TRUE(passes(none, exec_of("/bin/x", {"abc"})));
    EXPECT_FALSE(passes(none, exec_of("/bin/x", {"abc; rm"})));
    const std::string negated = R"("not": {"argv": {"any": [{"regex": "rm"}]}})";
    EXPECT_TRUE(passes(negated, exec_of("/bin/x", {"abc"})));
    EXPECT_FALSE(passes(negated, exec_of("/bin/x", {"abc; rm"})));
}

TEST(PolicyFlag, SeesAFlagInAllItsSpellings) {
    const auto force = [](const std::string& argument) {
        return refuses(R"("argv": {"flag": ["-f", "--force"]})",
                       exec_of("/usr/bin/git", {"push", argument}));
    };
    for (const std::string given :
         {"-f", "-uf", "-fu", "--force", "--forc", "--f", "--force=1", "--for=1", "-force"}) {
        EXPECT_TRUE(force(given)) << given;
    }
    for (const std::string other :
         {"-u", "--follow-tags", "--force-with-lease", "f", "force", "-", "--", "", "--no-force"}) {
        EXPECT_FALSE(force(other)) << other;
    }
    EXPECT_TRUE(refuses(R"("argv": {"flag": ["-f"]})", exec_of("/x", {"--", "-f"})));
    EXPECT_FALSE(refuses(R"("argv": {"flag": ["--force"]})", exec_of("/x", {"-f"})));
}

TEST(PolicyFlag, StandsOnlyWhereSeeingMoreRefuses) {
    EXPECT_EQ(refusal(R"("argv": {"flag": ["-f"]})", "allow")
                  .find("/rules/0/argv/flag: expected \"contains\""),
              0U);
    EXPECT_EQ(refusal(R"("not": {"argv": {"flag": ["-f"]}})", "allow"), "(accepted)");
    EXPECT_NE(refusal(R"("not": {"argv": {"flag": ["-f"]}})", "deny"), "(accepted)");
    EXPECT_FALSE(passes(R"("not": {"argv": {"flag": ["-f"]}})", exec_of("/x", {"-uf"})));
    EXPECT_TRUE(passes(R"("not": {"argv": {"flag": ["-f"]}})", exec_of("/x", {"-u"})));
    for (const std::string flags :
         {R"(["f"])", R"(["--"])", R"(["--f"])", R"(["-fu"])", R"(["--a=b"])", "[]", R"("-f")"}) {
        EXPECT_EQ(refusal(R"("argv": {"flag": )" + flags + "}").find("/rules/0/argv/flag"), 0U)
            << flags;
    }
}

const char* const kPush =
    R"("argv": {"subcommand": {"is": ["push", "send-pack"], "flags_with_values": ["-C", "-c", "--git-dir"], "flags": ["--bare", "-p"]}})";

TEST(PolicySubcommand, StandsBehindTheGlobalFlags) {
    using Words = std::vector<std::string>;
    for (const Words& words : {Words{"push"}, Words{"-C", "x", "push"}, Words{"-C", "push", "push"},
                               Words{"--git-dir=x", "--bare", "push", "-f"},
                               Words{"-p", "-c", "a=b", "send-pack"}, Words{"--", "push"}}) {
        EXPECT_TRUE(refuses(kPush, exec_of("/usr/bin/git", words)));
        EXPECT_TRUE(passes(kPush, exec_of("/usr/bin/git", words)));
    }
    for (const Words& words : {Words{}, Words{"-C", "push"}, Words{"-C", "push", "status"},
                               Words{"status", "push"}, Words{"--git-dir=push"}, Words{"-C"},
                               Words{"", "push"}, Words{"-", "push"}, Words{"--"}}) {
        EXPECT_FALSE(refuses(kPush, exec_of("/usr/bin/git", words)));
        EXPECT_FALSE(passes(kPush, exec_of("/usr/bin/git", words)));
    }
}

TEST(PolicySubcommand, BehindAnUnknownFlagDoubtRefuses) {
    const ExecFacts hidden = exec_of("/usr/bin/git", {"--super-prefix", "x", "push"});
    EXPECT_TRUE(refuses(kPush, hidden));
    EXPECT_FALSE(passes(kPush, hidden));
    EXPECT_FALSE(refuses(kPush, exec_of("/usr/bin/git", {"--no-pager", "status"})));
    EXPECT_TRUE(refuses(kPush, exec_of("/usr/bin/git", {"--bare=1", "push"})));
}

TEST(PolicySubcommand, RefusesABadDescription) {
    for (const std::string bad :
         {"{}", R"({"is": []})", R"({"is": ""})", R"({"is": "x", "flags": ["y"]})",
          R"({"is": "x", "flags_with_values": ["--"]})", R"({"is": "x", "flag": []})", R"("push")",
          R"({"is": "x", "flags": "-y"})"}) {
        EXPECT_EQ(
            refusal(R"("argv": {"subcommand": )" + bad + "}").find("/rules/0/argv/subcommand"), 0U)
            << bad;
    }
}

ExecFacts with_env(std::vector<std::string> env) {
    ExecFacts facts = exec_of("/bin/x");
    facts.env = std::move(env);
    return facts;
}

TEST(PolicyEnv, AsksForAValueForPresenceAndForAbsence) {
    EXPECT_TRUE(refuses(R"("env": {"A": "1"})", with_env({"B=2", "A=1"})));
    EXPECT_FALSE(refuses(R"("env": {"A": "1"})", with_env({"A=2", "AA=1"})));
    EXPECT_FALSE(refuses(R"("env": {"A": "1"})", with_env({})));
    EXPECT_TRUE(refuses(R"("env": {"LD_PRELOAD": true})", with_env({"LD_PRELOAD="})));
    EXPECT_FALSE(refuses(R"("env": {"LD_PRELOAD": true})", with_env({"LD_PRELOADX=1"})));
    EXPECT_TRUE(refuses(R"("env": {"LD_*": true})", with_env({"A=1", "LD_AUDIT=x"})));
    EXPECT_TRUE(refuses(R"("env": {"A": null})", with_env({"B=1"})));
    EXPECT_FALSE(refuses(R"("env": {"A": null})", with_env({"A=1"})));
    EXPECT_TRUE(refuses(R"("env": {"A": "1", "B": null})", with_env({"A=1"})));
    EXPECT_FALSE(refuses(R"("env": {"A": "1", "B": null})", with_env({"A=1", "B="})));
    EXPECT_TRUE(refuses(R"("env": {"A": {"regex": "x=y"}})", with_env({"A=x=y"})));
}

TEST(PolicyEnv, NamesByList) {
    const std::string names = R"("env_names": ["PATH", "LC_*"])";
    EXPECT_TRUE(passes(names, with_env({"PATH=/bin", "LC_ALL=C"})));
    EXPECT_TRUE(passes(names, with_env({})));
    EXPECT_FALSE(passes(names, with_env({"PATH=/bin", "PATHS=/bin"})));
    EXPECT_FALSE(passes(names, with_env({"=x"})));
    // A string without "=" is taken the refusing way.
    EXPECT_FALSE(passes(names, with_env({"PATH"})));
    EXPECT_TRUE(refuses(names, with_env({"A", "PATH=/bin"})));
    EXPECT_FALSE(refuses(names, with_env({"A=1", "PATH=/bin"})));
    EXPECT_TRUE(refuses(R"("not": {"env_names": ["A"]})", with_env({"A"})));
    EXPECT_EQ(
        refusal(R"("env_names": [])"),
        "/rules/0/env_names: expected a non-empty array of variables' names, got an empty array");
}

TEST(PolicyEnv, ANameThatStandsTwiceIsReadTheRefusingWay) {
    const ExecFacts twice = with_env({"MODE=safe", "MODE=evil"});
    EXPECT_TRUE(refuses(R"("env": {"MODE": "evil"})", twice));
    EXPECT_FALSE(passes(R"("env": {"MODE": "safe"})", twice));
    EXPECT_TRUE(passes(R"("env": {"MODE": "safe"})", with_env({"MODE=safe", "MODE=safe"})));
}

TEST(PolicyEnv, AStringWithoutEqualsIsReadTheRefusingWay) {
    const ExecFacts bare = with_env({"LD_PRELOAD"});
    EXPECT_TRUE(refuses(R"("env": {"LD_PRELOAD": true})", bare));
    EXPECT_FALSE(passes(R"("env": {"LD_PRELOAD": null})", bare));
    EXPECT_FALSE(passes(R"("env": {"LD_PRELOAD": true})", bare));
    EXPECT_TRUE(refuses(R"("env": {"LD_PRELOAD": null})", bare));
    EXPECT_TRUE(passes(R"("env": {"LD_PRELOAD": null})", with_env({"X=1"})));
}

TEST(PolicyEnv, RefusesBadNamesAndValues) {
    for (const std::string env :
         {"{}", "[]", R"({"": "x"})", R"({"A=B": "x"})", R"({"A": false})", R"({"A": 1})",
          R"({"A": []})", R"({"A/B": "x"})", R"({"A": {"glob": "a*"}})"}) {
        EXPECT_EQ(refusal("\"env\": " + env).find("/rules/0/env"), 0U) << env;
    }
}

TEST(PolicyIds, TakeNumbersRangesAndLists) {
    ExecFacts facts = exec_of("/bin/x");
    facts.uid = 1000;
    facts.gid = 50;
    EXPECT_TRUE(refuses(R"("uid": 1000)", facts));
    EXPECT_FALSE(refuses(R"("uid": 0)", facts));
    EXPECT_TRUE(refuses(R"("uid": {"min": 1})", facts));
    EXPECT_FALSE(refuses(R"("uid": {"max": 999})", facts));
    EXPECT_TRUE(refuses(R"("uid": [0, {"min": 1000, "max": 1001}])", facts));
    EXPECT_TRUE(refuses(R"("gid": 50)", facts));
    EXPECT_FALSE(refuses(R"("gid": 1000)", facts));
    facts.uid = 4'294'967'294U;
    EXPECT_TRUE(refuses(R"("uid": {"min": 1})", facts));
    for (const std::string uid : {"-1", "4294967295", "1.5", "\"root\"", "[]", "{}", "null",
                                  R"({"min": 2, "max": 1})", R"([[1]])", R"({"least": 1})"}) {
        EXPECT_EQ(refusal("\"uid\": " + uid).find("/rules/0/uid"), 0U) << uid;
    }
}

TEST(PolicyCwdAndVia, AskWhereTheExecComesFrom) {
    ExecFacts facts = exec_of("/bin/x", {}, Via::kExec);
    facts.cwd = "/srv/app";
    EXPECT_TRUE(refuses(R"("cwd": "/srv/*")", facts));
    EXPECT_FALSE(refuses(R"("cwd": ["/", "/srv"])", facts));
    EXPECT_TRUE(refuses(R"("via": "exec")", facts));
    EXPECT_TRUE(refuses(R"("via": ["entrypoint", "exec"])", facts));
    EXPECT_FALSE(refuses(R"("via": ["entrypoint", "child"])", facts));
    EXPECT_EQ(refusal(R"("via": "cron")"),
              "/rules/0/via: expected \"entrypoint\", \"exec\" or \"child\", got \"cron\"");
    EXPECT_NE(refusal(R"("via": [])"), "(accepted)");
    EXPECT_NE(refusal(R"("cwd": "app")"), "(accepted)");
    EXPECT_EQ(refusal(R"("cwd": "/")"), "(accepted)");
}

TEST(PolicyNot, HoldsIfOneOfItsConditionsDoesNot) {
    const std::string rule = R"("not": {"exe": "/bin/x", "uid": 0})";
    EXPECT_FALSE(refuses(rule, exec_of("/bin/x")));
    EXPECT_TRUE(refuses(rule, exec_of("/bin/y")));
    ExecFacts other = exec_of("/bin/x");
    other.uid = 1;
    EXPECT_TRUE(refuses(rule, other));
    EXPECT_NE(refusal(R"("not": {})"), "(accepted)");
    EXPECT_NE(refusal(R"("not": {"not": {"uid": 0}})"), "(accepted)");
}

TEST(Policy, NeedsForkTrackingForArgumentsAndForFilesThatAreNotVerified) {
    const auto needs = [](const std::string& conditions, const std::string& protect = "{}") {
        const auto policy = Policy::parse(
            R"({"apiVersion": "execseal/v1", "name": "p", "default": "allow",
                              "protect": )" +
                protect + R"(, "rules": [{"id": "r", "verdict": "deny", )" + conditions + "}]}",
            "p.json");
        EXPECT_TRUE(policy.has_value()) << (policy ? "" : policy.error().text());
        return policy->needs_fork_tracking();
    };
    EXPECT_FALSE(policy_of("[]")->needs_fork_tracking());
    EXPECT_FALSE(needs(R"("uid": 0)"));
    EXPECT_FALSE(needs(R"("via": "exec", "gid": 0, "not": {"uid": 0})"));
    EXPECT_FALSE(needs(R"("exe": "/bin/sh")"));
    EXPECT_FALSE(needs(R"("exe": "/bin/sh", "not": {"exe": "/bin/x", "uid": 0})"));
    EXPECT_TRUE(needs(R"("exe": "/bin/sh")", R"({"freeze": "pidns", "verify": false})"));
    EXPECT_FALSE(needs(R"("uid": 0)", R"({"freeze": "pidns", "verify": false})"));
    EXPECT_TRUE(needs(R"("cwd": "/")"));
    EXPECT_TRUE(needs(R"("env": {"A": null})"));
    EXPECT_TRUE(needs(R"("uid": 0, "not": {"argv": {"contains": ["x"]}})"));
}

TEST(Verdict, TheStricterOneWins) {
    EXPECT_EQ(stricter(Verdict::kAllow, Verdict::kAudit), Verdict::kAudit);
    EXPECT_EQ(stricter(Verdict::kDeny, Verdict::kAudit), Verdict::kDeny);
    EXPECT_EQ(stricter(Verdict::kDeny, Verdict::kKill), Verdict::kKill);
    EXPECT_EQ(Verdict{}, Verdict::kDeny);
}

}  // namespace
}  // namespace execseal
