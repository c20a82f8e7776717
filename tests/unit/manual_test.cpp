// Manual pages and shell completion keep up with the program: every command, option and key that
// there is stands in them.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>
#include <sstream>

#include "hook/cli/command_line.h"
#include "hook/os/captured_run.h"

namespace execseal {
namespace {

using Words = std::vector<std::string>;

const std::string kSource = EXECSEAL_SOURCE_DIR "/";
const std::string kDeploy = kSource + "deploy/";

std::string text_of(const std::string& path) {
    std::ifstream file(path);
    EXPECT_TRUE(file.good()) << path;
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

// A page without its backslashes before dashes.
std::string page(const std::string& name) {
    std::string text = text_of(kDeploy + "man/" + name);
    for (auto at = text.find("\\-"); at != std::string::npos; at = text.find("\\-", at)) {
        text.erase(at, 1);
    }
    return text;
}

const std::vector<Words> kCommands{{},
                                   {"ps"},
                                   {"events"},
                                   {"tree"},
                                   {"run"},
                                   {"policy", "check"},
                                   {"policy", "explain"},
                                   {"policy", "learn"},
                                   {"reload"},
                                   {"mode"},
                                   {"policy", "test"},
                                   {"why"},
                                   {"doctor"},
                                   {"install"},
                                   {"uninstall"},
                                   {"version"}};

// Long options of a command's help.
std::set<std::string> options_of(Words command) {
    command.emplace_back("--help");
    const std::string help = parse_command_line(command).text;
    std::set<std::string> options;
    // At the beginning of a line, behind the short one.
    const std::regex option(R"(\n  (?:-\w,)?--([a-z-]+))");
    for (auto it = std::sregex_iterator(help.begin(), help.end(), option);
         it != std::sregex_iterator(); ++it) {
        options.insert((*it)[1]);
    }
    EXPECT_TRUE(options.contains("help")) << help;
    return options;
}

TEST(Manual, NamesEveryCommandAndOption) {
    const std::string manual = page("execseal.1");
    for (const Words& command : kCommands) {
        for (const std::string& word : command) {
            EXPECT_NE(manual.find(word), std::string::npos) << word;
        }
        for (const std::string& option : options_of(command)) {
            EXPECT_NE(manual.find("--" + option), std::string::npos) << option;
        }
    }
}

TEST(CompletionScripts, KnowEveryCommandAndOptionInEachShell) {
    for (const char* name : {"execseal.bash", "_execseal", "execseal.fish"}) {
        const std::string text = text_of(kDeploy + "completion/" + name);
        const bool fish = std::string(name).ends_with(".fish");
        for (const Words& command : kCommands) {
            for (const std::string& word : command) {
                EXPECT_NE(text.find(word), std::string::npos) << name << ": " << word;
            }
            for (const std::string& option : options_of(command)) {
                // fish's list of programs is a loop.
                const std::string wanted = fish ? option : "--" + option;
                EXPECT_NE(text.find(wanted), std::string::npos) << name << ": " << option;
            }
        }
    }
}

// What a shell's completion script offers at the end of `line`, sorted.
class Completion : public testing::TestWithParam<const char*> {
  protected:
    static Words completed(const std::string& line) {
        const auto ran = run_captured(command(line), std::chrono::seconds(20));
        EXPECT_TRUE(ran.has_value() && ran->exit_code == 0);
        std::istringstream lines(ran ? ran->out : "");
        Words words;
        for (std::string word; std::getline(lines, word);) {
            words.push_back(word.substr(0, word.find('\t')));  // fish: the description
        }
        std::sort(words.begin(), words.end());
        return words;
    }

  private:
    // As bash calls it, with the cursor at the end of the last word.
    static constexpr const char* kAskBash = R"(
source "$1"
read -ra COMP_WORDS <<<"$2"
[[ $2 != *' ' ]] || COMP_WORDS+=('')
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_execseal
for word in "${COMPREPLY[@]}"; do echo "$word"; done
)";

    static Words command(const std::string& line) {
        const std::string shell = GetParam();
        const std::string folder = kDeploy + "completion";
        if (shell == "zsh") {
            return {"zsh", "-f", kSource + "tests/unit/zsh_completions.zsh", folder, line};
        }
        if (shell == "fish") {
            return {"fish", "--no-config", "-c",
                    "source " + folder + "/execseal.fish; complete -C '" + line + "'"};
        }
        return {"bash", "-c", kAskBash, "bash", folder + "/execseal.bash", line};
    }
};

TEST_P(Completion, OffersWhatFits) {
    EXPECT_EQ(completed("execseal ev"), (Words{"events"}));
    EXPECT_EQ(completed("execseal events --verdict d"), (Words{"deny"}));
    EXPECT_EQ(completed("execseal events --verdict deny --f"),
              (Words{"--file", "--follow", "--format"}));
    EXPECT_EQ(completed("execseal policy e"), (Words{"explain"}));
    EXPECT_EQ(completed("execseal policy explain --root"), (Words{"--rootfs"}));
    EXPECT_EQ(completed("execseal install --d"), (Words{"--docker", "--dry-run"}));
    EXPECT_EQ(completed("execseal --config x doc"), (Words{"doctor"}));
}

TEST_P(Completion, LeavesTheCommandOfPolicyExplainAlone) {
    EXPECT_EQ(completed("execseal policy explain a.json -- /bin/sh --uid"), Words{});
}

INSTANTIATE_TEST_SUITE_P(Shells, Completion, testing::Values("bash", "zsh", "fish"),
                         [](const auto& row) { return std::string(row.param); });

TEST(Manual, NamesEveryKeyOfAPolicy) {
    const std::string manual = page("execseal-policy.5");
    const auto schema =
        nlohmann::json::parse(text_of(kSource + "config/execseal-policy.schema.json"));
    for (const char* pointer :
         {"/properties", "/properties/protect/properties", "/definitions/rule/properties",
          "/definitions/argv/properties", "/definitions/argv/properties/subcommand/properties"}) {
        for (const auto& [key, value] : schema.at(nlohmann::json::json_pointer(pointer)).items()) {
            EXPECT_NE(manual.find(key), std::string::npos) << key;
        }
    }
}

TEST(Manual, NamesEveryKeyOfTheSettings) {
    const std::string manual = page("execseal-config.5");
    const std::string loader = text_of(kSource + "config/settings.cpp");
    const std::regex key(R"re(\.get\("([a-z_]+)"\))re");
    std::size_t keys = 0;
    for (auto it = std::sregex_iterator(loader.begin(), loader.end(), key);
         it != std::sregex_iterator(); ++it) {
        ++keys;
        EXPECT_NE(manual.find((*it)[1].str()), std::string::npos) << (*it)[1];
    }
    EXPECT_GE(keys, 17U);
}

TEST(Manual, IsCleanInTheEyesOfGroff) {
    for (const char* name : {"execseal.1", "execseal-config.5", "execseal-events.5",
                             "execseal-policy.5", "execseal-hook.8", "execseal-runtime.8"}) {
        // Warnings go to stderr.
        const auto ran = run_captured(
            {"sh", "-c", "groff -man -Tutf8 -ww -z \"$1\" 2>&1", "sh", kDeploy + "man/" + name},
            std::chrono::seconds(20));
        ASSERT_TRUE(ran.has_value());
        EXPECT_EQ(ran->exit_code, 0);
        EXPECT_EQ(ran->out, "");
    }
}

}  // namespace
}  // namespace execseal
