#include "hook/exec/script.h"

#include <gtest/gtest.h>

namespace execseal {
namespace {

using namespace std::string_literals;

// tests/kernel/shebang_kernel_test.cpp asks the kernel about lines like these.
struct Line {
    std::string head;
    std::optional<std::string> interpreter;
    std::optional<std::string> argument;
};

class ShebangLine : public ::testing::TestWithParam<Line> {};

TEST_P(ShebangLine, IsCutAsTheKernelCutsIt) {
    const auto parsed = parse_shebang(GetParam().head);
    ASSERT_EQ(parsed.has_value(), GetParam().interpreter.has_value());
    if (parsed) {
        EXPECT_EQ(parsed->interpreter, GetParam().interpreter);
        EXPECT_EQ(parsed->argument, GetParam().argument);
    }
}

std::string padded(std::string text, std::size_t size, char with) {
    text.resize(size, with);
    return text;
}

INSTANTIATE_TEST_SUITE_P(
    Table, ShebangLine,
    ::testing::Values(
        Line{"#!/bin/sh\n", "/bin/sh", {}}, Line{"#!/bin/sh", "/bin/sh", {}},
        Line{"#! \t/bin/sh\n", "/bin/sh", {}}, Line{"#!/bin/sh -e\n", "/bin/sh", "-e"},
        Line{"#!/bin/sh -e -u \t\n", "/bin/sh", "-e -u"},
        Line{"#!/bin/sh\t\t-e\n", "/bin/sh", "-e"}, Line{"#!/bin/sh \n", "/bin/sh", {}},
        Line{"#!/bin/sh\r\n", "/bin/sh\r", {}}, Line{"#!/bin/sh\0 x\n"s, "/bin/sh", {}},
        Line{"#!/bin/sh x\0y\n"s, "/bin/sh", "x"}, Line{"#!\n", {}, {}}, Line{"#!   \n", {}, {}},
        Line{"#!", "", {}}, Line{"#", {}, {}}, Line{"", {}, {}},
        Line{"\x7f"
             "ELF",
             {},
             {}},
        Line{" #!/bin/sh\n", {}, {}}, Line{padded("#!/", 256, 'x'), {}, {}},
        Line{padded("#!/", 254, 'x') + "\n", padded("/", 252, 'x'), {}},
        Line{padded("#!/", 255, 'x') + "\n", padded("/", 253, 'x'), {}},
        Line{padded("#!/", 256, 'x') + "\n", {}, {}},
        Line{padded("#!/bin/sh ", 300, 'a') + "\n", "/bin/sh", padded("", 245, 'a')},
        Line{padded("#!", 300, ' '), {}, {}}, Line{padded("#!", 250, ' ') + "/bin/sh\n", {}, {}}));

}  // namespace
}  // namespace execseal
