// What a supervisor gets of the node: its share of the CPU by the setting supervisor_cpu, in a
// cgroup of its own beside its container's, and its standing where memory runs out.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "tests/e2e/agents.h"
#include "tests/e2e/bundle.h"
#include "tests/e2e/container.h"

namespace execseal::e2e {
namespace {

namespace fs = std::filesystem;

// The path in the hierarchy of the cpu controller of version 1; "" where there is none.
std::string group_of(pid_t process) {
    const std::string text = read_file("/proc/" + std::to_string(process) + "/cgroup");
    for (const std::string& line : lines_of(text)) {
        const std::size_t first = line.find(':');
        const std::size_t second = line.find(':', first + 1);
        const std::string controllers = line.substr(first + 1, second - first - 1);
        if (("," + controllers + ",").find(",cpu,") != std::string::npos) {
            return line.substr(second + 1);
        }
    }
    return "";
}

class SupervisorCpu : public testing::TestWithParam<Engine> {
  protected:
    SupervisorCpu() {
        node_
            .policy("cpu",
                    {{"apiVersion", "execseal/v1"},
                     {"name", "cpu"},
                     {"default", "allow"},
                     {"rules", {{{"id", "no-wget"}, {"verdict", "deny"}, {"exe", "/bin/wget"}}}}})
            .write();
        bundle_.annotation("io.execseal.policy", "cpu").args({"/bin/sleep", "1000"}).write();
    }
    void SetUp() override {
        if (group_of(1).empty()) {
            GTEST_SKIP() << "no cpu controller of version 1 here";
        }
    }
    [[nodiscard]] pid_t supervisor() const {
        return node_.ask_supervisor("status")["supervisor_pid"];
    }

    Scratch scratch_;
    Node node_{scratch_, GetParam()};
    Bundle bundle_{scratch_.path() / "bundle"};
};

TEST_P(SupervisorCpu, IsAGroupBesideTheContainersThatIsGoneAtTheEnd) {
    node_.settings()["supervisor_cpu"] = {{"weight", 50}, {"quota_percent", 80}};
    node_.write();
    fs::path group;
    {
        Container container(node_.runtime(), bundle_, scratch_);
        ASSERT_EQ(container.create().exit_code, 0) << container.err();
        ASSERT_EQ(container.start().exit_code, 0) << container.err();
        const pid_t process = supervisor();
        ASSERT_TRUE(eventually([&] {
            return group_of(process).ends_with("/execseal-" + container.id());
        })) << group_of(process)
            << read_file(node_.log_path());
        EXPECT_EQ(fs::path(group_of(process)).parent_path(),
                  fs::path(group_of(container.init_pid())).parent_path());
        group = "/sys/fs/cgroup/cpu" + group_of(process);
        EXPECT_EQ(read_file(group / "cpu.shares"), "512\n");
        EXPECT_EQ(read_file(group / "cpu.cfs_quota_us"), "80000\n");
        EXPECT_GE(lines_of(read_file(group / "cgroup.procs")).size(), 2U) << "readers, too";
        EXPECT_EQ(container.exec({"/bin/true"}).exit_code, 0);
        EXPECT_NE(container.exec({"/bin/wget"}).exit_code, 0);

        // The container's freeze does not stop who judges it.
        const auto call = [&](const std::string& word) {
            return run(container.command({word, container.id()}), scratch_.path()).exit_code;
        };
        ASSERT_EQ(call("pause"), 0);
        EXPECT_EQ(supervisor(), process);
        ASSERT_EQ(call("resume"), 0);
        EXPECT_EQ(container.exec({"/bin/true"}).exit_code, 0);
    }
    ASSERT_TRUE(node_.nothing_left());
    EXPECT_TRUE(eventually([&] { return !fs::exists(group); }));
}

TEST_P(SupervisorCpu, IsNotMadeWhereNobodyAskedForIt) {
    Container container(node_.runtime(), bundle_, scratch_);
    ASSERT_EQ(container.create().exit_code, 0) << container.err();
    ASSERT_EQ(container.start().exit_code, 0) << container.err();
    ASSERT_FALSE(node_.events_of("/bin/sleep").empty());
    EXPECT_EQ(group_of(supervisor()), group_of(::getpid()));
}

TEST_P(SupervisorCpu, OthersAreKilledFirstWhereMemoryRunsOut) {
    Container container(node_.runtime(), bundle_, scratch_);
    ASSERT_EQ(container.create().exit_code, 0) << container.err();
    ASSERT_EQ(container.start().exit_code, 0) << container.err();
    const auto score = [](pid_t process) {
        return read_file("/proc/" + std::to_string(process) + "/oom_score_adj");
    };
    // Without CAP_SYS_RESOURCE nobody may ask for it: then the log says so.
    const Outcome may =
        run({.argv = {"/bin/sh", "-c", "echo -999 > /proc/self/oom_score_adj"}}, scratch_.path());
    EXPECT_EQ(score(supervisor()), may.exit_code == 0 ? "-999\n" : score(::getpid()));
    EXPECT_EQ(read_file(node_.log_path()).find("where memory runs out") != std::string::npos,
              may.exit_code != 0);
    EXPECT_EQ(score(container.init_pid()), score(::getpid())) << "the container is as it was";
}

INSTANTIATE_TEST_SUITE_P(Engines, SupervisorCpu, testing::Values(Engine::kRunc, Engine::kCrun),
                         [](const auto& param) { return engine_name(param.param); });

}  // namespace
}  // namespace execseal::e2e
