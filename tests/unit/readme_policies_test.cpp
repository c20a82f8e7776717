// Every policy and every condition that the README and the manual show is one that the loader
// takes.
#include <gtest/gtest.h>

#include <fstream>
#include <regex>
#include <sstream>

#include "config/policy.h"

namespace execseal {
namespace {

std::string text_of(const std::string& path) {
    std::ifstream file(EXECSEAL_SOURCE_DIR "/" + path);
    std::ostringstream all;
    all << file.rdbuf();
    return all.str();
}

// The page as it is read: "\\-" is a dash.
std::string manual() {
    return std::regex_replace(text_of("deploy/man/execseal-policy.5"), std::regex(R"(\\-)"), "-");
}

// From a line that is a brace to the line that closes it, both indented by `margin`.
std::vector<std::string> json_blocks(const std::string& text, const std::string& margin) {
    std::vector<std::string> blocks;
    std::istringstream lines(text);
    bool inside = false;
    for (std::string line; std::getline(lines, line);) {
        if (!inside && line == margin + "{") {
            blocks.emplace_back();
            inside = true;
        }
        if (inside) {
            blocks.back() += line + "\n";
            inside = line != margin + "}";
        }
    }
    return blocks;
}

void expect_loads(const std::string& policy, const std::string& source) {
    const auto loaded = Policy::parse(policy, source);
    EXPECT_TRUE(loaded.has_value()) << loaded.error().text() << "\n" << policy;
}

TEST(Readme, ItsPoliciesLoad) {
    const auto in_readme = json_blocks(text_of("README.md"), "    ");
    const auto in_manual = json_blocks(manual(), "");
    EXPECT_GE(in_readme.size(), 1U);
    EXPECT_GE(in_manual.size(), 2U);
    for (const std::string& block : in_readme) {
        expect_loads(block, "README.md");
    }
    for (const std::string& block : in_manual) {
        expect_loads(block, "execseal-policy.5");
    }
}

TEST(Readme, EveryConditionOfTheManualsExamplesLoads) {
    const std::string text = manual();
    const auto start = text.find("\n.SH CONDITIONS BY EXAMPLE\n");
    ASSERT_NE(start, std::string::npos);
    const std::string section = text.substr(start, text.find("\n.SH ", start + 1) - start);
    const std::regex row(R"re(\n("(exe|argv|env|uid|gid|cwd|via|not)": .*))re");
    std::size_t rows = 0;
    for (auto it = std::sregex_iterator(section.begin(), section.end(), row);
         it != std::sregex_iterator(); ++it) {
        ++rows;
        const std::string exe = (*it)[2] == "exe" ? "" : R"("exe": "/usr/bin/x", )";
        expect_loads(
            R"({"apiVersion": "execseal/v1", "name": "t", "default": "allow", "rules": [{"id": "r", )"
            R"("verdict": "deny", )" +
                exe + (*it)[1].str() + "}]}",
            "execseal-policy.5");
    }
    EXPECT_GE(rows, 16U);
}

}  // namespace
}  // namespace execseal
