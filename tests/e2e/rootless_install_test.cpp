// Rootless podman as `execseal install --user` leaves it, beside the node's own hook.
#include <gtest/gtest.h>

#include "tests/e2e/image.h"
#include "tests/e2e/podman.h"
#include "tests/e2e/small_policy.h"

namespace execseal::e2e {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

class RootlessInstall : public testing::Test {
  protected:
    RootlessInstall() {
        for (const char* folder : {"bin", "libexec/execseal", "share"}) {
            fs::create_directories(prefix_ / folder);
        }
        fs::copy(EXECSEAL_CLI, prefix_ / "bin/execseal");
        fs::copy(EXECSEAL_RUNTIME, prefix_ / "bin/execseal-runtime");
        fs::copy(EXECSEAL_HOOK, prefix_ / "libexec/execseal/execseal-hook");
        fs::copy(fs::path(EXECSEAL_SOURCE_DIR) / "deploy", prefix_ / "share/execseal",
                 fs::copy_options::recursive);
        node_.hand_over(Podman::kRootlessUid);
    }
    [[nodiscard]] Outcome cli(std::vector<std::string> words) const {
        const std::string id = std::to_string(Podman::kRootlessUid);
        words.insert(words.begin(), {"setpriv", "--reuid", id, "--regid", id, "--clear-groups",
                                     prefix_ / "bin/execseal"});
        return run({.argv = std::move(words),
                    .env = {{"HOME", scratch_.path()}, {"XDG_RUNTIME_DIR", scratch_.path()}}},
                   scratch_.path());
    }
    [[nodiscard]] fs::path mine(const std::string& path) const { return scratch_.path() / path; }

    Scratch scratch_;
    fs::path prefix_ = scratch_.path() / "prefix";
    Node node_{scratch_, Engine::kRunc};
};

TEST_F(RootlessInstall, MakesPodmanJudgeAUsersContainers) {
    const Podman podman(scratch_, node_, Engine::kRunc, PodmanEntry::kNone, PodmanUser::kRootless);
    auto hook = ordered_json::parse(read_file(prefix_ / "share/execseal/podman/80-execseal.json"));
    hook["hook"]["path"] = prefix_ / "libexec/execseal/execseal-hook";
    write_file(mine("hooks.d/80-execseal.json"), hook.dump());
    const auto run_container = [&] {
        std::vector<std::string> words =
            run_words({"--rm", "--annotation", "io.execseal.policy=small"},
                      {"/bin/sh", "-c", "/bin/echo ran; /bin/wget 2>/dev/null; echo $?"});
        words.insert(words.begin(), {"--runtime", prefix_ / "bin/execseal-runtime"});
        return podman.call(words);
    };
    const Outcome refused = run_container();
    EXPECT_NE(refused.exit_code, 0);
    EXPECT_NE(refused.text().find("execseal install --user"), std::string::npos) << refused.text();

    const Outcome installed = cli({"install", "--user"});
    ASSERT_EQ(installed.exit_code, 0) << installed.text();
    EXPECT_NE(read_file(mine(".config/containers/containers.conf.d/50-execseal.conf"))
                  .find((prefix_ / "bin/execseal-runtime").string()),
              std::string::npos);
    EXPECT_EQ(cli({"install", "--user"}).out, "") << "nothing more to change";
    fs::create_directories(mine(".config/execseal/policies.d"));
    write_file(mine(".config/execseal/policies.d/small.json"), small_policy().dump());
    const Outcome outcome = run_container();
    EXPECT_EQ(outcome.out, "ran\n126\n") << outcome.text();
    const Outcome denied = cli({"events", "--rule", "no-wget", "--format", "json"});
    EXPECT_EQ(denied.exit_code, 0) << denied.text();
    EXPECT_NE(denied.out.find("\"exe\":\"/bin/wget\""), std::string::npos)
        << denied.text() << read_file(mine(".local/state/execseal/execseal.log"));

    ASSERT_EQ(cli({"uninstall", "--user"}).exit_code, 0);
    EXPECT_FALSE(fs::exists(mine(".config/execseal/config.json")));
    EXPECT_FALSE(fs::exists(mine(".config/containers")));
    EXPECT_TRUE(fs::exists(mine(".config/execseal/policies.d/small.json"))) << "the user's own";
}

TEST_F(RootlessInstall, KeepsSettingsThatAreTheUsers) {
    fs::create_directories(mine(".config/execseal"));
    write_file(mine(".config/execseal/config.json"), "{}");
    fs::permissions(mine(".config"), fs::perms(0777));
    ASSERT_EQ(cli({"install", "--user"}).exit_code, 0);
    EXPECT_EQ(read_file(mine(".config/execseal/config.json")), "{}");
    ASSERT_EQ(cli({"uninstall", "--user"}).exit_code, 0);
    EXPECT_EQ(read_file(mine(".config/execseal/config.json")), "{}");
    const Outcome by_root =
        run({.argv = {prefix_ / "bin/execseal", "install", "--user"}}, scratch_.path());
    EXPECT_EQ(by_root.exit_code, 1);
    EXPECT_NE(by_root.err.find("--user: expected another user than root"), std::string::npos)
        << by_root.text();
    EXPECT_EQ(cli({"install", "--user", "--docker"}).exit_code, 1);
}

}  // namespace
}  // namespace execseal::e2e
