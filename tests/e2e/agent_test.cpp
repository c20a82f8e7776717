// Containers under a ready profile with the real podman and containerd: the node agent's socket,
// its restart and the death of supervisors, the policies' reload, metrics.
#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <sstream>

#include "hook/os/unix_socket.h"
#include "tests/e2e/cri.h"
#include "tests/e2e/entry_checks.h"
#include "tests/e2e/image.h"
#include "tests/e2e/node_agent.h"
#include "tests/e2e/podman.h"
#include "tests/e2e/small_policy.h"
#include "tests/e2e/task_report.h"

namespace execseal::e2e {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

// Of run_dir only what is the agent's own is left.
bool no_container_left(const Node& node) {
    return eventually([&] {
        for (const auto& entry : fs::directory_iterator(node.run_dir())) {
            if (entry.path().filename() != "agent" && entry.path().filename() != "agent.sock") {
                return false;
            }
        }
        return true;
    });
}

// Open at both ends, so that neither side waits for the other.
UniqueFd open_fifo(const fs::path& path) {
    if (::mkfifo(path.c_str(), 0600) != 0) {
        throw std::runtime_error("mkfifo " + path.string());
    }
    return UniqueFd(::open(path.c_str(), O_RDWR | O_CLOEXEC));
}

// "" past the deadline.
std::string read_line(const UniqueFd& fifo) {
    std::array<char, 64> text{};
    pollfd wait{.fd = fifo.get(), .events = POLLIN, .revents = 0};
    const auto bound = std::chrono::milliseconds(kDeadline).count();
    const ssize_t count = ::poll(&wait, 1, static_cast<int>(bound)) == 1
                              ? ::read(fifo.get(), text.data(), text.size())
                              : 0;
    return {text.data(), static_cast<std::size_t>(std::max<ssize_t>(count, 0))};
}

class AgentPodman : public testing::TestWithParam<Engine> {
  protected:
    [[nodiscard]] std::string seccomp(const fs::path& profile) const {
        return "seccomp=" + profile.string();
    }
    // A container in the background under `profile`; `volume`: HOST:INSIDE.
    void start(const std::string& name, const fs::path& profile,
               const std::vector<std::string>& argv, const std::string& volume = "") const {
        std::vector<std::string> flags{"--detach", "--name", name, "--security-opt",
                                       seccomp(profile)};
        if (!volume.empty()) {
            flags.insert(flags.end(), {"--volume", volume});
        }
        const Outcome started = podman_.call(run_words(flags, argv));
        ASSERT_EQ(started.exit_code, 0) << started.text() << read_file(node_.log_path());
    }
    // Execs in it as children of a shell.
    [[nodiscard]] std::string shell(const std::string& name, const std::string& script) const {
        return podman_.call({"exec", name, "/bin/sh", "-c", script}).out;
    }
    void kill_supervisor() const {
        std::vector<pid_t> pids;
        ASSERT_TRUE(eventually([&] {
            pids = supervisors_of(node_);
            return pids.size() == 1;
        }));
        ASSERT_EQ(::kill(pids[0], SIGKILL), 0);
    }

    Scratch scratch_;
    Node node_{node_with_small_policy(scratch_, GetParam())};
    Podman podman_{scratch_, node_, GetParam(), PodmanEntry::kNone};
};

TEST_P(AgentPodman, JudgesContainersUnderItsProfile) {
    const NodeAgent agent(scratch_, node_);
    const Outcome outcome =
        podman_.run({"--security-opt", seccomp(agent.profile({"small"}))}, tour());
    EXPECT_EQ(outcome.exit_code, kTourExitCode) << outcome.text() << read_file(node_.log_path());
    EXPECT_EQ(outcome.out, kTourOutput) << outcome.text();
    (void)expect_tour_in_events(node_);
    EXPECT_TRUE(no_container_left(node_));

    EXPECT_EQ(agent.sample("execseal_decisions_total{policy=\"small\",verdict=\"deny\",rule=\"no-"
                           "wget\",outcome=\"refused\"}"),
              "1");
    EXPECT_EQ(agent.sample("execseal_agent_listeners_total"), "1");
    EXPECT_EQ(agent.sample("execseal_supervisors"), "0");
    EXPECT_EQ(agent.sample("execseal_races_detected_total{policy=\"small\"}"), "0");
    EXPECT_NE(agent.sample("execseal_decision_duration_seconds_count"), "0");
    EXPECT_NE(agent.sample("execseal_freeze_duration_seconds_count"), "0");
    EXPECT_EQ(agent.sample("execseal_policy_valid{policy=\"small\"}"), "1");
}

TEST_P(AgentPodman, KeepsWhatTheBaseProfileForbids) {
    const NodeAgent agent(scratch_, node_);
    const std::vector<std::string> mount{"/bin/sh", "-c",
                                         "/bin/mount -t tmpfs x /srv 2>/dev/null; echo $?"};
    const std::vector<std::string> flags{"--cap-add", "SYS_ADMIN", "--security-opt"};
    auto with = [&](const fs::path& profile) {
        auto all = flags;
        all.push_back(seccomp(profile));
        return podman_.run(all, mount).out;
    };
    EXPECT_EQ(with(agent.profile({"small", "--unconfined"})), "0\n")
        << "the control: the capability is enough without a base profile";
    const fs::path base = scratch_.path() / "base.json";
    write_file(base, R"({"defaultAction": "SCMP_ACT_ALLOW", "archMap": [{"architecture":
        "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86", "SCMP_ARCH_X32"]}],
        "syscalls": [{"names": ["mount"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1}]})");
    EXPECT_EQ(with(agent.profile({"small", "--base", base})), "1\n");
}

TEST_P(AgentPodman, JudgesContainersOfAnImageThatCarriesItsProfile) {
    const NodeAgent agent(scratch_, node_);
    write_file(scratch_.path() / "Containerfile", std::string("FROM ") + kBusyboxImage + "\n");
    const Outcome built = podman_.call(
        {"build", "--pull=never", "--label",
         "io.containers.seccomp.profile=" + read_file(agent.profile({"small"})), "--tag",
         "localhost/labelled", "--file", scratch_.path() / "Containerfile", scratch_.path()});
    ASSERT_EQ(built.exit_code, 0) << built.text();
    const std::vector<std::string> tour{"/bin/sh", "-c", "/bin/wget >/dev/null 2>&1; echo $?"};
    auto run_labelled = [&](std::vector<std::string> words) {
        words.insert(words.begin(), {"run", "--rm"});
        words.emplace_back("localhost/labelled");
        words.insert(words.end(), tour.begin(), tour.end());
        return podman_.call(words);
    };
    EXPECT_EQ(run_labelled({}).out, "1\n") << "the control: podman ignores the label by default";
    const Outcome outcome = run_labelled({"--seccomp-policy=image"});
    EXPECT_EQ(outcome.out, "126\n") << outcome.text() << read_file(node_.log_path());
    EXPECT_TRUE(no_container_left(node_));
}

// Of the ways in which a pod names its profile podman 4.3 knows the two older ones.
TEST_P(AgentPodman, JudgesPodsThatNameTheirProfileByAnnotation) {
    const NodeAgent agent(scratch_, node_);
    const fs::path folder = agent.profile({"small"}).parent_path();
    const std::string name = agent.profile({"small"}).filename();
    const auto play = [&](KubePod pod) {
        pod.script = "/bin/wget 2>/dev/null; echo $?; exec /bin/sleep 1000";
        const Outcome played = podman_.kube_play(pod, {"--seccomp-profile-root", folder});
        EXPECT_EQ(played.exit_code, 0) << played.text();
        std::string out;
        EXPECT_TRUE(eventually([&] {
            return !(out = podman_.call({"logs", "web-app"}).out).empty();
        }));
        EXPECT_EQ(podman_.call({"pod", "rm", "--force", "--time", "0", "web"}).exit_code, 0);
        EXPECT_TRUE(no_container_left(node_));
        return out;
    };
    const std::string localhost = "localhost/" + name;
    EXPECT_EQ(
        play({.annotations = {{"container.seccomp.security.alpha.kubernetes.io/app", localhost}}}),
        "126\n");
    EXPECT_EQ(node_.events_of("/bin/wget").size(), 1U);
    EXPECT_EQ(play({.annotations = {{"seccomp.security.alpha.kubernetes.io/pod", localhost}}}),
              "126\n");
    EXPECT_EQ(node_.events_of("/bin/wget", 2).size(), 2U);
    EXPECT_EQ(play({.security_context = {{"seccompProfile",
                                          {{"type", "Localhost"}, {"localhostProfile", name}}}}}),
              "1\n")
        << "podman reads securityContext.seccompProfile now: README.md says that it does not";
}

TEST_P(AgentPodman, ItsRestartLeavesContainersJudgedAndRunning) {
    std::size_t execs = 0;
    for (const int number : {SIGTERM, SIGKILL}) {
        auto agent = std::make_unique<NodeAgent>(scratch_, node_);
        const fs::path profile = agent->profile({"small"});
        const std::string name = "long" + std::to_string(number);
        // The container does one exec a line that it is given.
        fs::create_directories(scratch_.path() / name);
        const Outcome made =
            run({.argv = {"mkfifo", scratch_.path() / name / "orders"}}, scratch_.path());
        ASSERT_EQ(made.exit_code, 0);
        start(name, profile,
              {"/bin/sh", "-c",
               std::string("while read order < /srv/orders; do $order > /srv/out 2>/dev/null; ") +
                   "echo $? > /srv/code.new; mv /srv/code.new /srv/code; done"},
              (scratch_.path() / name).string() + ":/srv");
        const auto order = [&](const std::string& command) {
            fs::remove(scratch_.path() / name / "code");
            write_file(scratch_.path() / name / "orders", command + "\n");
            EXPECT_TRUE(eventually([&] { return fs::exists(scratch_.path() / name / "code"); }));
            return read_file(scratch_.path() / name / "code");
        };
        EXPECT_EQ(order("/bin/wget"), "126\n");
        std::vector<pid_t> supervisors;
        ASSERT_TRUE(eventually([&] {
            supervisors = supervisors_of(node_);
            return supervisors.size() == 1;
        }));
        agent->signal(number);
        EXPECT_EQ(agent->wait().exit_code, number == SIGTERM ? 0 : 128 + SIGKILL);
        EXPECT_EQ(order("/bin/echo x"), "0\n") << "without an agent";
        EXPECT_EQ(order("/bin/wget"), "126\n");

        agent = std::make_unique<NodeAgent>(scratch_, node_);
        EXPECT_EQ(agent->sample("execseal_supervisors"), "1");
        EXPECT_EQ(podman_.call({"exec", name, "/bin/echo", "x"}).out, "x\n");
        EXPECT_NE(podman_.call({"exec", name, "/bin/id"}).exit_code, 0);
        ++execs;
        EXPECT_EQ(node_.events_of("/bin/id", execs).at(execs - 1)["via"], "exec");
        EXPECT_EQ(supervisors_of(node_), supervisors);
        EXPECT_EQ(podman_.call({"rm", "--force", "--time", "0", name}).exit_code, 0);
        EXPECT_TRUE(no_container_left(node_));
        agent->signal(SIGTERM);
        EXPECT_EQ(agent->wait().exit_code, 0);
    }
}

TEST_P(AgentPodman, ASupervisorThatDiesIsFollowedByAnother) {
    const NodeAgent agent(scratch_, node_);
    const fs::path out = scratch_.path() / "out";
    fs::create_directory(out);
    // Forks and execs all the time, so that every kill hits calls in flight. A /bin/true may be
    // killed, too: its exec was answered but not verified.
    start("busy", agent.profile({"small"}),
          {"/bin/sh", "-c",
           std::string("for w in 1 2 3 4; do ") +
               "(i=0; while :; do /bin/true; i=$((i+1)); echo $i > /srv/$w; done) & done; wait"},
          out.string() + ":/srv");
    const auto count = [&](int worker) {
        const std::string text = read_file(out / std::to_string(worker));
        return text.empty() ? 0L : std::stol(text);
    };
    // Not while the container's own first program is between answer and verification.
    ASSERT_TRUE(
        eventually([&] { return count(1) > 0 && count(2) > 0 && count(3) > 0 && count(4) > 0; }));
    for (int round = 1; round <= 3; ++round) {
        kill_supervisor();
        std::array<long, 4> before{};
        for (int worker = 0; worker < 4; ++worker) {
            before.at(worker) = count(worker + 1);
        }
        for (int worker = 0; worker < 4; ++worker) {
            EXPECT_TRUE(eventually([&] { return count(worker + 1) > before.at(worker) + 10; }))
                << "round " << round << ", worker " << worker << " hangs\n"
                << read_file(node_.log_path()) << report_tasks(scratch_.path());
        }
        EXPECT_EQ(agent.sample("execseal_agent_supervisor_restarts_total"), std::to_string(round));
    }
    EXPECT_EQ(shell("busy", "/bin/wget >/dev/null 2>&1; echo $?"), "126\n");
    EXPECT_NE(podman_.call({"exec", "busy", "/bin/id"}).exit_code, 0);
    EXPECT_EQ(podman_.call({"rm", "--force", "--time", "0", "busy"}).exit_code, 0);
    EXPECT_TRUE(no_container_left(node_));
}

// What kills each successor before it has served anybody may be a call that waits for an answer.
TEST_P(AgentPodman, AContainerWhoseSupervisorsServeNobodyIsGivenUp) {
    const NodeAgent agent(scratch_, node_);
    const fs::path fifos = scratch_.path() / "fifos";
    fs::create_directories(fifos);
    const UniqueFd go = open_fifo(fifos / "go");
    const UniqueFd said = open_fifo(fifos / "said");
    start("idle", agent.profile({"small"}),
          {"/bin/sh", "-c",
           "while read line < /srv/go; do /bin/true; echo \"ran $?\" > /srv/said; done"},
          fifos.string() + ":/srv");
    const auto run_one = [&] {
        EXPECT_EQ(::write(go.get(), "go\n", 3), 3);
        return read_line(said);
    };
    const auto kill_and_wait = [&](const std::string& restarts) {
        kill_supervisor();
        return eventually(
            [&] { return agent.sample("execseal_agent_supervisor_restarts_total") == restarts; });
    };
    EXPECT_EQ(run_one(), "ran 0\n");
    for (int round = 1; round <= 5; ++round) {
        ASSERT_TRUE(kill_and_wait(std::to_string(round))) << read_file(node_.log_path());
        EXPECT_EQ(run_one(), "ran 0\n") << "the control: this one has served somebody";
    }
    for (int round = 6; round <= 8; ++round) {
        ASSERT_TRUE(kill_and_wait(std::to_string(round))) << read_file(node_.log_path());
    }
    kill_supervisor();
    EXPECT_TRUE(eventually([&] {
        return read_file(node_.log_path()).find("before it has served") != std::string::npos;
    }));
    EXPECT_EQ(agent.sample("execseal_agent_supervisor_restarts_total"), "8");
    EXPECT_EQ(agent.sample("execseal_agent_containers"), "0");
}

// Who was made by whom before it came nobody tells it; what is executed from then on it sees.
TEST_P(AgentPodman, ASuccessorDoesNotGuessWhatStandsAbove) {
    node_
        .policy("below", ordered_json::parse(R"({"apiVersion": "execseal/v1", "name": "below",
            "default": "allow", "rules": [
                {"id": "of-sh", "verdict": "allow", "exe": "/bin/id", "parent": "/bin/sh"},
                {"id": "no-id", "verdict": "deny", "exe": "/bin/id"},
                {"id": "no-echo", "verdict": "deny", "exe": "/bin/echo", "ancestor": "/bin/cp"}
            ]})"))
        .write();
    const NodeAgent agent(scratch_, node_);
    const fs::path fifos = scratch_.path() / "fifos";
    fs::create_directories(fifos);
    const UniqueFd go = open_fifo(fifos / "go");
    const UniqueFd said = open_fifo(fifos / "said");
    const std::string both = "/bin/id >/dev/null 2>&1; a=$?; /bin/echo >/dev/null 2>&1; echo $a $?";
    start("below", agent.profile({"below"}),
          {"/bin/sh", "-c", "while read line < /srv/go; do (" + both + ") > /srv/said; done"},
          fifos.string() + ":/srv");
    const auto of_the_shell = [&] {
        EXPECT_EQ(::write(go.get(), "go\n", 3), 3);
        return read_line(said);
    };
    EXPECT_EQ(of_the_shell(), "0 0\n") << "the control";
    kill_supervisor();
    ASSERT_TRUE(eventually(
        [&] { return agent.sample("execseal_agent_supervisor_restarts_total") == "1"; }));
    EXPECT_EQ(of_the_shell(), "126 126\n");
    EXPECT_EQ(podman_.call({"exec", "below", "/bin/sh", "-c", both}).out, "0 0\n");
    EXPECT_EQ(podman_.call({"rm", "--force", "--time", "0", "below"}).exit_code, 0);
}

// The first process sits in a jail whose /bin/echo is a program of its own: that is no /bin/echo of
// the image, for the successor of a supervisor neither.
TEST_P(AgentPodman, ASuccessorJudgesByTheImagesNames) {
    node_
        .policy("jail", ordered_json::parse(R"({"apiVersion": "execseal/v1", "name": "jail",
            "default": "deny", "rules": [{"id": "image", "verdict": "allow", "exe": ["/bin/sh",
            "/bin/busybox", "/bin/cp", "/bin/chroot", "/bin/echo", "/srv/jail/bin/sh"]}]})"))
        .write();
    const NodeAgent agent(scratch_, node_);
    const fs::path jail = scratch_.path() / "jail";
    fs::create_directories(jail / "bin");
    const UniqueFd go = open_fifo(jail / "go");
    const UniqueFd said = open_fifo(jail / "said");
    start("jailed", agent.profile({"jail"}),
          {"/bin/sh", "-c",
           "/bin/cp /bin/busybox /srv/jail/bin/sh; /bin/cp /bin/busybox /srv/jail/bin/echo; "
           "exec /bin/busybox chroot /srv/jail /bin/sh -c "
           "'while read line < /go; do /bin/echo; echo $? > /said; done'"},
          jail.string() + ":/srv/jail");
    const auto echo_of_the_jail = [&] {
        EXPECT_EQ(::write(go.get(), "go\n", 3), 3);
        return read_line(said);
    };
    const auto echo_of_the_image = [&] {
        const Outcome outcome = podman_.call({"exec", "jailed", "/bin/echo", "x"});
        return outcome.out + outcome.err;
    };
    const auto replace_supervisor = [&](const std::string& restarts) {
        kill_supervisor();
        return eventually(
            [&] { return agent.sample("execseal_agent_supervisor_restarts_total") == restarts; });
    };
    EXPECT_EQ(echo_of_the_jail(), "126\n");
    EXPECT_EQ(echo_of_the_image(), "x\n");
    ASSERT_TRUE(replace_supervisor("1"));
    EXPECT_EQ(echo_of_the_jail(), "126\n");
    EXPECT_EQ(echo_of_the_image(), "x\n");
    EXPECT_EQ(node_.events_of("/srv/jail/bin/echo", 2).at(1)["verdict"], "deny");

    for (const auto& entry : fs::recursive_directory_iterator(node_.run_dir())) {
        if (entry.path().filename() == "start") {
            fs::remove(entry.path());
        }
    }
    ASSERT_TRUE(replace_supervisor("2"));
    EXPECT_EQ(echo_of_the_jail(), "0\n") << "the control: nothing but what was kept knows better";
}

TEST_P(AgentPodman, UnderAServiceManagerListenersOutliveBothAgentAndSupervisor) {
    ServiceManagerDouble manager(scratch_, node_);
    auto agent = std::make_unique<NodeAgent>(scratch_, node_, &manager);
    EXPECT_TRUE(eventually([&] {
        manager.receive();
        return manager.said("READY=1") == 1 && manager.said("WATCHDOG=1") >= 2;
    }));
    start("kept", agent->profile({"small"}),
          {"/bin/sh", "-c", "while :; do /bin/touch /tmp/alive; done"});
    EXPECT_TRUE(eventually([&] {
        manager.receive();
        return manager.stored() == 1;
    }));
    ASSERT_FALSE(node_.events_of("/bin/touch").empty());
    agent->signal(SIGKILL);
    (void)agent->wait();
    kill_supervisor();

    agent = std::make_unique<NodeAgent>(scratch_, node_, &manager);
    // At its start, or a little later where it still saw the old one.
    EXPECT_TRUE(eventually(
        [&] { return agent->sample("execseal_agent_supervisor_restarts_total") == "1"; }));
    EXPECT_EQ(agent->sample("execseal_agent_containers"), "1");
    const auto alive = node_.events_of("/bin/touch").size();
    EXPECT_GT(node_.events_of("/bin/touch", alive + 6).size(), alive + 5)
        << "what was in flight goes on";
    EXPECT_EQ(shell("kept", "/bin/wget >/dev/null 2>&1; echo $?"), "126\n");
    EXPECT_NE(podman_.call({"exec", "kept", "/bin/id"}).exit_code, 0);
    EXPECT_EQ(podman_.call({"rm", "--force", "--time", "0", "kept"}).exit_code, 0);
    EXPECT_TRUE(no_container_left(node_));
    EXPECT_TRUE(eventually([&] {
        manager.receive();
        return manager.stored() == 0;
    }));
    agent->signal(SIGTERM);
    EXPECT_EQ(agent->wait().exit_code, 0);
    manager.receive();
    EXPECT_EQ(manager.said("STOPPING=1"), 1);
}

TEST_P(AgentPodman, AProfileWithAPolicyThatCannotBeUsedStartsNothing) {
    const NodeAgent agent(scratch_, node_);
    const fs::path profile = agent.profile({"small"});
    fs::remove(scratch_.path() / "policies.d/small.json");
    const Outcome outcome =
        podman_.run({"--security-opt", seccomp(profile)}, {"/bin/echo", "never"});
    EXPECT_NE(outcome.exit_code, 0) << outcome.text();
    EXPECT_EQ(outcome.out, "");
    EXPECT_EQ(agent.sample("execseal_agent_refused_total"), "1");
    EXPECT_NE(
        read_file(node_.log_path()).find("listenerMetadata: \"small\": expected a policy file"),
        std::string::npos)
        << read_file(node_.log_path());
    EXPECT_TRUE(no_container_left(node_));
}

// A pod's end clears its cgroup: the supervisors that the agent started in it must not be there.
TEST_P(AgentPodman, ItsSupervisorsMoveToACgroupOfTheirOwn) {
    const bool hybrid = fs::exists("/sys/fs/cgroup/unified/cgroup.procs");
    const fs::path cgroup =
        fs::path(hybrid ? "/sys/fs/cgroup/unified" : "/sys/fs/cgroup") / scratch_.path().filename();
    node_.settings()["agent"] = {{"metrics", scratch_.path() / "metrics.sock"},
                                 {"supervisors_cgroup", cgroup}};
    node_.write();
    const NodeAgent agent(scratch_, node_);
    start("app", agent.profile({"small"}), {"/bin/sleep", "1000"});
    EXPECT_TRUE(eventually([&] { return supervisors_of(node_).size() == 1; }));
    const std::string line = "0::/" + cgroup.filename().string() + "\n";
    for (const pid_t pid : supervisors_of(node_)) {
        const std::string own = read_file(fs::path("/proc") / std::to_string(pid) / "cgroup");
        EXPECT_NE(own.find(line), std::string::npos) << own;
    }
    EXPECT_EQ(shell("app", "/bin/wget >/dev/null 2>&1; echo $?"), "126\n");
    EXPECT_EQ(podman_.call({"rm", "--force", "--time", "0", "app"}).exit_code, 0);
    EXPECT_TRUE(no_container_left(node_));
    EXPECT_TRUE(eventually([&] { return fs::remove(cgroup); }));
}

// As the kubelet does it: the files are links through ..data, which is renamed over.
TEST_P(AgentPodman, ContainersOldAndNewGetThePolicyAsItIsNow) {
    const fs::path mounted = scratch_.path() / "configmap";
    const auto write_map = [&](const std::string& version, const std::string& text) {
        fs::create_directories(mounted / version);
        write_file(mounted / version / "small.json", text);
        fs::create_directory_symlink(version, mounted / "..data_tmp");
        fs::rename(mounted / "..data_tmp", mounted / "..data");
    };
    ordered_json stricter = small_policy();
    stricter["rules"].push_back({{"id", "no-cat"}, {"verdict", "deny"}, {"exe", "/bin/cat"}});
    write_map("..2026_01", small_policy().dump());
    fs::create_symlink("..data/small.json", mounted / "small.json");
    node_.settings()["policies_dir"] = mounted;
    node_.write();

    const NodeAgent agent(scratch_, node_);
    const fs::path profile = agent.profile({"small"});
    const std::string cat = "/bin/cat /etc/group >/dev/null 2>&1; echo $?";
    start("old", profile, {"/bin/sleep", "1000"});
    EXPECT_EQ(shell("old", cat), "0\n");

    write_map("..2026_02", stricter.dump());
    EXPECT_TRUE(eventually([&] { return agent.sample("execseal_policy_reloads_total") != "0"; }));
    start("new", profile, {"/bin/sleep", "1000"});
    EXPECT_EQ(shell("new", cat), "126\n");
    EXPECT_TRUE(eventually([&] { return shell("old", cat) == "126\n"; })) << "what runs follows";

    write_map("..2026_03", "{");
    EXPECT_TRUE(
        eventually([&] { return agent.sample("execseal_policy_valid{policy=\"small\"}") == "0"; }));
    EXPECT_NE(podman_.run({"--security-opt", seccomp(profile)}, {"/bin/true"}).exit_code, 0);
    EXPECT_EQ(shell("new", cat), "126\n");
    EXPECT_EQ(shell("old", cat), "126\n");
}

INSTANTIATE_TEST_SUITE_P(Engines, AgentPodman, testing::Values(Engine::kRunc, Engine::kCrun),
                         [](const auto& row) { return std::string(engine_name(row.param)); });

// seccompProfile: {type: Localhost}, without a RuntimeClass.
TEST(AgentCri, JudgesAPodWithALocalhostProfile) {
    const Scratch scratch;
    Node node = node_with_small_policy(scratch, Engine::kRunc);
    const Containerd containerd(scratch, node, Engine::kRunc);
    const NodeAgent agent(scratch, node);
    CriPod pod(scratch, containerd, "web", {.handler = "runc"});
    const Outcome started = pod.start(
        "app", {.command = {"/bin/sh", "-c",
                            "/bin/echo x; /bin/wget 2>/dev/null; echo $?; exec /bin/sleep 1000"},
                .seccomp_profile = agent.profile({"small"})});
    ASSERT_EQ(started.exit_code, 0) << started.text();
    EXPECT_EQ(pod.exec("app", {"/bin/echo", "x"}).out, "x\n");
    EXPECT_NE(pod.exec("app", {"/bin/id"}).exit_code, 0);
    EXPECT_EQ(node.events_of("/bin/id").at(0)["via"], "exec");
    EXPECT_TRUE(eventually([&] { return pod.log("app") == "x\n126\n"; })) << pod.log("app");
    EXPECT_EQ(node.events_of("/bin/wget").at(0)["container"]["name"], "app");
    pod.remove();
    EXPECT_TRUE(no_container_left(node));
}

// The real other side of LISTEN_FDS.
TEST(AgentActivation, StartsWithTheFirstContainer) {
    const Scratch scratch;
    Node node = node_with_small_policy(scratch, Engine::kRunc);
    const Podman podman(scratch, node, Engine::kRunc, PodmanEntry::kNone);
    fs::path profile;
    {
        NodeAgent agent(scratch, node);
        profile = agent.profile({"small"});
        agent.signal(SIGTERM);
        EXPECT_EQ(agent.wait().exit_code, 0);
    }
    fs::remove(scratch.path() / "metrics.sock");
    Running activator(
        {.argv = {"systemd-socket-activate", "--listen", (node.run_dir() / "agent.sock").string(),
                  "--setenv=EXECSEAL_CONFIG=" + node.settings_path().string(), node.hook(),
                  "agent"}},
        scratch.path());
    ASSERT_TRUE(eventually([&] {
        return activator.err().find("Listening on") != std::string::npos;
    })) << activator.err();
    EXPECT_FALSE(fs::exists(scratch.path() / "metrics.sock")) << "nothing runs before it is needed";
    const Outcome outcome = podman.run({"--security-opt", "seccomp=" + profile.string()},
                                       {"/bin/sh", "-c", "/bin/wget 2>/dev/null; echo $?"});
    EXPECT_EQ(outcome.out, "126\n") << outcome.text() << activator.err();
    EXPECT_TRUE(fs::exists(scratch.path() / "metrics.sock"));
    activator.signal(SIGTERM);
    EXPECT_EQ(activator.wait().exit_code, 0);
}

// The supervisor's readers are held, so that an exec stays between notification and verdict.
TEST(AgentMetrics, TellWhatIsPendingAndWhoIsSilent) {
    const Scratch scratch;
    Node node = node_with_small_policy(scratch, Engine::kRunc);
    node.settings()["deadlines"]["remote_read_ms"] = 50000;
    node.write();
    const Podman podman(scratch, node, Engine::kRunc, PodmanEntry::kNone);
    const NodeAgent agent(scratch, node);
    const fs::path gate = scratch.path() / "gate";
    ASSERT_EQ(::mkfifo(gate.c_str(), 0600), 0);
    const Outcome started = podman.call(
        {"run", "--detach", "--name", "held", "--volume", gate.string() + ":/gate",
         "--security-opt", "seccomp=" + agent.profile({"small"}).string(), kBusyboxImage, "/bin/sh",
         "-c", "/bin/echo ready; read line < /gate; /bin/id; exec /bin/sleep 1000"});
    ASSERT_EQ(started.exit_code, 0) << started.text();
    ASSERT_TRUE(eventually([&] { return podman.call({"logs", "held"}).out == "ready\n"; }));
    const std::string pending = "execseal_pending_execs";
    EXPECT_EQ(agent.sample(pending), "0");

    const pid_t supervisor = supervisors_of(node).at(0);
    const std::vector<pid_t> readers = children_of(supervisor);
    ASSERT_FALSE(readers.empty());
    for (const pid_t reader : readers) {
        ASSERT_EQ(::kill(reader, SIGSTOP), 0);
    }
    write_file(gate, "go\n");
    EXPECT_TRUE(eventually([&] { return agent.sample(pending) == "1"; })) << agent.scrape();
    EXPECT_EQ(agent.sample("execseal_supervisors_silent"), "0");
    for (const pid_t reader : readers) {
        ASSERT_EQ(::kill(reader, SIGCONT), 0);
    }
    EXPECT_TRUE(eventually([&] { return agent.sample(pending) == "0"; })) << agent.scrape();
    EXPECT_EQ(node.events_of("/bin/id").size(), 1U);

    ASSERT_EQ(::kill(supervisor, SIGSTOP), 0);
    EXPECT_EQ(agent.sample("execseal_supervisors_silent"), "1");
    EXPECT_EQ(agent.sample("execseal_supervisors"), "1");
    ASSERT_EQ(::kill(supervisor, SIGCONT), 0);
}

// A port of 127.0.0.1 that nobody listens on now.
std::string free_port() {
    const UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0 ||
        ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
        throw std::runtime_error("no port");
    }
    return std::to_string(ntohs(address.sin_port));
}

// A real Prometheus with the shipped alert rules: it scrapes the agent, and the first denial is an
// increase.
TEST(AgentMetrics, PrometheusScrapesThemAndSeesTheFirstDenial) {
    const Scratch scratch;
    Node node = node_with_small_policy(scratch, Engine::kRunc);
    const std::string agents = "127.0.0.1:" + free_port();
    node.settings()["agent"]["metrics"] = agents;
    node.write();
    Running agent(
        {.argv = {node.hook(), "agent"}, .env = {{"EXECSEAL_CONFIG", node.settings_path()}}},
        scratch.path());
    const std::string own = "127.0.0.1:" + free_port();
    write_file(scratch.path() / "prometheus.yml",
               "global: {scrape_interval: 500ms, scrape_timeout: 500ms}\n"
               "rule_files: [" +
                   std::string(EXECSEAL_SOURCE_DIR) +
                   "/deploy/kubernetes/monitoring/alerts.rules.yml]\n"
                   "scrape_configs:\n"
                   "  - {job_name: execseal, static_configs: [{targets: [\"" +
                   agents + "\"]}]}\n");
    Running prometheus({.argv = {"prometheus", "--config.file", scratch.path() / "prometheus.yml",
                                 "--storage.tsdb.path", scratch.path() / "tsdb",
                                 "--web.listen-address", own, "--log.level", "warn"}},
                       scratch.path());
    const auto get = [&](const std::string& path) {
        return run({.argv = {"busybox", "wget", "-q", "-O", "-", "http://" + own + path}},
                   scratch.path())
            .out;
    };
    const auto value = [&](const std::string& query) -> std::string {
        const auto json = ordered_json::parse(get("/api/v1/query?query=" + query), nullptr, false);
        return json.is_object() && !json["data"]["result"].empty()
                   ? json["data"]["result"][0]["value"][1].get<std::string>()
                   : "";
    };
    const std::string denials =
        R"(execseal_decisions_total{policy="small",verdict="deny",rule="no-wget"})";
    ASSERT_TRUE(eventually([&] { return value(denials) == "0"; }))
        << agent.err() << prometheus.err();
    EXPECT_EQ(value("up"), "1");
    EXPECT_NE(get("/api/v1/rules").find("ExecsealRaceDetected"), std::string::npos);

    Bundle bundle(scratch.path() / "bundle");
    bundle.annotation("io.execseal.policy", "small")
        .args({"/bin/sh", "-c", "/bin/wget 2>/dev/null; exit 0"})
        .write();
    const Outcome ended = Container(node.runtime(), bundle, scratch).run();
    ASSERT_EQ(ended.exit_code, 0) << ended.text() << agent.err();
    EXPECT_TRUE(eventually([&] { return value(denials) == "1"; }));
    EXPECT_TRUE(eventually([&] {
        const std::string increase = value("increase(" + denials + "[1m])");
        return !increase.empty() && increase != "0";
    })) << "a counter that begins with its first event never increases";
    prometheus.signal(SIGTERM);
    EXPECT_EQ(prometheus.wait().exit_code, 0);

    const Outcome scraped =
        run({.argv = {"busybox", "wget", "-q", "-O", "-", "http://" + agents + "/metrics"}},
            scratch.path());
    write_file(scratch.path() / "metrics.txt", scraped.out);
    const Outcome checked =
        run({.argv = {"/bin/sh", "-c",
                      "promtool check metrics < " + (scratch.path() / "metrics.txt").string()}},
            scratch.path());
    EXPECT_EQ(checked.exit_code, 0) << checked.text();
}

TEST(AgentMetrics, AreServedOnLoopbackAndOnNoOtherAddress) {
    const Scratch scratch;
    Node node = node_with_small_policy(scratch, Engine::kRunc);
    const auto command_at = [&](const std::string& address) {
        node.settings()["agent"]["metrics"] = address;
        node.write();
        return Command{.argv = {node.hook(), "agent"},
                       .env = {{"EXECSEAL_CONFIG", node.settings_path()}}};
    };
    const std::string address = "127.0.0.1:" + free_port();
    Running agent(command_at(address), scratch.path());
    Outcome scraped;
    EXPECT_TRUE(eventually([&] {
        scraped =
            run({.argv = {"busybox", "wget", "-q", "-O", "-", "http://" + address + "/metrics"}},
                scratch.path());
        return scraped.exit_code == 0;
    })) << scraped.text()
        << agent.err();
    EXPECT_NE(scraped.out.find("\nexecseal_supervisors 0\n"), std::string::npos) << scraped.out;
    agent.signal(SIGTERM);
    EXPECT_EQ(agent.wait().exit_code, 0);

    const Outcome refused = run(command_at("0.0.0.0:9464"), scratch.path());
    EXPECT_EQ(refused.exit_code, 1);
    EXPECT_NE(refused.err.find("expected 127.0.0.1:PORT or [::1]:PORT"), std::string::npos)
        << refused.err;
}

}  // namespace
}  // namespace execseal::e2e
