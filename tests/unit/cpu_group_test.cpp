#include "hook/tasks/cpu_group.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "hook/tasks/cgroup.h"

namespace execseal {
namespace {

std::string text_of(const std::string& file) {
    std::ifstream in(file);
    return {std::istreambuf_iterator<char>(in), {}};
}

std::string cpu_path(const std::string& member, const std::string& ours, const std::string& id) {
    const auto cgroup = Cgroup::of_cpu(member, ours, id);
    return cgroup ? cgroup->controllers() + ":" + cgroup->path() : "";
}

TEST(CpuGroup, StandsInTheHierarchyOfTheCpuController) {
    const std::string id = "0123456789abcdef";
    const std::string ours = "4:cpuset:/\n3:cpu,cpuacct:/session\n0::/session\n";
    EXPECT_EQ(cpu_path("4:cpuset:/a\n3:cpu,cpuacct:/x/" + id + "/below\n0::/y\n", ours, id),
              "cpu,cpuacct:/x/" + id);
    EXPECT_EQ(cpu_path("0::/machine.slice/libpod-" + id + ".scope/container\n", "0::/s\n", id),
              ":/machine.slice/libpod-" + id + ".scope");
    EXPECT_EQ(cpu_path("3:cpu,cpuacct:/web\n", ours, id), "cpu,cpuacct:/web");
}

// A group beside these would be anywhere: of the node's root, of who started the container, of
// another cgroup namespace.
TEST(CpuGroup, NeedsAGroupOfTheContainersOwn) {
    const std::string id = "0123456789abcdef";
    EXPECT_EQ(cpu_path("3:cpu:/\n0::/y/" + id + "\n", "3:cpu:/\n", id), "");
    EXPECT_EQ(cpu_path("0::/session\n", "0::/session\n", id), "");
    EXPECT_EQ(cpu_path("0::/session\n", "0::/session/below\n", id), "") << "ours is in it";
    EXPECT_EQ(cpu_path("0::/../other\n", "0::/\n", id), "");
    EXPECT_EQ(cpu_path("", "0::/\n", id), "");
    const auto none = CpuGroup::make("0::/session\n", "0::/session\n", id, {.weight = 50});
    ASSERT_FALSE(none.has_value());
    EXPECT_NE(none.error().text().find("no group of its own"), std::string::npos);
}

class CpuGroupFiles : public testing::Test {
  protected:
    CpuGroupFiles() {
        std::filesystem::create_directories(root_ + "/parent/container");
        std::filesystem::create_directories(root_ + "/ours");
        // What the kernel puts into a new group.
        std::filesystem::create_directories(root_ + "/parent/execseal-c1");
        for (const char* const file :
             {"/parent/execseal-c1/cpu.weight", "/parent/execseal-c1/cpu.max",
              "/parent/execseal-c1/cpu.shares", "/parent/execseal-c1/cpu.cfs_period_us",
              "/parent/execseal-c1/cpu.cfs_quota_us", "/parent/execseal-c1/cgroup.procs",
              "/ours/cgroup.procs"}) {
            std::ofstream(root_ + file) << "";
        }
    }
    ~CpuGroupFiles() override { std::filesystem::remove_all(root_); }
    CpuGroupFiles(const CpuGroupFiles&) = delete;
    CpuGroupFiles& operator=(const CpuGroupFiles&) = delete;
    CpuGroupFiles(CpuGroupFiles&&) = delete;
    CpuGroupFiles& operator=(CpuGroupFiles&&) = delete;

    [[nodiscard]] Result<CpuGroup> make(CgroupVersion version, const SupervisorCpu& cpu) const {
        return CpuGroup::make_at(version, root_ + "/parent/container", root_ + "/ours", "c1", cpu);
    }

    std::string root_ = testing::TempDir() + "/cpu-group-" + std::to_string(::getpid());
};

TEST_F(CpuGroupFiles, OfVersionTwoHasWeightAndQuotaBesideTheContainer) {
    {
        auto group = make(CgroupVersion::kTwo, {.weight = 50, .quota_percent = 40});
        ASSERT_TRUE(group.has_value()) << group.error().text();
        EXPECT_EQ(group->directory(), root_ + "/parent/execseal-c1");
        EXPECT_EQ(text_of(group->directory() + "/cpu.weight"), "50");
        EXPECT_EQ(text_of(group->directory() + "/cpu.max"), "40000 100000");
        ASSERT_TRUE(group->take(4711).has_value());
        EXPECT_EQ(text_of(group->directory() + "/cgroup.procs"), "4711");
    }
    EXPECT_EQ(text_of(root_ + "/ours/cgroup.procs"), "4711") << "it goes back";
}

TEST_F(CpuGroupFiles, OfVersionOneHasSharesAndWhatIsNotAskedForIsNotSet) {
    auto group = make(CgroupVersion::kOne, {.weight = 200, .quota_percent = 0});
    ASSERT_TRUE(group.has_value()) << group.error().text();
    EXPECT_EQ(text_of(group->directory() + "/cpu.shares"), "2048");
    EXPECT_EQ(text_of(group->directory() + "/cpu.cfs_quota_us"), "");
}

TEST_F(CpuGroupFiles, ThatCannotBeMadeSaysWhy) {
    std::filesystem::remove_all(root_ + "/parent");
    const auto group = make(CgroupVersion::kTwo, {.weight = 50, .quota_percent = 0});
    ASSERT_FALSE(group.has_value());
    EXPECT_NE(group.error().text().find("execseal-c1"), std::string::npos);
}

}  // namespace
}  // namespace execseal
