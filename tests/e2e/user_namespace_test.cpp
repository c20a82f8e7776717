// uid and gid as a policy sees them: those inside the container's user namespace, where that is the
// supervisor's own (rootless podman) and where it is one below it.
#include <gtest/gtest.h>

#include "tests/e2e/podman.h"

namespace execseal::e2e {
namespace {

using nlohmann::ordered_json;

// `id` is denied to root, `pwd` to its group, `echo` to whom the container's root is outside.
ordered_json policy_for_ids(std::initializer_list<std::uint32_t> outside) {
    return {{"apiVersion", "execseal/v1"},
            {"name", "ids"},
            {"default", "allow"},
            {"rules",
             {{{"id", "no-id-by-root"}, {"verdict", "deny"}, {"exe", "/bin/id"}, {"uid", 0}},
              {{"id", "no-pwd-by-group"}, {"verdict", "deny"}, {"exe", "/bin/pwd"}, {"gid", 0}},
              {{"id", "outside"}, {"verdict", "deny"}, {"exe", "/bin/echo"}, {"uid", outside}}}}};
}

const std::vector<std::string> kTry{
    "/bin/sh", "-c",
    "/bin/echo runs; /bin/id -u 2>/dev/null; echo $?; /bin/pwd 2>/dev/null; echo $?"};
constexpr const char* kTried = "runs\n126\n126\n";

void expect_root_in_events(const Node& node) {
    const auto denied = node.events_of("/bin/id");
    ASSERT_EQ(denied.size(), 1U);
    EXPECT_EQ(denied[0]["rule"], "no-id-by-root");
    EXPECT_EQ(denied[0]["uid"], 0);
    EXPECT_EQ(denied[0]["gid"], 0);
}

class UserNamespace : public testing::TestWithParam<Engine> {
  protected:
    void run_rootless_podman(PodmanEntry entry) {
        node_.policy("ids", policy_for_ids({Podman::kRootlessUid, 65534}))
            .hand_over(Podman::kRootlessUid);
        const Podman podman(scratch_, node_, GetParam(), entry, PodmanUser::kRootless);
        const Outcome outcome = podman.run({"--annotation", "io.execseal.policy=ids"}, kTry);
        EXPECT_EQ(outcome.out, kTried) << outcome.text() << read_file(node_.log_path());
        expect_root_in_events(node_);
        EXPECT_TRUE(node_.nothing_left());
    }

    Scratch scratch_;
    Node node_{scratch_, GetParam()};
};

TEST_P(UserNamespace, OfRootlessPodmanIsTheSupervisorsOwn) {
    run_rootless_podman(PodmanEntry::kRuntime);
}

TEST_P(UserNamespace, OfRootlessPodmanWithTheHookIsTheSupervisorsOwn) {
    run_rootless_podman(PodmanEntry::kHooksDir);
}

TEST_P(UserNamespace, BelowTheSupervisorsIsMapped) {
    node_.policy("ids", policy_for_ids({100000, 65534})).write();
    std::filesystem::permissions(scratch_.path(), std::filesystem::perms(0755));
    Bundle bundle(scratch_.path() / "bundle");
    const ordered_json map =
        ordered_json::array({{{"containerID", 0}, {"hostID", 100000}, {"size", 65536}}});
    bundle.config()["linux"]["namespaces"].push_back({{"type", "user"}});
    bundle.config()["linux"]["uidMappings"] = map;
    bundle.config()["linux"]["gidMappings"] = map;
    bundle.annotation("io.execseal.policy", "ids").args(kTry).write();
    Container container(node_.runtime(), bundle, scratch_);
    const Outcome outcome = container.run();
    EXPECT_EQ(outcome.out, kTried) << outcome.text() << read_file(node_.log_path());
    expect_root_in_events(node_);
    EXPECT_TRUE(node_.nothing_left());
}

INSTANTIATE_TEST_SUITE_P(Engines, UserNamespace, testing::Values(Engine::kRunc, Engine::kCrun),
                         [](const auto& row) { return std::string(engine_name(row.param)); });

}  // namespace
}  // namespace execseal::e2e
