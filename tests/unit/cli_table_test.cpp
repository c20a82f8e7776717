// Tables and words of `execseal`: in line for a person, harmless for a terminal.
#include "hook/cli/table.h"

#include <gtest/gtest.h>

namespace execseal {
namespace {

TEST(Table, MakesEachColumnAsWideAsItsLongestCellAndLeavesNoTrailingBlanks) {
    EXPECT_EQ(table_text({"ID", "NAME", "LAST"}, {{"1", "a", ""}, {"22", "longer", "x"}}),
              "ID  NAME    LAST\n"
              "1   a\n"
              "22  longer  x\n");
    EXPECT_EQ(table_text({"A", "B"}, {}), "A  B\n");
}

TEST(Table, StreamedHoldsBackUntilSettledThenGrows) {
    StreamedTable table({"A", "B"});
    EXPECT_EQ(table.add({"long", "1"}), "");
    EXPECT_EQ(table.settle(), "A     B\nlong  1\n");
    EXPECT_EQ(table.add({"x", "2"}), "x     2\n");
    EXPECT_EQ(table.add({"longer", "3"}), "longer  3\n");
    EXPECT_EQ(table.add({"x", "4"}), "x       4\n");
    EXPECT_EQ(table.settle(), "");
}

TEST(Table, StreamedIsBoundedInWhatItHoldsBack) {
    StreamedTable table({"A"});
    std::size_t lines = 0;
    for (int i = 0; i < 5000; ++i) {
        const std::string text = table.add({"x"});
        lines += static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
    }
    EXPECT_GT(lines, 4000U);
    const std::string rest = table.settle();
    EXPECT_EQ(lines + static_cast<std::size_t>(std::count(rest.begin(), rest.end(), '\n')), 5001U);
}

TEST(Words, QuoteWhatAShellWouldTakeApartOrATerminalWouldObey) {
    EXPECT_EQ(shell_word("/bin/sh"), "/bin/sh");
    EXPECT_EQ(shell_word("--a=b:c,d@e%f+g"), "--a=b:c,d@e%f+g");
    EXPECT_EQ(shell_word(""), "\"\"");
    EXPECT_EQ(shell_word("two words"), "\"two words\"");
    EXPECT_EQ(shell_word("\x1b[31m"), "\"\\x1b[31m\"");
    EXPECT_EQ(shell_word("a\nb"), "\"a\\x0ab\"");
    EXPECT_EQ(shell_word("$(id)"), "\"$(id)\"");
    EXPECT_EQ(printable("exe is \"/bin/\xff\"\n"), "exe is \"/bin/\\xff\"\\x0a");
}

TEST(Words, ACommandIsTheProgramAndItsArgumentsNotArgv0) {
    const std::vector<std::string> argv{"sh", "-c", "echo hi"};
    EXPECT_EQ(command_text("/bin/dash", argv), "/bin/dash -c \"echo hi\"");
    EXPECT_EQ(command_text("/bin/dash", {}), "/bin/dash");
    const std::vector<std::string> many(10'000, "word");
    const std::string cut = command_text("/bin/x", many, 50);
    EXPECT_LT(cut.size(), 90U);
    EXPECT_TRUE(cut.ends_with("... (9999 arguments)")) << cut;
}

TEST(Words, ShortenDigestsAndTimesOnly) {
    const std::string digest(64, 'a');
    EXPECT_EQ(short_id(digest), "aaaaaaaaaaaa");
    EXPECT_EQ(short_id("my-container"), "my-container");
    EXPECT_EQ(short_id(std::string(64, 'z')), std::string(64, 'z'));
    EXPECT_EQ(short_time("2026-01-31T23:59:59.123456Z"), "2026-01-31 23:59:59");
    EXPECT_EQ(short_time("-"), "-");
}

}  // namespace
}  // namespace execseal
