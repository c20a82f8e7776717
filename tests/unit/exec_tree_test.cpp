// `execseal tree`: who started what, from events.
#include "hook/cli/exec_tree.h"

#include <gtest/gtest.h>

#include "tests/unit/recorded_lines.h"

namespace execseal {
namespace {

struct Seen {
    int pid;
    int ppid;
    std::string exe;
    std::string via = "child";
    std::string verdict = "allow";
    std::string outcome = "executed";
    std::string container = "c1";
};

Event event_of(const Seen& seen) {
    const test::Line line{.exe = seen.exe,
                          .via = seen.via,
                          .verdict = seen.verdict,
                          .rule = seen.verdict == "deny" ? "default" : "r",
                          .more = {{"host_pid", seen.pid},
                                   {"ppid", seen.ppid},
                                   {"outcome", seen.outcome},
                                   {"container", {{"id", seen.container}, {"name", "web"}}}}};
    const auto event = parse_event(line.json().dump());
    EXPECT_TRUE(event.has_value()) << line.text();
    return event.value_or(Event());
}

std::string tree_of(const std::vector<Seen>& all, std::size_t columns = 0,
                    Colour colour = Colour::kNo) {
    ExecTree tree;
    for (const Seen& seen : all) {
        EXPECT_TRUE(tree.add(event_of(seen)).has_value());
    }
    return tree.text(columns, colour);
}

const Seen kStart{100, 1, "/bin/sh", "entrypoint"};

TEST(ExecTree, DrawsWhoStartedWhat) {
    EXPECT_EQ(tree_of({kStart,
                       {101, 100, "/usr/bin/make"},
                       {102, 101, "/usr/bin/cc"},
                       {102, 101, "/usr/bin/ld"},
                       {103, 100, "/usr/bin/curl", "child", "deny", "refused"},
                       {200, 7, "/bin/ps", "exec"}}),
              "web   # c1, policy p\n"
              "|-- allow  /bin/sh   # pid 100, entrypoint, rule r\n"
              "|   |-- allow  /usr/bin/make   # pid 101, rule r\n"
              "|   |   `-- allow  /usr/bin/cc   # pid 102, rule r\n"
              "|   |       `-- allow  /usr/bin/ld   # pid 102, rule r\n"
              "|   `-- deny  /usr/bin/curl   # pid 103, rule default: r\n"
              "`-- allow  /bin/ps   # pid 200, exec, rule r\n");
}

TEST(ExecTree, WhatWasRefusedOrFailedIsNobodysParent) {
    EXPECT_EQ(tree_of({kStart,
                       {101, 100, "/bin/bash"},
                       {101, 100, "/usr/bin/nc", "child", "deny", "refused"},
                       {101, 100, "/usr/bin/no", "child", "allow", "failed"},
                       {102, 101, "/bin/ls"}}),
              "web   # c1, policy p\n"
              "`-- allow  /bin/sh   # pid 100, entrypoint, rule r\n"
              "    `-- allow  /bin/bash   # pid 101, rule r\n"
              "        |-- deny  /usr/bin/nc   # pid 101, rule default: r\n"
              "        |-- allow  /usr/bin/no   # pid 101, rule r, failed\n"
              "        `-- allow  /bin/ls   # pid 102, rule r\n");
}

TEST(ExecTree, AProcessThatExecutedNothingStandsAsItsNumber) {
    EXPECT_EQ(tree_of({kStart, {103, 102, "/bin/a"}, {104, 102, "/bin/b"}}),
              "web   # c1, policy p\n"
              "|-- allow  /bin/sh   # pid 100, entrypoint, rule r\n"
              "`-- pid 102, of which no exec is recorded\n"
              "    |-- allow  /bin/a   # pid 103, rule r\n"
              "    `-- allow  /bin/b   # pid 104, rule r\n");
}

TEST(ExecTree, NumbersComeAgainAndAreOfOneContainer) {
    EXPECT_EQ(tree_of({kStart,
                       {101, 100, "/bin/a"},
                       {100, 9, "/bin/other", "entrypoint", "allow", "executed", "c2"},
                       {102, 100, "/bin/b", "child", "allow", "executed", "c2"},
                       {103, 101, "/bin/c"},
                       {101, 103, "/bin/again"}}),
              "web   # c1, policy p\n"
              "`-- allow  /bin/sh   # pid 100, entrypoint, rule r\n"
              "    `-- allow  /bin/a   # pid 101, rule r\n"
              "        `-- allow  /bin/c   # pid 103, rule r\n"
              "            `-- allow  /bin/again   # pid 101, rule r\n"
              "web   # c2, policy p\n"
              "`-- allow  /bin/other   # pid 100, entrypoint, rule r\n"
              "    `-- allow  /bin/b   # pid 102, rule r\n");
}

TEST(ExecTree, ColoursTheVerdictAloneAndFitsTheTerminal) {
    const Seen denied{101, 100, "/bin/\x1b[2J", "child", "deny", "refused"};
    const std::string text = tree_of({kStart, denied}, 40, Colour::kYes);
    EXPECT_NE(text.find("`-- \x1b[32mallow\x1b[0m  /bin/sh"), std::string::npos) << text;
    EXPECT_NE(text.find("    `-- \x1b[31mdeny\x1b[0m  "), std::string::npos) << text;
    EXPECT_EQ(text.find("\x1b[2J"), std::string::npos) << "a container moves no cursor";
    const std::string plain = tree_of({kStart, denied}, 40);
    EXPECT_EQ(plain.find('\x1b'), std::string::npos);
    std::istringstream lines(plain);
    for (std::string line; std::getline(lines, line);) {
        EXPECT_LE(line.size(), 40U) << line;
    }
}

TEST(ExecTree, AProgramThatExecutesItselfWithoutEndStaysInTheWindow) {
    ExecTree tree;
    static constexpr int kMany = 5000;
    (void)tree.add(event_of(kStart));
    for (int i = 0; i < kMany; ++i) {
        (void)tree.add(event_of({101, 100, "/bin/loop"}));
    }
    const std::string text = tree.text(0, Colour::kNo);
    EXPECT_NE(text.find("5001 deep: allow  /bin/loop"), std::string::npos);
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        EXPECT_LT(line.size(), 300U);
    }
}

TEST(ExecTree, ALineComesAsFarInAsItIsDeep) {
    ExecTree tree;
    (void)tree.add(event_of(kStart));
    const auto place = tree.add(event_of({101, 100, "/bin/ls"}));
    ASSERT_TRUE(place.has_value());
    EXPECT_EQ(tree.line(*place, 0, Colour::kNo), "    `-- allow  /bin/ls   # pid 101, rule r\n");
    Event start = event_of(kStart);
    start.kind = "start";
    EXPECT_FALSE(tree.add(start).has_value());
}

}  // namespace
}  // namespace execseal
