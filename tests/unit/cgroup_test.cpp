#include "hook/tasks/cgroup.h"

#include <gtest/gtest.h>

namespace execseal {
namespace {

using Membership = Cgroup::Membership;

constexpr const char* kId = "0123456789abcdef0123456789abcdef";

// "CONTROLLERS:PATH" of the one that is chosen, "" for none.
std::string chosen(const std::string& member, const std::string& ours, const std::string& id) {
    const auto cgroup = Cgroup::choose(member, ours, id);
    return cgroup ? cgroup->controllers() + ":" + cgroup->path() : "";
}

TEST(Cgroup, IsTheOneThatIsNamedAfterTheContainer) {
    const std::string id = kId;
    const std::string session = "0::/user.slice/session-1.scope\n";
    // A hybrid node: the runtime has made v1 groups, and v2 is that of who started it.
    EXPECT_EQ(chosen("8:pids:/libpod_parent/libpod-" + id + "\n" + session,
                     "8:pids:/\n0::/elsewhere\n", id),
              "pids:/libpod_parent/libpod-" + id);
    EXPECT_EQ(chosen("0::/machine.slice/libpod-" + id + ".scope\n", session, id),
              ":/machine.slice/libpod-" + id + ".scope");
    // Its tasks have been moved to a group below (systemd, podman).
    EXPECT_EQ(chosen("0::/machine.slice/libpod-" + id + ".scope/container/init\n", session, id),
              ":/machine.slice/libpod-" + id + ".scope");
    EXPECT_EQ(chosen("0::/k8s.io/" + id + "\n", session, id), ":/k8s.io/" + id);
    EXPECT_EQ(chosen("4:memory:/web\n3:pids:/web\n0::/\n", "", "web"), "pids:/web");
}

TEST(Cgroup, AShortIdIsNoPartOfAName) {
    EXPECT_EQ(chosen("0::/webserver/other\n", "0::/\n", "web"), ":/webserver/other");
}

TEST(Cgroup, IsNotThatOfWhoStartedTheContainer) {
    const std::string scope = "0::/user.slice/session-1.scope\n";
    EXPECT_EQ(chosen(scope, scope, "web"), "");
    EXPECT_EQ(chosen("0::/user.slice\n", scope, "web"), "") << "a group above it neither";
    EXPECT_EQ(chosen("0::/user.slice/session-1.scope2\n", scope, "web"),
              ":/user.slice/session-1.scope2")
        << "the control";
    EXPECT_EQ(chosen("5:cpu,cpuacct:/a/b\n" + scope, "5:cpu,cpuacct:/\n" + scope, "web"),
              "cpu,cpuacct:/a/b");
    EXPECT_EQ(chosen("8:pids:/\n0::/\n", scope, "web"), "");
}

TEST(Cgroup, HasWhatIsInItOrBelowIt) {
    const auto v2 = Cgroup::choose("0::/k8s/web\n", "0::/\n", "web");
    ASSERT_TRUE(v2.has_value());
    EXPECT_EQ(v2->membership("8:pids:/\n0::/k8s/web\n"), Membership::kInside);
    EXPECT_EQ(v2->membership("0::/k8s/web/below\n"), Membership::kInside);
    EXPECT_EQ(v2->membership("0::/k8s/web/gone (deleted)\n"), Membership::kInside);
    EXPECT_EQ(v2->membership("0::/k8s/website\n"), Membership::kOutside);
    EXPECT_EQ(v2->membership("0::/k8s\n"), Membership::kOutside);
    EXPECT_EQ(v2->membership("0::/\n"), Membership::kOutside);
    EXPECT_EQ(v2->membership("8:pids:/k8s/web\n"), Membership::kOutside) << "another hierarchy";
    EXPECT_EQ(v2->membership(""), Membership::kOutside);
    EXPECT_EQ(v2->membership("no colon\n\n:\n0::"), Membership::kOutside);

    const auto v1 = Cgroup::choose("5:cpu,cpuacct:/x\n4:pids:/web\n0::/\n", "0::/\n", "web");
    ASSERT_TRUE(v1.has_value());
    EXPECT_EQ(v1->membership("5:cpu,cpuacct:/\n4:pids:/web\n"), Membership::kInside);
    EXPECT_EQ(v1->membership("4:pids:/other\n0::/web\n"), Membership::kOutside);
    // A v1 hierarchy says this of a task that is ending, too.
    EXPECT_EQ(v1->membership("4:pids:/\n"), Membership::kRootOrExiting);
}

}  // namespace
}  // namespace execseal
