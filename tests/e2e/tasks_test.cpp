// What the supervisor knows of a container's tasks, asked over its control socket, and what it
// keeps of them when they have gone.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <map>

#include "tests/e2e/agents.h"
#include "tests/e2e/bundle.h"
#include "tests/e2e/container.h"

namespace execseal::e2e {
namespace {

using nlohmann::ordered_json;

class Tasks : public testing::Test {
  protected:
    // A rule that looks at argv, so that forks are tracked.
    void policy(const std::string& freeze) {
        node_
            .policy("tasks", {{"apiVersion", "execseal/v1"},
                              {"name", "tasks"},
                              {"default", "allow"},
                              {"protect", {{"freeze", freeze}}},
                              {"rules",
                               {{{"id", "never"},
                                 {"verdict", "deny"},
                                 {"exe", "/bin/rm"},
                                 {"argv", {{"contains", {"never"}}}}}}}})
            .write();
        bundle_.annotation("io.execseal.policy", "tasks");
    }
    // How each process is registered, by its number in the container.
    [[nodiscard]] std::map<int, std::string> registered() const {
        std::map<int, std::string> found;
        const ordered_json answer = node_.ask_supervisor("tasks");
        for (const auto& task : answer["tasks"]) {
            found[task["container_pid"].get<int>()] = task["registered"];
        }
        return found;
    }

    Scratch scratch_;
    Node node_{scratch_};
    Bundle bundle_{scratch_.path() / "bundle"};
};

TEST_F(Tasks, TheInitAndTheCommandOfAnExecAndTheirChildrenAreInTheTable) {
    policy("off");
    bundle_.args({"/bin/sh", "-c", "/bin/sleep 1000 & wait"}).write();
    Container container(node_.runtime(), bundle_, scratch_);
    ASSERT_EQ(container.create().exit_code, 0) << container.err();
    ASSERT_EQ(container.start().exit_code, 0) << container.err();
    ASSERT_TRUE(eventually([&] { return registered().size() == 2; }))
        << node_.ask_supervisor("tasks").dump(2);
    std::map<int, std::string> tasks = registered();
    EXPECT_EQ(tasks[1], "session");
    EXPECT_EQ(std::count_if(tasks.begin(), tasks.end(),
                            [](const auto& task) { return task.second == "fork"; }),
              1);
    const Outcome exec =
        container.exec({"/bin/sh", "-c", "echo $$; exec /bin/sleep 1000 <&- >&- 2>&- &"});
    ASSERT_EQ(exec.exit_code, 0) << exec.text();
    // The exec's own process has ended, its child stays.
    ASSERT_TRUE(eventually([&] { return registered().size() == 3; }));
    tasks = registered();
    EXPECT_FALSE(tasks.contains(std::stoi(exec.out)));
    EXPECT_EQ(std::count_if(tasks.begin(), tasks.end(),
                            [](const auto& task) { return task.second == "fork"; }),
              2);
}

TEST_F(Tasks, AContainerInTheHostsPidNamespaceHasItsCgroupForADomainAndSaysSo) {
    policy("pidns");
    auto& namespaces = bundle_.config()["linux"]["namespaces"];
    for (auto entry = namespaces.begin(); entry != namespaces.end(); ++entry) {
        if ((*entry)["type"] == "pid") {
            namespaces.erase(entry);
            break;
        }
    }
    bundle_.args({"/bin/sh", "-c", "/bin/sleep 1000 & /bin/true; echo ran; wait"}).write();
    Container container(node_.runtime(), bundle_, scratch_);
    ASSERT_EQ(container.create().exit_code, 0) << container.err();
    ASSERT_EQ(container.start().exit_code, 0) << container.err();
    ASSERT_TRUE(eventually([&] { return container.out() == "ran\n"; })) << container.err();
    const std::string domain = node_.ask_supervisor("tasks")["domain"];
    EXPECT_TRUE(domain.starts_with("cgroup ")) << domain;
    const auto events = node_.events();
    EXPECT_TRUE(std::any_of(events.begin(), events.end(), [&](const auto& event) {
        return event["event"] == "domain" && event["domain"] == domain;
    }));
    EXPECT_NE(read_file(node_.log_path()).find("shares the host's PID namespace"),
              std::string::npos);
    // Its freeze holds the container's tasks, and none of the host's.
    const auto event = node_.events_of("/bin/true").at(0);
    EXPECT_EQ(event["outcome"], "executed");
    EXPECT_EQ(event["freeze"], "pidns");
    EXPECT_GE(event["frozen_tasks"].get<int>(), 2);
    EXPECT_LE(event["frozen_tasks"].get<int>(), 20);
}

struct Footprint {
    std::size_t descriptors = 0;
    std::size_t children = 0;
    long pages = 0;
};

class Endurance : public Tasks, public testing::WithParamInterface<const char*> {
  protected:
    static Footprint footprint_of(int pid) {
        const std::filesystem::path proc = "/proc/" + std::to_string(pid);
        Footprint found;
        for ([[maybe_unused]] const auto& fd : std::filesystem::directory_iterator(proc / "fd")) {
            ++found.descriptors;
        }
        const std::string children = read_file(proc / "task" / std::to_string(pid) / "children");
        found.children =
            static_cast<std::size_t>(std::count(children.begin(), children.end(), ' '));
        std::istringstream statm(read_file(proc / "statm"));
        long size = 0;
        statm >> size >> found.pages;
        return found;
    }
};

// Two thousand forks and execs, of which some fail and some are denied.
TEST_P(Endurance, ManyExecsLeaveNothingBehindInTheSupervisor) {
    policy(GetParam());
    bundle_.args({"/bin/sleep", "1000"}).write();
    Container container(node_.runtime(), bundle_, scratch_);
    ASSERT_EQ(container.create().exit_code, 0) << container.err();
    ASSERT_EQ(container.start().exit_code, 0) << container.err();
    const auto loop = [&](int rounds) {
        const std::string script =
            "i=0; while [ $i -lt " + std::to_string(rounds) +
            " ]; do /bin/true; /bin/nosuch; /bin/rm never; "
            "/bin/sh -c '/bin/true & wait'; i=$((i+1)); done 2>/dev/null; echo done";
        const Outcome outcome = container.exec({"/bin/sh", "-c", script});
        EXPECT_EQ(outcome.out, "done\n") << outcome.text();
    };
    const int supervisor = node_.ask_supervisor("status")["supervisor_pid"];
    loop(50);
    const auto settled = [&] { return registered().size() == 1; };
    ASSERT_TRUE(eventually(settled));
    const Footprint before = footprint_of(supervisor);
    loop(400);
    ASSERT_TRUE(eventually(settled));
    const Footprint after = footprint_of(supervisor);
    EXPECT_LE(after.descriptors, before.descriptors + 1);
    EXPECT_LE(after.children, before.children + 1);
    EXPECT_LE(after.pages, before.pages + 256) << "more than a MiB in 2000 execs";
    const auto status = node_.ask_supervisor("status");
    EXPECT_EQ(status["freeze_failures"], 0);
    EXPECT_EQ(status["races_detected"], 0);
}

INSTANTIATE_TEST_SUITE_P(Each, Endurance, testing::Values("pidns", "siblings", "off"),
                         [](const auto& freeze) { return std::string(freeze.param); });

}  // namespace
}  // namespace execseal::e2e
