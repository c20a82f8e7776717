// What podman and Docker call a container, from files as they write them.
#include "hook/launch/engine_name.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/unit/folder_test.h"

namespace execseal {
namespace {

namespace fs = std::filesystem;

void write(const fs::path& path, const std::string& text) {
    fs::create_directories(path.parent_path());
    std::ofstream(path) << text;
}

class EngineName : public FolderTest {};

TEST_F(EngineName, OfPodmanStandsInItsStorage) {
    const fs::path storage = fs::path(directory_) / "overlay-containers";
    const auto bundle = [&](const std::string& id) { return (storage / id / "userdata").string(); };
    EXPECT_EQ(name_by_engine(bundle("aa"), "aa"), "");
    write(storage / "containers.json",
          R"([{"id":"bb","names":["db"]},{"id":"aa","names":["web","alias"]},{"id":"cc"}])");
    write(storage / "volatile-containers.json", R"([{"id":"dd","names":["job"]}])");
    EXPECT_EQ(name_by_engine(bundle("aa"), "aa"), "web");
    EXPECT_EQ(name_by_engine(bundle("dd"), "dd"), "job");
    EXPECT_EQ(name_by_engine(bundle("cc"), "cc"), "");
    EXPECT_EQ(name_by_engine(bundle("aa"), "bb"), "") << "another container's bundle";
    write(storage / "containers.json", R"([{"id":"aa","names":"web"},"x",{"id":7}])");
    EXPECT_EQ(name_by_engine(bundle("aa"), "aa"), "");
}

TEST_F(EngineName, OfDockerStandsBesideTheFilesThatItMounts) {
    const fs::path bundle = fs::path(directory_) / "moby/aa";
    const fs::path data = fs::path(directory_) / "containers/aa";
    EXPECT_EQ(name_by_engine(bundle, "aa"), "");
    write(data / "config.v2.json", R"({"ID":"aa","Name":"/web"})");
    write(bundle / "config.json", R"({"mounts":[{"destination":"/proc"},{"destination":)"
                                  R"("/etc/hostname","source":")" +
                                      (data / "hostname").string() + R"("}]})");
    EXPECT_EQ(name_by_engine(bundle, "aa"), "web");
    // A volume at that place says nothing of the engine.
    write(bundle / "config.json",
          R"({"mounts":[{"destination":"/etc/hostname","source":"/srv/hostname"}]})");
    EXPECT_EQ(name_by_engine(bundle, "aa"), "");
    write(bundle / "config.json", R"({"mounts":7})");
    EXPECT_EQ(name_by_engine(bundle, "aa"), "");
}

}  // namespace
}  // namespace execseal
