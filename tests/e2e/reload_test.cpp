// A policy that changes while its container runs: `execseal reload`, the watch of the file,
// `execseal mode`.
#include <gtest/gtest.h>

#include <filesystem>
#include <set>

#include "config/digest.h"
#include "tests/e2e/agents.h"
#include "tests/e2e/bundle.h"
#include "tests/e2e/container.h"

namespace execseal::e2e {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

ordered_json policy_with(const std::string& rules, const std::string& fallback = "allow") {
    return {{"apiVersion", "execseal/v1"},
            {"name", "web"},
            {"default", fallback},
            {"rules", ordered_json::parse(rules)}};
}

const char* const kNoEcho = R"([{"id": "no-echo", "verdict": "deny", "exe": "/bin/echo",
                                 "argv": {"contains": ["x"]}}])";

class Reload : public testing::Test {
  protected:
    Reload() {
        node_.settings()["audit"]["events_per_second"] = 0;
        node_.write();
        bundle_.annotation("io.execseal.policy", "web").args({"/bin/sleep", "1000"});
    }

    [[nodiscard]] fs::path folder() const { return scratch_.path() / "policies.d"; }
    // As an editor or a package manager does it.
    void replace(const ordered_json& policy) const { replace_text(policy.dump(2)); }
    void replace_text(const std::string& text) const {
        write_file(folder() / "web.tmp", text);
        fs::rename(folder() / "web.tmp", folder() / "web.json");
    }
    [[nodiscard]] Outcome cli(std::vector<std::string> words) const {
        words.insert(words.begin(), EXECSEAL_CLI);
        return run({.argv = std::move(words), .env = {{"EXECSEAL_CONFIG", node_.settings_path()}}},
                   scratch_.path());
    }
    [[nodiscard]] std::vector<nlohmann::json> events(const std::string& kind) const {
        auto all = node_.events();
        std::erase_if(all, [&](const nlohmann::json& event) { return event["event"] != kind; });
        return all;
    }
    [[nodiscard]] bool told(const std::string& kind, std::size_t count) const {
        return eventually([&] { return events(kind).size() >= count; }, kDeadline);
    }
    void start(Container& container) {
        ASSERT_EQ(container.create().exit_code, 0) << container.err();
        ASSERT_EQ(container.start().exit_code, 0) << container.err();
    }
    static bool echoes(Container& container) {
        return container.exec({"/bin/echo", "x"}).exit_code == 0;
    }

    Scratch scratch_;
    Node node_{scratch_};
    Bundle bundle_{scratch_.path() / "bundle"};
};

TEST_F(Reload, AChangedFileHoldsForARunningContainer) {
    node_.policy("web", policy_with("[]"));
    bundle_.write();
    Container container(node_.runtime(), bundle_, scratch_);
    start(container);
    EXPECT_TRUE(echoes(container));
    replace(policy_with(kNoEcho));
    ASSERT_TRUE(told("reload", 1));
    EXPECT_FALSE(echoes(container));
    EXPECT_EQ(container.exec({"/bin/echo", "y"}).exit_code, 0) << "the control";
    const std::string digest = sha256_hex(read_file(folder() / "web.json"));
    const auto reload = events("reload").back();
    EXPECT_EQ(reload["outcome"], "changed");
    EXPECT_EQ(reload["policy_sha256"], digest);
    const auto denied = node_.events_of("/bin/echo", 2);
    EXPECT_EQ(denied[0]["verdict"], "allow");
    EXPECT_NE(denied[0]["policy_sha256"], digest);
    EXPECT_EQ(denied[1]["rule"], "no-echo");
    EXPECT_EQ(denied[1]["policy_sha256"], digest);
    // The container's filter does not tell of forks, which the first policy did not need.
    EXPECT_NE(reload["lacks"].get<std::string>().find("does not notify forks"), std::string::npos);
}

TEST_F(Reload, SoDoesAConfigMapWhoseLinkIsRenamedOver) {
    const auto version = [&](const std::string& name, const ordered_json& policy) {
        fs::create_directory(folder() / name);
        write_file(folder() / name / "web.json", policy.dump());
        fs::create_symlink(name, folder() / "..data_tmp");
        fs::rename(folder() / "..data_tmp", folder() / "..data");
    };
    version("..2026_11_27", policy_with("[]"));
    fs::create_symlink("..data/web.json", folder() / "web.json");
    bundle_.write();
    Container container(node_.runtime(), bundle_, scratch_);
    start(container);
    EXPECT_TRUE(echoes(container));
    version("..2026_11_28", policy_with(kNoEcho));
    fs::remove_all(folder() / "..2026_11_27");
    ASSERT_TRUE(told("reload", 1));
    EXPECT_FALSE(echoes(container));
    version("..2026_11_29", policy_with("[]"));
    ASSERT_TRUE(told("reload", 2)) << "the new folder is watched, too";
    EXPECT_TRUE(echoes(container));
}

TEST_F(Reload, WhatIsNotRightIsRefusedLoudlyAndNothingChanges) {
    node_.policy("web", policy_with(kNoEcho));
    bundle_.write();
    Container container(node_.runtime(), bundle_, scratch_);
    start(container);
    const auto good = read_file(folder() / "web.json");
    ordered_json renamed = policy_with("[]");
    renamed["name"] = "other";
    for (const std::string& bad :
         {std::string(R"({"apiVersion": "execseal/v1", "name": "web", "defau)"), std::string(),
          policy_with(R"([{"id": "r", "verdict": "allow", "exee": "/bin/x"}])").dump(),
          renamed.dump()}) {
        replace_text(bad);
        const Outcome reload = cli({"reload", "--container", container.id()});
        EXPECT_EQ(reload.exit_code, 1) << bad << reload.text();
        EXPECT_NE(reload.err.find("everything stays as it is: " + (folder() / "web.json").string()),
                  std::string::npos)
            << reload.text();
        EXPECT_FALSE(echoes(container)) << bad;
        EXPECT_EQ(container.exec({"/bin/echo", "y"}).exit_code, 0) << "the control";
    }
    fs::remove(folder() / "web.json");
    EXPECT_EQ(cli({"reload"}).exit_code, 1);
    EXPECT_FALSE(echoes(container));
    ASSERT_TRUE(told("reload", 5));
    for (const auto& event : events("reload")) {
        EXPECT_EQ(event["outcome"], "refused");
        EXPECT_NE(event["reason"].get<std::string>().find("web.json"), std::string::npos);
        EXPECT_EQ(event["policy_sha256"], sha256_hex(good));
    }
    replace_text(good);
    const Outcome back = cli({"reload"});
    EXPECT_EQ(back.exit_code, 0) << back.text();
    EXPECT_NE(back.out.find("unchanged"), std::string::npos) << back.text();
    EXPECT_EQ(cli({"reload", "--container", "nobody"}).exit_code, 1);
}

TEST_F(Reload, TheFloorIsReadAnewToo) {
    node_.settings()["floor_policy"] = "floor";
    node_.write();
    ordered_json floor = policy_with("[]");
    floor["name"] = "floor";
    node_.policy("floor", floor).policy("web", policy_with("[]"));
    bundle_.write();
    Container container(node_.runtime(), bundle_, scratch_);
    start(container);
    EXPECT_TRUE(echoes(container));
    floor["rules"] = ordered_json::parse(kNoEcho);
    node_.policy("floor", floor);
    const Outcome reload = cli({"reload", "--format", "json"});
    EXPECT_EQ(reload.exit_code, 0) << reload.text();
    (void)told("reload", 1);
    EXPECT_FALSE(echoes(container));
    EXPECT_EQ(node_.events_of("/bin/echo", 2)[1]["decided_by"], "floor");
}

TEST_F(Reload, ARunningContainersModeIsSwitchedWhereTheNodeAllowsIt) {
    node_.policy("web", policy_with(kNoEcho));
    bundle_.annotation("io.execseal.mode", "audit").write();
    Container container(node_.runtime(), bundle_, scratch_);
    start(container);
    EXPECT_TRUE(echoes(container));
    const Outcome enforced = cli({"mode", container.id(), "enforce"});
    EXPECT_EQ(enforced.exit_code, 0) << enforced.text();
    EXPECT_NE(enforced.out.find("audit -> enforce"), std::string::npos) << enforced.text();
    EXPECT_NE(enforced.err.find("does not notify forks"), std::string::npos) << enforced.text();
    EXPECT_FALSE(echoes(container));
    const Outcome refused = cli({"mode", container.id(), "audit"});
    EXPECT_EQ(refused.exit_code, 1) << refused.text();
    EXPECT_NE(refused.err.find("allow_mode_switch"), std::string::npos) << refused.text();
    EXPECT_FALSE(echoes(container));
    EXPECT_EQ(node_.ask_supervisor("status")["mode"], "enforce");

    node_.settings()["allow_mode_switch"] = true;
    node_.write();
    EXPECT_EQ(cli({"mode", container.id(), "audit"}).exit_code, 0);
    EXPECT_TRUE(echoes(container));
    EXPECT_EQ(cli({"mode", container.id(), "learn"}).exit_code, 2);
    EXPECT_EQ(cli({"mode", "nobody", "audit"}).exit_code, 1);
    std::vector<std::string> outcomes;
    for (const auto& event : events("mode")) {
        outcomes.push_back(event["outcome"]);
    }
    EXPECT_EQ(outcomes, (std::vector<std::string>{"changed", "refused", "changed"}));
}

TEST_F(Reload, AFilterThatIsMadeForASwitchLacksNothing) {
    node_.settings()["allow_mode_switch"] = true;
    node_.write();
    node_.policy("web", policy_with(kNoEcho));
    bundle_.annotation("io.execseal.mode", "audit").write();
    Container container(node_.runtime(), bundle_, scratch_);
    start(container);
    const Outcome enforced = cli({"mode", container.id(), "enforce"});
    EXPECT_EQ(enforced.exit_code, 0) << enforced.text();
    EXPECT_EQ(enforced.err, "");
    EXPECT_FALSE(echoes(container));
    EXPECT_EQ(container.exec({"/bin/sh", "-c", "(/bin/echo y) | /bin/cat"}).out, "y\n");
    EXPECT_EQ(node_.ask_supervisor("status")["protect"]["freeze"], "writers");
}

// Each of the two policies says by its rules' names which one it is, and refuses what the other
// lets pass.
ordered_json sided(const std::string& side) {
    const bool a = side == "a";
    return policy_with(R"([{"id": ")" + side + R"(-x", "verdict": ")" + (a ? "deny" : "allow") +
                       R"(", "exe": "/bin/true", "argv": {"exact": ["x"]}},
                           {"id": ")" +
                       side + R"(-y", "verdict": ")" + (a ? "allow" : "deny") +
                       R"(", "exe": "/bin/true", "argv": {"exact": ["y"]}}])");
}

TEST_F(Reload, NoExecIsJudgedByHalfAPolicyUnderLoad) {
    static constexpr std::size_t kReloads = 15;
    static constexpr std::uintmax_t kSomeEvents = 10'000;  // bytes
    replace(sided("a"));
    const std::string loop =
        "while [ ! -e /tmp/end ]; do /bin/true x; /bin/true y; done 2>/dev/null";
    bundle_.args({"/bin/sh", "-c", "(" + loop + ") & (" + loop + ") & wait; echo done"}).write();
    Container container(node_.runtime(), bundle_, scratch_);
    start(container);
    std::set<std::string> digests{sha256_hex(read_file(folder() / "web.json"))};
    const fs::path audit = scratch_.path() / "audit.jsonl";
    for (std::size_t i = 1; i <= kReloads; ++i) {
        // Some execs by each.
        const auto before = fs::file_size(audit);
        ASSERT_TRUE(
            eventually([&] { return fs::file_size(audit) > before + kSomeEvents; }, kDeadline));
        replace(sided(i % 2 == 0 ? "a" : "b"));
        const Outcome reload = cli({"reload"});
        ASSERT_EQ(reload.exit_code, 0) << reload.text();
        digests.insert(sha256_hex(read_file(folder() / "web.json")));
    }
    ASSERT_EQ(digests.size(), 2U);
    ASSERT_EQ(container.exec({"/bin/touch", "/tmp/end"}).exit_code, 0);
    ASSERT_TRUE(container.wait_until_stopped());
    ASSERT_TRUE(eventually([&] { return container.out() == "done\n"; })) << container.err();
    const std::string a = sha256_hex(sided("a").dump(2));
    std::size_t of_a = 0;
    std::size_t of_b = 0;
    for (const auto& event : node_.events_of("/bin/true", 1)) {
        const std::string side = event["policy_sha256"] == a ? "a" : "b";
        ++(side == "a" ? of_a : of_b);
        EXPECT_TRUE(digests.contains(event["policy_sha256"]));
        const std::string word = event["argv"].back();
        EXPECT_EQ(event["rule"], side + "-" + word) << event;
        const bool denied = (side == "a") == (word == "x");
        EXPECT_EQ(event["verdict"], denied ? "deny" : "allow") << event;
        EXPECT_EQ(event["outcome"], denied ? "refused" : "executed") << event;
    }
    EXPECT_GT(of_a, 20U);
    EXPECT_GT(of_b, 20U);
}

}  // namespace
}  // namespace execseal::e2e
