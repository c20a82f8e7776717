// Edits of other programs' files: nothing else changes, and each edit has its exact reverse.
#include "hook/cli/text_edit.h"

#include <gtest/gtest.h>

namespace execseal {
namespace {

constexpr const char* kToml =
    "version = 2\n# mine\n[plugins]\n  [plugins.\"x\"]  # odd   spacing\n    a=1\n";
constexpr const char* kAddition = R"({"runtimes": {"execseal": {"path": "/usr/bin/shim"}}})";

TEST(MarkedBlock, GoesToTheEndAndComesOutAgain) {
    const std::string with = with_block(kToml, "[a]\n");
    EXPECT_TRUE(with.starts_with(kToml));
    EXPECT_NE(with.find("\n[a]\n"), std::string::npos);
    EXPECT_EQ(without_block(with).value(), kToml);
    EXPECT_EQ(without_block(kToml).value(), kToml);
    EXPECT_EQ(without_block(with_block("", "[a]\n")).value(), "");
}

TEST(MarkedBlock, IsReplacedInItsPlace) {
    const std::string with = with_block(kToml, "[a]\n") + "[later]\n";
    const std::string again = with_block(with, "[b]\n");
    EXPECT_EQ(again.find("[a]"), std::string::npos);
    EXPECT_TRUE(again.ends_with("[later]\n"));
    EXPECT_EQ(with_block(again, "[b]\n"), again);
    EXPECT_EQ(without_block(again).value(), std::string(kToml) + "[later]\n");
}

TEST(MarkedBlock, AFileWithoutALastNewlineGetsOne) {
    EXPECT_TRUE(with_block("a = 1", "[b]\n").starts_with("a = 1\n#"));
}

TEST(MarkedBlock, AFileWithoutALastNewlineIsAsItWas) {
    const std::string with = with_block("a = 1", "[b]\n");
    EXPECT_EQ(without_block(with).value(), "a = 1");
    EXPECT_EQ(with_block(with, "[b]\n"), with);
    EXPECT_EQ(without_block(with + "c = 1\n").value(), "a = 1\nc = 1\n")
        << "what was written behind it is no part of that line";
}

TEST(MarkedBlock, HalfOfItIsNotGuessedAt) {
    const std::string with = with_block(kToml, "[a]\n");
    const auto end = with.find("# execseal install: end");
    EXPECT_FALSE(without_block(with.substr(0, end)).has_value());
    EXPECT_FALSE(without_block(with.substr(end)).has_value());
}

TEST(DockerRuntimes, AreAddedBesideTheOthersWithTheFilesIndentation) {
    const std::string daemon =
        "{\n  \"log-driver\": \"journald\",\n  \"runtimes\": {\"kata\": {\"path\": \"/k\"}}\n}\n";
    const auto with = with_docker_runtimes(daemon, kAddition);
    ASSERT_TRUE(with.has_value());
    EXPECT_TRUE(
        with->starts_with("{\n  \"log-driver\": \"journald\",\n  \"runtimes\": {\n    "
                          "\"kata\""))
        << *with;
    EXPECT_NE(with->find("\"execseal\""), std::string::npos);
    EXPECT_EQ(with_docker_runtimes(*with, kAddition).value(), *with);
    const auto without = without_docker_runtimes(*with, kAddition);
    EXPECT_EQ(without->find("execseal"), std::string::npos);
    EXPECT_NE(without->find("\"kata\""), std::string::npos);
}

TEST(DockerRuntimes, OfAnEmptyFileGoWithoutATrace) {
    const auto with = with_docker_runtimes("", kAddition);
    ASSERT_TRUE(with.has_value());
    EXPECT_EQ(without_docker_runtimes(*with, kAddition).value(), "{}\n");
    EXPECT_EQ(without_docker_runtimes("{ }", kAddition).value(), "{ }");
}

TEST(DockerRuntimes, RefuseWhatTheyDoNotUnderstandAndWhatWouldStopDocker) {
    EXPECT_FALSE(with_docker_runtimes("{,}", kAddition).has_value());
    EXPECT_FALSE(with_docker_runtimes("[]", kAddition).has_value());
    EXPECT_FALSE(with_docker_runtimes(R"({"runtimes": 1})", kAddition).has_value());
    const auto chosen = without_docker_runtimes(
        R"({"default-runtime": "execseal", "runtimes": {"execseal": {"path": "/x"}}})", kAddition);
    ASSERT_FALSE(chosen.has_value());
    EXPECT_NE(chosen.error().text().find("/default-runtime"), std::string::npos);
}

TEST(UnifiedDiff, ShowsTheChangeWithItsSurroundings) {
    EXPECT_EQ(unified_diff("f", "1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\nX\n6\n7\n8\n9\n"),
              "--- f\n+++ f\n@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+X\n 6\n 7\n 8\n");
    EXPECT_EQ(unified_diff("f", "a\n", "a\nb\n"), "--- f\n+++ f\n@@ -1,1 +1,2 @@\n a\n+b\n");
    EXPECT_EQ(unified_diff("f", "same", "same"), "");
}

TEST(UnifiedDiff, NamesFilesThatComeAndGo) {
    EXPECT_EQ(unified_diff("f", std::nullopt, "a\n"),
              "--- /dev/null\n+++ f\n@@ -0,0 +1,1 @@\n+a\n");
    EXPECT_EQ(unified_diff("f", "a\n", std::nullopt),
              "--- f\n+++ /dev/null\n@@ -1,1 +0,0 @@\n-a\n");
}

}  // namespace
}  // namespace execseal
