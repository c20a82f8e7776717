#include "config/glob.h"

#include <gtest/gtest.h>

namespace execseal {
namespace {

bool matches(std::string_view pattern, std::string_view text) {
    const auto glob = Glob::compile(pattern);
    EXPECT_TRUE(glob.has_value()) << pattern;
    return glob && glob->matches(text);
}

TEST(Glob, LiteralMatchesItselfOnly) {
    EXPECT_TRUE(matches("/usr/bin/git", "/usr/bin/git"));
    EXPECT_FALSE(matches("/usr/bin/git", "/usr/bin/git2"));
    EXPECT_FALSE(matches("/usr/bin/git", "/x/usr/bin/git"));
    EXPECT_FALSE(matches("/usr/bin/g.t", "/usr/bin/git"));
    EXPECT_TRUE(Glob::compile("/usr/bin/a\\*b")->is_literal());
    EXPECT_TRUE(matches("/usr/bin/a\\*b", "/usr/bin/a*b"));
    EXPECT_FALSE(matches("/usr/bin/a\\*b", "/usr/bin/axb"));
}

TEST(Glob, OneStarStaysWithinAComponent) {
    EXPECT_TRUE(matches("/usr/bin/pg_*", "/usr/bin/pg_dump"));
    EXPECT_TRUE(matches("/usr/bin/pg_*", "/usr/bin/pg_"));
    EXPECT_FALSE(matches("/usr/bin/pg_*", "/usr/bin/pg_/dump"));
    EXPECT_FALSE(matches("/usr/*", "/usr/bin/x"));
    EXPECT_TRUE(matches("/a/?", "/a/b"));
    EXPECT_FALSE(matches("/a?b", "/a/b"));
}

TEST(Glob, WhatStandsBeforeTheFirstWildcardIsWhatAMatchBeginsWith) {
    EXPECT_TRUE(matches("LD_*", "LD_PRELOAD"));
    EXPECT_TRUE(matches("LD_*", "LD_"));
    EXPECT_FALSE(matches("LD_*", "LD"));
    EXPECT_FALSE(matches("LD_*", "OLD_PWD"));
    EXPECT_TRUE(matches("/a\\*b*c", "/a*bxc"));
    EXPECT_FALSE(matches("/a\\*b*c", "/axbxc"));
    EXPECT_FALSE(matches("/a*b", "/acx"));
    EXPECT_TRUE(matches("[ab]c", "bc"));
    EXPECT_TRUE(matches("?x", "ax"));
}

TEST(Glob, TwoStarsCrossComponents) {
    EXPECT_TRUE(matches("/usr/**", "/usr/bin/x"));
    EXPECT_FALSE(matches("/usr/**", "/usr"));
    EXPECT_TRUE(matches("**/git", "/usr/bin/git"));
    EXPECT_TRUE(matches("**/git", "git"));
    EXPECT_FALSE(matches("**/git", "/usr/bin/xgit"));
    EXPECT_TRUE(matches("/usr/**/git", "/usr/git"));
    EXPECT_TRUE(matches("/usr/**/git", "/usr/lib/git-core/git"));
    EXPECT_TRUE(matches("**", ""));
    EXPECT_TRUE(matches("--exec=**", "--exec=/bin/sh"));
}

TEST(Glob, SetsMatchOneByteThatIsNoSlash) {
    EXPECT_TRUE(matches("python3.[0-9]", "python3.9"));
    EXPECT_FALSE(matches("python3.[0-9]", "python3.x"));
    EXPECT_FALSE(matches("python3.[0-9]", "python3.11"));
    EXPECT_TRUE(matches("a[!b-d]", "ae"));
    EXPECT_FALSE(matches("a[!b-d]", "ac"));
    EXPECT_FALSE(matches("a[!b]", "a/"));
    EXPECT_TRUE(matches("a[]]", "a]"));
    EXPECT_TRUE(matches("a[^.]", "ax"));
}

TEST(Glob, SeesBytesNotCharacters) {
    EXPECT_TRUE(matches("/a?", "/a\xff"));
    EXPECT_TRUE(matches("/*", "/\n\xc3"));
    EXPECT_TRUE(matches("/\xc3\xa9*", "/\xc3\xa9x"));
    EXPECT_TRUE(matches("**x", std::string_view("a\0x", 3)));
}

TEST(Glob, RefusesWhatHasNoClearMeaning) {
    for (const std::string_view pattern :
         {"", "a***", "[a", "a]", "a\\", "[z-a]", "[a/b]", "[+-0]", "[-/]", "[--/]", "[]", "[!]"}) {
        EXPECT_FALSE(Glob::compile(pattern).has_value()) << pattern;
    }
}

TEST(Glob, IsLinearInAHostileText) {
    const std::string text(100'000, 'a');
    EXPECT_FALSE(matches("**a*a*a*a*a*a*a*b", text));
}

}  // namespace
}  // namespace execseal
