// The command line of `execseal`: what is wrong is said with exit code 2 and never runs anything.
#include "hook/cli/command_line.h"

#include <gtest/gtest.h>

namespace execseal {
namespace {

using Words = std::vector<std::string>;

TEST(CliCommandLine, RefusesWhatItDoesNotKnow) {
    const std::vector<Words> wrong{{},
                                   {"frobnicate"},
                                   {"--frobnicate"},
                                   {"ps", "extra"},
                                   {"ps", "-t"},
                                   {"ps", "--format", "yaml"},
                                   {"events", "--verdict", "maybe"},
                                   {"events", "--via", "ssh"},
                                   {"events", "--outcome", "fine"},
                                   {"events", "-n", "many"},
                                   {"policy"},
                                   {"policy", "explain"},
                                   {"policy", "explain", "p.json"},
                                   {"policy", "explain", "p.json", "--"},
                                   {"policy", "explain", "p.json", "/bin/sh"},
                                   {"policy", "explain", "p.json", "--uid", "root", "--", "/x"},
                                   {"policy", "explain", "p.json", "--uid", "-1", "--", "/x"},
                                   {"policy", "explain", "p.json", "--", "sh"},
                                   {"policy", "explain", "p.json", "--env", "A", "--", "/x"},
                                   {"policy", "explain", "p.json", "--cwd", "srv", "--", "/x"},
                                   {"events", "--since", "tomorrow"},
                                   {"events", "--exe", "[a"},
                                   {"events", "-n", "-3"},
                                   {"events", "-n", "0"},
                                   {"--config"}};
    for (const Words& words : wrong) {
        const ParsedCommand parsed = parse_command_line(words);
        EXPECT_FALSE(parsed.action) << testing::PrintToString(words);
        EXPECT_EQ(parsed.code, 2) << testing::PrintToString(words);
        EXPECT_TRUE(parsed.text.starts_with("execseal: ")) << parsed.text;
        EXPECT_NE(parsed.text.find("--help)\n"), std::string::npos) << parsed.text;
    }
}

TEST(CliCommandLine, NamesTheWordThatIsWrong) {
    const std::vector<std::pair<Words, std::string>> rows{
        {{"evnts"}, "evnts: no such command (see: execseal --help)"},
        {{"policy", "chek"}, "chek: no such command (see: execseal policy --help)"},
        {{"ps", "--al"}, "--al: no such option (see: execseal ps --help)"},
        {{"policy", "explain", "p", "/bin/ls", "-l"}, "/bin/ls: expected -- before the program"},
        {{"policy", "explain", "p", "--uid", "root", "--", "/x"}, "--uid: root: expected a number"},
        {{"events", "-n", "-3"}, "--last: -3: expected a number from 1 on"},
        {{"policy", "explain", "p", "--", "sh"}, "sh: expected the absolute path of the program"},
        {{"policy", "explain", "p", "--", "/usr/bin/../../tmp/x"},
         "/usr/bin/../../tmp/x: expected the absolute path of the program"},
        {{"policy", "explain", "p", "--", "/usr//bin/x"},
         "/usr//bin/x: expected the absolute path of the program"},
        {{"policy", "explain", "p", "--cwd", "/srv/../x", "--", "/x"},
         "--cwd: /srv/../x: expected an absolute path without"},
        {{"policy", "explain", "p", "--parent", "sh", "--", "/x"},
         "--parent: sh: expected an absolute path without"},
        {{"policy", "explain", "p", "--via", "exec", "--parent", "/bin/sh", "--", "/x"},
         "--parent: expected --via child beside it"},
        {{"policy", "explain", "p", "--env", "A", "--", "/x"}, "--env: A: expected NAME=VALUE"},
        {{"events", "--since", "10"}, "--since: 10: expected an age"}};
    for (const auto& [words, text] : rows) {
        const ParsedCommand parsed = parse_command_line(words);
        EXPECT_TRUE(parsed.text.starts_with("execseal: " + text)) << parsed.text;
    }
}

TEST(CliCommandLine, TakesWhatTheHelpShows) {
    const std::vector<Words> right{
        {"ps"},
        {"ps", "-t", "web", "--format", "json"},
        {"events", "--follow", "--verdict", "deny", "--verdict", "kill", "-n", "3"},
        {"policy", "check"},
        {"policy", "check", "a.json", "b.json"},
        {"policy", "explain", "a.json", "--via", "exec", "--env", "A=b", "--", "/bin/sh", "-c"},
        {"policy", "explain", "a.json", "--parent", "/bin/sh", "--parent", "/x", "--", "/bin/id"},
        {"policy", "explain", "--", "/bin/sh"},
        {"version"},
        {"--config", "/x", "ps"},
        {"ps", "--config", "/x"}};
    for (const Words& words : right) {
        const ParsedCommand parsed = parse_command_line(words);
        const bool expected = words[1 % words.size()] != "explain" || words.size() > 4;
        EXPECT_EQ(static_cast<bool>(parsed.action), expected)
            << testing::PrintToString(words) << parsed.text;
    }
}

TEST(CliCommandLine, HelpTeachesWithExamplesAndExitCodes) {
    for (const Words& words :
         {Words{"--help"}, Words{"ps", "--help"}, Words{"events", "-h"}, Words{"policy", "--help"},
          Words{"install", "--help"}, Words{"uninstall", "--help"},
          Words{"policy", "check", "--help"}, Words{"policy", "explain", "--help"}}) {
        const ParsedCommand parsed = parse_command_line(words);
        EXPECT_FALSE(parsed.action);
        EXPECT_EQ(parsed.code, 0);
        EXPECT_NE(parsed.text.find("Examples:"), std::string::npos) << parsed.text;
        EXPECT_NE(parsed.text.find("Exit codes: 0"), std::string::npos) << parsed.text;
        std::size_t longest = 0;
        for (std::size_t start = 0; start < parsed.text.size();) {
            const auto end = std::min(parsed.text.find('\n', start), parsed.text.size());
            longest = std::max(longest, end - start);
            start = end + 1;
        }
        EXPECT_LE(longest, 100U) << parsed.text;
    }
    EXPECT_EQ(parse_command_line({"--version"}).text.rfind("execseal ", 0), 0U);
}

}  // namespace
}  // namespace execseal
