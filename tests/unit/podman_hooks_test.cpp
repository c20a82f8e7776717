// Which folders of hooks podman reads, and which list execseal install writes.
#include "hook/cli/podman_hooks.h"

#include <gtest/gtest.h>

#include <fstream>

#include "tests/unit/folder_test.h"

namespace execseal {
namespace {

constexpr const char* kMain = "/etc/containers/containers.conf";

class PodmanHooks : public FolderTest {
  protected:
    void put(const std::string& path, const std::string& text) const {
        std::filesystem::create_directories(std::filesystem::path(directory_ + path).parent_path());
        std::ofstream(directory_ + path) << text;
    }
    static std::string drop_in(const std::string& name) {
        return "/etc/containers/containers.conf.d/" + name;
    }
    [[nodiscard]] std::string list() const {
        const auto text = podman_hooks_list(directory_);
        return text ? *text : text.error().text();
    }
};

TEST_F(PodmanHooks, OursStandsBesideTheDefaultOne) {
    EXPECT_EQ(list(), R"([ "/usr/share/containers/oci/hooks.d", "/etc/execseal/hooks.d" ])");
    put("/usr/share/containers/containers.conf", "[engine]\n# hooks_dir = [\"/comment\"]\n");
    EXPECT_EQ(list(), R"([ "/usr/share/containers/oci/hooks.d", "/etc/execseal/hooks.d" ])");
}

TEST_F(PodmanHooks, TheNodesOwnFoldersStay) {
    put(kMain, "[engine]\nhooks_dir = [\"/a\"]\n");
    EXPECT_EQ(list(), R"([ "/a", "/etc/execseal/hooks.d" ])");
    put(drop_in("10-x.conf"), "engine.hooks_dir = ['/b\"c', {append = true}]\n");
    EXPECT_EQ(list(), R"([ "/a", "/b\"c", "/etc/execseal/hooks.d" ])");
    put(drop_in("20-x.conf"), "[engine]\nhooks_dir = [\n  \"/d\", # the last\n]\n");
    EXPECT_EQ(list(), R"([ "/d", "/etc/execseal/hooks.d" ])");
    put(drop_in("README"), "no TOML");
    put(drop_in("50-execseal.conf"), "[engine]\nhooks_dir = [\"/old\"]\n");
    EXPECT_EQ(list(), R"([ "/d", "/etc/execseal/hooks.d" ])") << "its own is made anew";
}

TEST_F(PodmanHooks, AListBehindOursMustNameIt) {
    put(drop_in("90-x.conf"), "[engine]\nhooks_dir = [\"/x\"]\n");
    EXPECT_NE(list().find("90-x.conf: /engine/hooks_dir: expected \"/etc/execseal/hooks.d\""),
              std::string::npos)
        << list();
    for (const char* good : {"[\"/x\", \"/etc/execseal/hooks.d\"]", "[\"/x\", {append=true}]"}) {
        put(drop_in("90-x.conf"), std::string("[engine]\nhooks_dir = ") + good);
        EXPECT_EQ(list(), R"([ "/usr/share/containers/oci/hooks.d", "/etc/execseal/hooks.d" ])");
    }
}

TEST_F(PodmanHooks, WhatPodmanReadsIsToldFromTheFiles) {
    const auto before = podman_hooks_dirs(directory_);
    ASSERT_TRUE(before.has_value());
    EXPECT_FALSE(before->ours);
    put(drop_in("50-execseal.conf"), "[engine]\nhooks_dir = " + list());
    const auto after = podman_hooks_dirs(directory_);
    ASSERT_TRUE(after.has_value());
    EXPECT_TRUE(after->ours);
    EXPECT_EQ(after->named, (std::vector<std::string>{kDefaultHooksDir, kExecsealHooksDir}));
    put(drop_in("60-x.conf"), "[engine]\nhooks_dir = []\n");
    EXPECT_FALSE(podman_hooks_dirs(directory_)->ours);
}

TEST_F(PodmanHooks, AFileThatCannotBeReadIsNamed) {
    put(kMain, "[engine\n");
    EXPECT_NE(list().find("containers.conf: line 1"), std::string::npos) << list();
    for (const char* bad : {"\"/a\"", "[1]", "[{other = true}]"}) {
        put(kMain, std::string("[engine]\nhooks_dir = ") + bad);
        EXPECT_NE(list().find("containers.conf: /engine/hooks_dir: expected a list of strings"),
                  std::string::npos)
            << list();
    }
}

}  // namespace
}  // namespace execseal
