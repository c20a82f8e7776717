// What a container can make the supervisor use: memory with all of its readers, and log.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <sstream>

#include "tests/e2e/agents.h"
#include "tests/e2e/bundle.h"
#include "tests/e2e/container.h"

namespace execseal::e2e {
namespace {

constexpr long kMiB = 1024;         // smaps_rollup counts KiB
constexpr long kBound = 64 * kMiB;  // what the issue and the README promise

long pss_of(const std::string& pid) {
    std::istringstream lines(read_file("/proc/" + pid + "/smaps_rollup"));
    for (std::string line; std::getline(lines, line);) {
        if (line.starts_with("Pss:")) {
            return std::stol(line.substr(4));
        }
    }
    return 0;
}

// Proportional set size of the process and its children, in KiB.
long pss_with_children(pid_t process) {
    const std::string pid = std::to_string(process);
    std::istringstream children(read_file("/proc/" + pid + "/task/" + pid + "/children"));
    long sum = pss_of(pid);
    for (std::string child; children >> child;) {
        sum += pss_of(child);
    }
    return sum;
}

// CPU time of the process and of those that it has waited for, in seconds.
double cpu_of(const std::string& pid) {
    const std::string stat = read_file("/proc/" + pid + "/stat");
    std::istringstream fields(stat.substr(std::min(stat.rfind(')') + 1, stat.size())));
    std::string skipped;
    for (int i = 3; i < 14; ++i) {  // proc_pid_stat(5): utime is the 14th
        fields >> skipped;
    }
    long user = 0;
    long system = 0;
    long waited_user = 0;
    long waited_system = 0;
    fields >> user >> system >> waited_user >> waited_system;
    return static_cast<double>(user + system + waited_user + waited_system) /
           static_cast<double>(::sysconf(_SC_CLK_TCK));
}

double cpu_with_children(pid_t process) {
    const std::string pid = std::to_string(process);
    std::istringstream children(read_file("/proc/" + pid + "/task/" + pid + "/children"));
    double sum = cpu_of(pid);
    for (std::string child; children >> child;) {
        sum += cpu_of(child);
    }
    return sum;
}

class Flood : public testing::Test {
  protected:
    Flood() {
        node_
            .policy("flood", {{"apiVersion", "execseal/v1"},
                              {"name", "flood"},
                              {"default", "allow"},
                              {"rules",
                               {{{"id", "never"},
                                 {"verdict", "deny"},
                                 {"exe", "/bin/wget"},
                                 {"argv", {{"contains", {"never"}}}}}}}})
            .write();
        bundle_.annotation("io.execseal.policy", "flood").program("flood_args");
    }

    // How many of the execs ran; the most memory that was seen meanwhile goes into peak_.
    int flood(const std::vector<std::string>& arguments) {
        bundle_.args({"/bin/sleep", "1000"}).write();
        Container container(node_.runtime(), bundle_, scratch_);
        EXPECT_EQ(container.create().exit_code, 0) << container.err();
        EXPECT_EQ(container.start().exit_code, 0) << container.err();
        const pid_t supervisor = node_.ask_supervisor("status")["supervisor_pid"];
        std::vector<std::string> words{"exec", container.id(), "/bin/flood_args"};
        words.insert(words.end(), arguments.begin(), arguments.end());
        Running running(container.command(words), scratch_.path());
        const std::string stat = "/proc/" + std::to_string(running.pid()) + "/stat";
        EXPECT_TRUE(eventually(
            [&] {
                peak_ = std::max(peak_, pss_with_children(supervisor));
                return read_file(stat).find(") Z ") != std::string::npos;
            },
            std::chrono::minutes{10}));
        const Outcome outcome = running.wait();
        EXPECT_EQ(outcome.exit_code, 0) << outcome.text();
        std::cout << "peak " << peak_ / kMiB << " MiB, " << cpu_with_children(supervisor)
                  << " s of CPU, " << outcome.out;
        return outcome.out.empty() ? -1 : std::stoi(outcome.out);
    }

    Scratch scratch_;
    Node node_{scratch_};
    Bundle bundle_{scratch_.path() / "bundle"};
    long peak_ = 0;
};

TEST_F(Flood, ExecsOfSixMegabytesOfArgumentsKeepTheSupervisorBounded) {
    const int ran = flood({"20", "46", "128000"});
    EXPECT_GT(ran, 0) << "they are judged, one after the other";
    EXPECT_GT(peak_, 6 * kMiB) << "nothing was measured";
    EXPECT_LT(peak_, kBound);
}

TEST_F(Flood, ManyShortArgumentsDoAsWell) {
    const int ran = flood({"5", "250000", "14"});
    EXPECT_GT(ran, 0);
    EXPECT_LT(peak_, kBound);
}

// Each of the six programs of such an exec is judged with arguments of its own: 8 MB as a list.
TEST_F(Flood, ScriptsOfScriptsWithManyArgumentsAreRefusedAndSaySo) {
    bundle_.file("/bin/s1", "#!/bin/true\n", 0755);
    for (const std::string number : {"2", "3", "4"}) {
        bundle_.file("/bin/s" + number, "#!/bin/s" + std::to_string(std::stoi(number) - 1) + "\n",
                     0755);
    }
    EXPECT_EQ(flood({"4", "250000", "14", "/bin/s4"}), 0);
    EXPECT_LT(peak_, kBound);
    const auto events = node_.events();
    EXPECT_TRUE(std::any_of(events.begin(), events.end(), [](const auto& event) {
        return event.value("rule", "") == "unresolved" &&
               event["reason"].template get<std::string>().find("arguments") != std::string::npos;
    }));
    EXPECT_EQ(flood({"4", "50000", "14", "/bin/s4"}), 4) << "the control";
    EXPECT_LT(peak_, kBound);
}

TEST_F(Flood, MoreStringsThanTheBoundAreRefusedAndSaySo) {
    EXPECT_EQ(flood({"1", "300000", "1"}), 0);
    const auto events = node_.events();
    EXPECT_TRUE(std::any_of(events.begin(), events.end(), [](const auto& event) {
        return event.value("rule", "") == "unreadable" &&
               event["reason"].template get<std::string>().find("more than 262144 strings") !=
                   std::string::npos;
    }));
    EXPECT_LT(peak_, kBound);
}

// A recording keeps all: the longest line that an exec can have, and who reads it.
TEST_F(Flood, WhatARecordingKeepsIsBoundedAndCanBeReadByAll) {
    bundle_.annotation("io.execseal.mode", "learn");
    EXPECT_EQ(flood({"1", "46", "128000", "/bin/true", "1"}), 1);
    EXPECT_LT(peak_, kBound);
    ASSERT_TRUE(node_.nothing_left());
    const auto audit = scratch_.path() / "audit.jsonl";
    std::string id;
    for (const std::string& line : lines_of(read_file(audit))) {
        EXPECT_LT(line.size(), (16U << 20U) + (64U << 10U));
        const auto event = nlohmann::json::parse(line);
        if (event.contains("argv") && event["argv"].size() == 47) {
            EXPECT_GT(line.size(), 10U << 20U) << "as long as it can be";
            EXPECT_FALSE(event.contains("argv_cut"));
            id = event["id"];
        }
    }
    ASSERT_FALSE(id.empty());
    const auto cli = [&](std::vector<std::string> words) {
        words.insert(words.begin(), EXECSEAL_CLI);
        return run({.argv = std::move(words), .env = {{"EXECSEAL_CONFIG", node_.settings_path()}}},
                   scratch_.path(), std::chrono::minutes{2});
    };
    const Outcome events = cli({"events", "--format", "json"});
    EXPECT_EQ(events.exit_code, 0) << events.err;
    EXPECT_EQ(events.out, read_file(audit));
    const Outcome why = cli({"why", id});
    EXPECT_EQ(why.exit_code, 0) << why.err;
    EXPECT_NE(why.out.find(id), std::string::npos);
    // A policy with such a rule would be larger than one may be: it is left out by name.
    const Outcome learnt = cli({"policy", "learn", audit, "--name", "learnt"});
    EXPECT_EQ(learnt.exit_code, 0) << learnt.err;
    EXPECT_NE(learnt.err.find("left out: 1 exec too large"), std::string::npos) << learnt.err;
    EXPECT_NE(learnt.err.find(id), std::string::npos) << learnt.err;
    EXPECT_LT(learnt.out.size(), 1U << 20U);
}

// 300 execs of 100 KB of arguments each: 30 MB, were they written as they are.
TEST_F(Flood, ManyExecsThatAreNotLargeAllRunAndAreAllCountedInAShortLog) {
    node_.settings()["audit"]["events_per_second"] = 10;
    node_.write();
    EXPECT_EQ(flood({"300", "100", "1000"}), 300);
    EXPECT_LT(peak_, kBound);
    ASSERT_TRUE(node_.nothing_left());
    std::uint64_t lines = 0;
    std::uint64_t counted = 0;
    for (const auto& event : node_.events()) {
        lines += event["event"] == "exec" && event.contains("argv") && event["argv"][0] == "true"
                     ? 1
                     : 0;
        for (const auto& kind : event.value("kinds", nlohmann::json::array())) {
            // busybox by its applet's name
            counted += kind["exe"] == "/bin/true" ? kind["count"].get<std::uint64_t>() : 0;
        }
    }
    EXPECT_GE(lines + counted, 300U) << "every exec is told of, or counted";
    EXPECT_GT(counted, 0U);
    const auto bytes = std::filesystem::file_size(scratch_.path() / "audit.jsonl");
    std::cout << "log: " << bytes << " bytes, " << lines << " lines, " << counted << " counted\n";
    EXPECT_LT(bytes, 3U << 20U);
}

}  // namespace
}  // namespace execseal::e2e
