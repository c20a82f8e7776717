// A supervisor that is killed again and again while eight processes fork and execute: each exec has
// its right result or the errno that is documented for one without a supervisor, or its process was
// killed between answer and verification; nobody stays traced or stopped; events have no gap.
//
// Short in CI; `cmake --build --preset dev --target kill-storm` kills 1,000 times.
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <map>
#include <random>
#include <set>
#include <sstream>

#include "tests/e2e/image.h"
#include "tests/e2e/node_agent.h"
#include "tests/e2e/podman.h"
#include "tests/e2e/small_policy.h"
#include "tests/e2e/task_report.h"

namespace execseal::e2e {
namespace {

namespace fs = std::filesystem;

constexpr int kWorkers = 8;

int kills_wanted() {
    // NOLINTNEXTLINE(concurrency-mt-unsafe): no thread of ours calls setenv
    const char* const text = std::getenv("EXECSEAL_STORM_KILLS");
    return text == nullptr ? 9 : std::stoi(text);
}

// "ran 5 denied 5 ..." as numbers.
std::map<std::string, long> counts_in(const std::string& line) {
    std::map<std::string, long> counts;
    std::istringstream words(line);
    std::string name;
    for (long count = 0; words >> name >> count;) {
        counts[name] = count;
    }
    return counts;
}

// How execs are bound: "ptrace" or "kernel".
class KillStorm : public testing::TestWithParam<const char*> {
  protected:
    void SetUp() override {
        if (std::string(GetParam()) == "kernel" && !can_bind_in_kernel()) {
            GTEST_SKIP() << "built without clang or libbpf: no BPF programs";
        }
        node_.binding(GetParam());
        node_.settings()["audit"]["events_per_second"] = 0;
        node_.write();
    }

    // A random number of events after its first, so that it hits other moments each time.
    void kill_one(std::size_t round) {
        std::uintmax_t before = 0;
        std::vector<pid_t> pids;
        ASSERT_TRUE(eventually([&] {
            pids = supervisors_of(node_);
            before = fs::file_size(audit_);
            return pids.size() == 1 && pids[0] != last_;
        })) << "round "
            << round << read_file(node_.log_path()) << report_tasks(scratch_.path());
        const std::uintmax_t more =
            std::uniform_int_distribution<std::uintmax_t>(1, 30'000)(random_);
        ASSERT_TRUE(eventually([&] { return fs::file_size(audit_) >= before + more; }))
            << "round " << round << ": nobody executes any more" << read_file(node_.log_path())
            << report_tasks(scratch_.path());
        last_ = pids[0];
        ASSERT_EQ(::kill(last_, SIGKILL), 0);
    }

    // Each supervisor numbers its events; the last ones of one that was killed may be missing.
    void expect_no_gap() {
        std::map<std::string, std::set<long>> numbers;
        for (const auto& event : node_.events()) {
            if (event.contains("id")) {
                const std::string id = event["id"];
                const auto dash = id.rfind('-');
                numbers[id.substr(0, dash)].insert(std::stol(id.substr(dash + 1)));
            }
            EXPECT_NE(event["event"], "lost") << event;
        }
        EXPECT_GT(numbers.size(), static_cast<std::size_t>(kills_wanted()) / 2)
            << "the control: there were many supervisors";
        for (const auto& [prefix, seen] : numbers) {
            EXPECT_EQ(static_cast<long>(seen.size()), *seen.rbegin()) << prefix;
        }
    }

    // The refusals that are neither the policy's nor the kernel's.
    [[nodiscard]] std::string unexpected() const {
        std::string text;
        for (const auto& event : node_.events()) {
            if (event["event"] == "exec" && event["outcome"] != "executed" &&
                event["rule"] != "no-wget") {
                text += event.dump() + "\n";
            }
        }
        return text;
    }

    std::mt19937 random_{std::random_device{}()};
    Scratch scratch_;
    Node node_{node_with_small_policy(scratch_, Engine::kRunc)};
    Podman podman_{scratch_, node_, Engine::kRunc, PodmanEntry::kNone};
    fs::path audit_ = scratch_.path() / "audit.jsonl";
    pid_t last_ = 0;
};

TEST_P(KillStorm, EachExecHasItsResultOrADocumentedOneAndNobodyHangs) {
    const NodeAgent agent(scratch_, node_);
    const Outcome started =
        podman_.call(run_words({"--detach", "--name", "storm", "--security-opt",
                                "seccomp=" + agent.profile({"small"}).string(), "--volume",
                                target_program("storm").string() + ":/bin/storm:ro"},
                               {"/bin/storm", std::to_string(kWorkers)}));
    ASSERT_EQ(started.exit_code, 0) << started.text() << read_file(node_.log_path());
    // Not while the container's own first program is between answer and verification.
    ASSERT_FALSE(node_.events_of("/bin/true", 8).empty());
    const int kills = kills_wanted();
    for (int i = 0; i < kills && !HasFatalFailure(); ++i) {
        kill_one(static_cast<std::size_t>(i));
    }
    // Who joins while the successor is waited for is served, and so are the others.
    if (!HasFatalFailure()) {
        kill_one(static_cast<std::size_t>(kills));
    }
    ASSERT_FALSE(HasFatalFailure());
    EXPECT_EQ(podman_.call({"exec", "storm", "/bin/true"}).exit_code, 0);
    ASSERT_TRUE(eventually([&] {
        const auto pids = supervisors_of(node_);
        return pids.size() == 1 && pids[0] != last_;
    }));
    ASSERT_EQ(podman_.call({"kill", "--signal", "TERM", "storm"}).exit_code, 0);
    std::string line;
    std::string said;
    EXPECT_TRUE(eventually([&] {
        const Outcome logs = podman_.call({"logs", "storm"});
        line = logs.out;
        said = logs.err;
        return line.find("workers") != std::string::npos;
    })) << read_file(node_.log_path())
        << report_tasks(scratch_.path());
    std::cout << kills << " kills: " << line;
    auto counts = counts_in(line);
    EXPECT_EQ(counts["workers"], kWorkers) << "each has come to its end";
    EXPECT_EQ(counts["won"], 0);
    EXPECT_EQ(counts["other"], 0) << said << unexpected();
    EXPECT_GT(counts["ran"], kills);
    EXPECT_GT(counts["denied"], kills);
    // With the agent as keeper calls wait for the successor.
    EXPECT_LE(counts["killed"], static_cast<long>(kills + 1) * kWorkers);
    const Outcome state = podman_.call({"exec", "storm", "/bin/cat", "/proc/1/status"});
    EXPECT_NE(state.out.find("TracerPid:\t0\n"), std::string::npos) << state.text();
    EXPECT_NE(state.out.find("State:\tS"), std::string::npos) << state.text();
    EXPECT_EQ(podman_.call({"rm", "--force", "--time", "0", "storm"}).exit_code, 0);
    expect_no_gap();
}

INSTANTIATE_TEST_SUITE_P(Bindings, KillStorm, testing::Values("ptrace", "kernel"),
                         [](const auto& row) { return std::string(row.param); });

}  // namespace
}  // namespace execseal::e2e
