// Every policy and every condition that the README shows is one that the loader takes.
#include <gtest/gtest.h>

#include <fstream>
#include <regex>
#include <sstream>

#include "config/policy.h"

namespace execseal {
namespace {

// From "## Policies" to the next section.
std::string policies_section() {
    std::ifstream file(EXECSEAL_SOURCE_DIR "/README.md");
    std::ostringstream all;
    all << file.rdbuf();
    const std::string text = all.str();
    const auto start = text.find("\n## Policies\n");
    if (start == std::string::npos) {
        return "";
    }
    return text.substr(start, text.find("\n## ", start + 1) - start);
}

// Indented blocks that begin with a brace.
std::vector<std::string> json_blocks(const std::string& section) {
    std::vector<std::string> blocks;
    std::istringstream lines(section);
    bool inside = false;
    for (std::string line; std::getline(lines, line);) {
        const bool indented = line.starts_with("    ");
        if (indented && !inside && line == "    {") {
            blocks.emplace_back();
            inside = true;
        }
        inside = inside && indented;
        if (inside) {
            blocks.back() += line + "\n";
        }
    }
    return blocks;
}

TEST(Readme, ItsPoliciesLoad) {
    const auto blocks = json_blocks(policies_section());
    EXPECT_GE(blocks.size(), 2U);
    for (const std::string& block : blocks) {
        const auto policy = Policy::parse(block, "README.md");
        EXPECT_TRUE(policy.has_value()) << policy.error().text() << "\n" << block;
    }
}

TEST(Readme, EveryConditionOfItsTableLoads) {
    const std::string section = policies_section();
    const std::regex row(
        R"re(\n\| `[a-z]+`[^|]*\| `("(exe|argv|env|uid|gid|cwd|via|not)": .*?)` \|)re");
    std::size_t rows = 0;
    for (auto it = std::sregex_iterator(section.begin(), section.end(), row);
         it != std::sregex_iterator(); ++it) {
        ++rows;
        const std::string exe = (*it)[2] == "exe" ? "" : R"("exe": "/usr/bin/x", )";
        const std::string policy =
            R"({"apiVersion": "execseal/v1", "name": "t", "default": "allow", "rules": [{"id": "r", )"
            R"("verdict": "deny", )" +
            exe + (*it)[1].str() + "}]}";
        const auto loaded = Policy::parse(policy, "README.md");
        EXPECT_TRUE(loaded.has_value()) << loaded.error().text() << "\n" << policy;
    }
    EXPECT_EQ(rows, 16U);
}

}  // namespace
}  // namespace execseal
