// What `policy check` warns of, each beside a neighbour that it does not warn of.
#include "hook/cli/policy_warnings.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "config/policy.h"
#include "tests/unit/folder_test.h"

namespace execseal {
namespace {

using Words = std::vector<std::string>;

Words warnings_of(const std::string& rules, const std::string& fallback = "deny",
                  const std::string& rootfs = "") {
    const std::string text = R"({"apiVersion": "execseal/v1", "name": "t", "default": ")" +
                             fallback + R"(", "rules": )" + rules + "}";
    const auto policy = Policy::parse(text, "t.json");
    EXPECT_TRUE(policy.has_value()) << policy.error().text();
    return policy_warnings(nlohmann::json::parse(text), rootfs);
}

TEST(PolicyWarnings, ARuleBehindOneThatAlwaysMatches) {
    for (const std::string always :
         {R"("exe": "**")", R"("exe": ["/bin/x", "/**"])", R"("uid": {"min": 0})",
          R"("via": ["child", "exec", "entrypoint"])", R"("argv": {"count": {"min": 0}})",
          R"("argv": {"every": [{"glob": "**"}]}, "cwd": "/**")"}) {
        EXPECT_EQ(warnings_of(R"([{"id": "a", "verdict": "allow", )" + always +
                              R"(}, {"id": "b", "verdict": "deny", "uid": 7}])"),
                  Words{"/rules/1: rule b is never asked: rule a before it always matches"})
            << always;
    }
    for (const std::string sometimes :
         {R"("exe": "/bin/**")", R"("uid": {"min": 1})", R"("via": ["child", "exec"])",
          R"("argv": {"count": {"min": 1}})", R"("exe": "**", "uid": 3)",
          R"("not": {"uid": {"min": 0}})"}) {
        EXPECT_EQ(warnings_of(R"([{"id": "a", "verdict": "allow", )" + sometimes +
                              R"(}, {"id": "b", "verdict": "deny", "uid": 7}])"),
                  Words{})
            << sometimes;
    }
}

TEST(PolicyWarnings, ARuleBehindOneThatMatchesMore) {
    const auto two = [](const std::string& first, const std::string& second) {
        return warnings_of("[{\"id\": \"a\", " + first + "}, {\"id\": \"b\", " + second + "}]");
    };
    const Words never{
        "/rules/1: rule b is never asked: rule a before it matches whatever it would match"};
    EXPECT_EQ(two(R"("verdict": "deny", "exe": "**/git")",
                  R"("verdict": "allow", "exe": "/usr/bin/git", "uid": 0)"),
              never);
    EXPECT_EQ(two(R"("verdict": "allow", "uid": 5)", R"("verdict": "allow", "uid": 5, "gid": 5)"),
              never);
    EXPECT_EQ(two(R"("verdict": "allow", "parent": "/bin/*")",
                  R"("verdict": "allow", "parent": "/bin/sh", "depth": 3)"),
              never);
    EXPECT_EQ(two(R"("verdict": "allow", "parent": "/bin/*")",
                  R"("verdict": "allow", "ancestor": "/bin/sh")"),
              Words{});
    EXPECT_EQ(two(R"("verdict": "deny", "exe": "**/git", "uid": 1)",
                  R"("verdict": "allow", "exe": "/usr/bin/git")"),
              Words{});
    EXPECT_EQ(two(R"("verdict": "deny", "exe": "/usr/bin/git")",
                  R"("verdict": "allow", "exe": "**/git")"),
              Words{});
    // A rule that refuses sees more than one that lets pass.
    EXPECT_EQ(two(R"("verdict": "allow", "exe": "/usr/bin/git")",
                  R"("verdict": "deny", "exe": "/usr/bin/git")"),
              Words{});
}

TEST(PolicyWarnings, AListThatACopyGetsAround) {
    const std::string list = R"([{"id": "r", "verdict": "deny", "exe": ["**/sh", "**/bash"]}])";
    const Words copy{
        "/rules/0/exe: rule r refuses by name where the default lets pass: a copy of the program "
        "under another name gets around it"};
    EXPECT_EQ(warnings_of(list, "allow"), copy);
    EXPECT_EQ(warnings_of(list, "audit"), copy);
    EXPECT_EQ(warnings_of(R"([{"id": "r", "verdict": "kill", "exe": "**/sh"}])", "allow"), copy);
    EXPECT_EQ(warnings_of(list, "deny"), Words{});
    EXPECT_EQ(
        warnings_of(R"([{"id": "r", "verdict": "deny", "not": {"exe": "/usr/bin/*"}}])", "allow"),
        Words{});
    EXPECT_EQ(
        warnings_of(R"([{"id": "r", "verdict": "allow", "exe": ["/bin/a", "/bin/b"]}])", "allow"),
        Words{});
}

TEST(PolicyWarnings, ARegexWithoutAnchorsThatLetsPass) {
    const auto count = [](const std::string& rule) { return warnings_of("[" + rule + "]").size(); };
    EXPECT_EQ(
        warnings_of(
            R"([{"id": "r", "verdict": "allow", "exe": "/bin/x", "argv": {"any": ["a", {"regex": "b"}]}}])"),
        Words{"/rules/0/argv/any/1/regex: \"b\" has no anchors: where a match lets pass it must "
              "match the whole; write it as ^...$, so that it says so"});
    for (const std::string rule :
         {R"({"id": "r", "verdict": "audit", "env": {"A": {"regex": "^b"}}})",
          R"({"id": "r", "verdict": "allow", "argv": {"at": {"1": {"regex": "b$"}}}})",
          R"({"id": "r", "verdict": "allow", "argv": {"any": [{"regex": "^a|b$"}]}})",
          R"({"id": "r", "verdict": "allow", "argv": {"any": [{"regex": "^(a)[]|]\\|b|c$"}]}})",
          R"({"id": "r", "verdict": "deny", "not": {"argv": {"any": [{"regex": "b\\$"}]}}})"}) {
        EXPECT_EQ(count(rule), 1U) << rule;
    }
    for (
        const std::string rule :
        {R"({"id": "r", "verdict": "deny", "argv": {"any": [{"regex": "b"}]}})",
         R"({"id": "r", "verdict": "allow", "argv": {"any": [{"regex": "^b$"}]}})",
         R"({"id": "r", "verdict": "allow", "argv": {"any": [{"regex": "(?i)^b$"}]}})",
         R"({"id": "r", "verdict": "allow", "argv": {"any": [{"regex": "^(a|b)[]|x]\\|[^]|]$"}]}})",
         R"({"id": "r", "verdict": "allow", "argv": {"none": [{"regex": "b"}]}})",
         R"({"id": "r", "verdict": "allow", "uid": 0, "not": {"env": {"A": {"regex": "b"}}}})"}) {
        EXPECT_EQ(count(rule), 0U) << rule;
    }
}

class PolicyWarningsRoot : public FolderTest {
  protected:
    PolicyWarningsRoot() {
        std::filesystem::create_directories(directory_ + "/usr/bin");
        std::filesystem::create_directory_symlink("usr/bin", directory_ + "/bin");
        std::ofstream(directory_ + "/usr/bin/dash") << "x";
        std::filesystem::create_symlink("dash", directory_ + "/usr/bin/sh");
    }
    Words look(const std::string& rule) {
        return warnings_of(R"([{"id": "r", )" + rule + "}]", "deny", directory_);
    }
};

TEST_F(PolicyWarningsRoot, ANameThatIsALinkNeverLetsPass) {
    EXPECT_EQ(
        look(R"("verdict": "allow", "exe": "/usr/bin/sh")"),
        Words{"/rules/0/exe: \"/usr/bin/sh\" never matches: \"/usr/bin/sh\" is a link in this "
              "root file system, the program is \"/usr/bin/dash\""});
    EXPECT_EQ(look(R"("verdict": "allow", "exe": ["/usr/bin/dash", "/bin/*"])").size(), 1U);
    EXPECT_EQ(look(R"("verdict": "deny", "not": {"exe": "/bin/dash"})").size(), 1U);
    EXPECT_EQ(look(R"("verdict": "allow", "parent": "/usr/bin/sh")").size(), 1U);
    EXPECT_EQ(look(R"("verdict": "allow", "ancestor": ["/usr/bin/dash", "/usr/bin/sh"])"), Words{});
    EXPECT_EQ(look(R"("verdict": "allow", "exe": "/usr/bin/dash")"), Words{});
    EXPECT_EQ(look(R"("verdict": "allow", "exe": ["/bin/*", "/usr/bin/*"])"), Words{});
    EXPECT_EQ(look(R"("verdict": "allow", "exe": "/usr/bin/not-there")"), Words{});
    // A rule that refuses sees a link's name, too.
    EXPECT_EQ(look(R"("verdict": "deny", "exe": "/bin/sh")"), Words{});
    EXPECT_EQ(warnings_of(R"([{"id": "r", "verdict": "allow", "exe": "/usr/bin/sh"}])"), Words{});
}

TEST_F(PolicyWarningsRoot, NamesThatNoProgramEverHas) {
    EXPECT_EQ(warnings_of(R"([{"id": "r", "verdict": "allow", "exe": "/proc/self/exe"}])"),
              Words{"/rules/0/exe: \"/proc/self/exe\" never matches: the program is judged by the "
                    "file behind it"});
    EXPECT_EQ(
        warnings_of(R"([{"id": "r", "verdict": "allow", "uid": 0}])", "deny", "/nowhere").size(),
        1U);
}

// The shipped ones say in their descriptions what a copy does; nothing else is to be said of them.
TEST(PolicyWarnings, OfTheShippedPolicies) {
    for (const auto& entry :
         std::filesystem::directory_iterator(EXECSEAL_SOURCE_DIR "/config/policies")) {
        std::ifstream file(entry.path());
        for (const std::string& warning : policy_warnings(nlohmann::json::parse(file), "")) {
            EXPECT_NE(warning.find("a copy of the program"), std::string::npos)
                << entry.path() << warning;
        }
    }
}

}  // namespace
}  // namespace execseal
