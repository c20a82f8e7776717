#include "hook/cli/policy_check.h"

#include <fstream>

#include "tests/unit/folder_test.h"

namespace execseal {
namespace {

class PolicyCheck : public FolderTest {
  protected:
    PolicyCheck() { put("config.json", "{}"); }

    void put(const std::string& name, const std::string& text) const {
        std::ofstream(directory_ + "/" + name) << text;
    }

    // The exit code, -1 for an Error.
    [[nodiscard]] int check(const std::string& word) const {
        const auto code = run_policy_check({directory_ + "/config.json", {word}});
        return code ? *code : -1;
    }
};

TEST_F(PolicyCheck, AFolderStandsForThePoliciesInIt) {
    const std::string folder = directory_ + "/policies";
    std::filesystem::create_directory(folder);
    EXPECT_EQ(check(folder), -1) << "none in it";
    put("policies/web.json", R"({"apiVersion": "execseal/v1", "name": "web", "default": "deny"})");
    put("policies/notes.txt", "no policy");
    EXPECT_EQ(check(folder), 0);
    put("policies/bad.json", R"({"apiVersion": "execseal/v1", "name": "bad"})");
    EXPECT_EQ(check(folder), 1);
    EXPECT_EQ(check(folder + "/web.json"), 0);
}

}  // namespace
}  // namespace execseal
