// What podman 4.3.1 was seen to write (measured with vfs storage; --ipc, --read-only, --rootfs,
// --cgroups=disabled change which mounts there are).
#include "hook/podman_spec.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

namespace execseal {
namespace {

using Json = nlohmann::ordered_json;

const std::string kId(64, 'a');
const std::string kOther(64, 'b');
const std::string kBundle = "/graph/vfs-containers/" + kId + "/userdata";

Json mount(const std::string& destination, const std::string& source) {
    return {{"destination", destination}, {"type", "bind"}, {"source", source}};
}

Json spec_of(const std::string& cgroups_path) {
    const std::string run = "/run/vfs-containers/" + kId + "/userdata";
    Json spec{{"root", {{"path", "/graph/vfs/dir/cccc"}}},
              {"mounts",
               {mount("/proc", "proc"), mount("/etc/hosts", run + "/hosts"),
                mount("/dev/shm", kBundle + "/shm"), mount("/etc/hostname", run + "/hostname")}},
              {"linux", Json::object()}};
    if (!cgroups_path.empty()) {
        spec["linux"]["cgroupsPath"] = cgroups_path;
    }
    return spec;
}

// The node's directories.
Result<PodmanContainer> look(const Json& spec, const std::set<std::string>& directories = {kBundle},
                             const std::vector<std::string>& roots = {}) {
    return podman_container_of(spec, roots, [&directories](const std::string& path) {
        return directories.contains(path);
    });
}

TEST(PodmanSpec, FindsIdAndBundleWhateverManagesTheCgroups) {
    for (const std::string& path :
         {"/libpod_parent/libpod-" + kId, "machine.slice:libpod:" + kId, "/foo/libpod-" + kId,
          "/user.slice/x.service/libpod-payload-" + kId, std::string()}) {
        const auto found = look(spec_of(path));
        ASSERT_TRUE(found.has_value()) << path << ": " << found.error().text();
        EXPECT_EQ(found->id, kId);
        EXPECT_EQ(found->bundle, kBundle);
    }
}

TEST(PodmanSpec, ByTheRootFileSystemWhereTheHostsIpcIsUsed) {
    Json spec = spec_of("/libpod_parent/libpod-" + kId);
    spec["mounts"].erase(2);
    const auto found = look(spec);
    ASSERT_TRUE(found.has_value()) << found.error().text();
    EXPECT_EQ(found->bundle, kBundle);
}

TEST(PodmanSpec, ByThePodsMountsWhereItIsSharedWithAnInfraContainer) {
    Json spec = spec_of("/pod/libpod-" + kId);
    spec["root"]["path"] = "/srv/rootfs";
    spec["mounts"] = {
        mount("/etc/hosts", "/run/vfs-containers/" + kOther + "/userdata/hosts"),
        mount("/dev/shm", "/graph/vfs-containers/" + kOther + "/userdata/shm"),
        mount("/run/.containerenv", "/run/vfs-containers/" + kId + "/userdata/.containerenv")};
    const auto found = look(spec, {kBundle, "/graph/vfs-containers/" + kOther + "/userdata"});
    ASSERT_TRUE(found.has_value()) << found.error().text();
    EXPECT_EQ(found->id, kId);
    EXPECT_EQ(found->bundle, kBundle);
}

TEST(PodmanSpec, ByTheDefaultStorageForARootfsInTheHostsIpc) {
    Json spec = spec_of("/libpod_parent/libpod-" + kId);
    spec["root"]["path"] = "/srv/rootfs";
    spec["mounts"].erase(2);
    EXPECT_FALSE(look(spec).has_value());
    const auto found = look(spec, {kBundle}, {"/nowhere", "/graph"});
    ASSERT_TRUE(found.has_value()) << found.error().text();
    EXPECT_EQ(found->bundle, kBundle);
}

TEST(PodmanSpec, NeverTakesTheRunRootForTheBundle) {
    Json spec = spec_of("/libpod_parent/libpod-" + kId);
    const auto found = look(spec, {"/run/vfs-containers/" + kId + "/userdata"});
    EXPECT_FALSE(found.has_value());
}

TEST(PodmanSpec, RefusesWhereTheIdCannotBeKnown) {
    Json spec = spec_of("");
    spec["mounts"].push_back(mount("/x", "/graph/vfs-containers/" + kOther + "/userdata/shm"));
    const auto two = look(spec);
    ASSERT_FALSE(two.has_value());
    EXPECT_NE(two.error().text().find("name 2 containers"), std::string::npos)
        << two.error().text();
    EXPECT_FALSE(look(Json::object()).has_value());
    EXPECT_FALSE(look(Json::array()).has_value());
    EXPECT_FALSE(look(Json{{"mounts", "x"}, {"linux", 3}, {"root", 4}}).has_value());
    // No id of podman's: a short one, upper case.
    EXPECT_FALSE(look(Json{{"linux", {{"cgroupsPath", "/x/libpod-abc"}}}}).has_value());
    EXPECT_FALSE(
        look(Json{{"linux", {{"cgroupsPath", "/x/libpod-" + std::string(64, 'A')}}}}).has_value());
}

}  // namespace
}  // namespace execseal
