// A node as `execseal install --podman` leaves it, and as its reverse does, with the real podman:
// run, kube play and build. The node's /etc and /usr/share/containers are copies that a mount
// namespace of each call has in the host's place.
#include <gtest/gtest.h>

#include "tests/e2e/agents.h"
#include "tests/e2e/bundle.h"
#include "tests/e2e/command.h"
#include "tests/e2e/entry_checks.h"
#include "tests/e2e/image.h"
#include "tests/e2e/small_policy.h"
#include "tests/e2e/task_report.h"

namespace execseal::e2e {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFormerHook = "/usr/share/containers/oci/hooks.d/80-execseal.json";

class PodmanInstall : public testing::Test {
  protected:
    PodmanInstall() {
        for (const char* folder : {"bin", "libexec/execseal", "share"}) {
            fs::create_directories(prefix_ / folder);
        }
        fs::copy(EXECSEAL_CLI, prefix_ / "bin/execseal");
        fs::copy(EXECSEAL_RUNTIME, prefix_ / "bin/execseal-runtime");
        fs::copy(node_.hook(), prefix_ / "libexec/execseal/execseal-hook");
        fs::copy(fs::path(EXECSEAL_SOURCE_DIR) / "deploy", prefix_ / "share/execseal",
                 fs::copy_options::recursive);
        node_.settings()["hook"] = prefix_ / "libexec/execseal/execseal-hook";
        copy_of_the_host("/etc");
        copy_of_the_host("/usr/share/containers");
        write_settings();
        fs::remove_all(in_root("/etc/containers/containers.conf.d"));
        fs::remove_all(in_root("/usr/share/containers/oci"));
        put_configuration("");
        expect_ok(podman({"import", busybox_tar(scratch_), kBusyboxImage}));
        expect_ok(podman({"import", "--change", "CMD [\"/bin/sleep\", \"1000\"]",
                          busybox_tar(scratch_), kPauseImage}));
        write_file(scratch_.path() / "build/Containerfile",
                   std::string("FROM ") + kBusyboxImage +
                       "\nRUN /bin/echo built; /bin/wget 2>/dev/null; echo \"wget: $?\"\n");
    }
    ~PodmanInstall() override {
        for (const char* what : {"pod", "container"}) {
            if (podman({what, "rm", "--all", "--force", "--time", "0"}).timed_out) {
                kill_marked(scratch_.path());
            }
        }
    }
    PodmanInstall(const PodmanInstall&) = delete;
    PodmanInstall& operator=(const PodmanInstall&) = delete;
    PodmanInstall(PodmanInstall&&) = delete;
    PodmanInstall& operator=(PodmanInstall&&) = delete;

    static void expect_ok(const Outcome& outcome) {
        ASSERT_EQ(outcome.exit_code, 0) << outcome.text();
    }
    [[nodiscard]] fs::path in_root(const std::string& path) const { return root_.string() + path; }
    void copy_of_the_host(const std::string& path) const {
        fs::create_directories(in_root(path).parent_path());
        expect_ok(run({.argv = {"cp", "-a", path, in_root(path)}}, scratch_.path()));
    }
    void write_settings() {
        node_.write();
        fs::create_directories(in_root("/etc/execseal"));
        fs::create_directories(scratch_.path() / "build");
        fs::create_directories(scratch_.path() / "mine.d");
    }
    // The node's own containers.conf; limits and networks as tests/e2e/podman.cpp says.
    void put_configuration(const std::string& engine) {
        fs::create_directories(in_root("/etc/execseal"));
        fs::copy_file(node_.settings_path(), in_root("/etc/execseal/config.json"),
                      fs::copy_options::overwrite_existing);
        write_file(in_root("/etc/containers/containers.conf"),
                   "[containers]\n"
                   "default_ulimits = [\"nofile=1024:1024\", \"nproc=4096:4096\"]\n"
                   "netns = \"none\"\n"
                   "[engine]\n"
                   "cgroup_manager = \"cgroupfs\"\nevents_logger = \"file\"\nruntime = \"runc\"\n"
                   "infra_image = \"" +
                       std::string(kPauseImage) + "\"\ntmp_dir = \"" +
                       (scratch_.path() / "libpod").string() + "\"\n" + engine);
        write_file(scratch_.path() / "storage.conf",
                   "[storage]\ndriver = \"vfs\"\ngraphroot = \"" +
                       (scratch_.path() / "graph").string() + "\"\nrunroot = \"" +
                       (scratch_.path() / "runroot").string() + "\"\n");
    }
    [[nodiscard]] Outcome cli(std::vector<std::string> words) const {
        words.insert(words.begin(), prefix_ / "bin/execseal");
        words.insert(words.end(), {"--root", root_});
        return run({.argv = std::move(words)}, scratch_.path());
    }
    [[nodiscard]] Outcome podman(const std::vector<std::string>& words) const {
        static constexpr const char* kOnTheNode =
            "for place in /etc /usr/share/containers; do mount --bind \"$0$place\" $place; done; "
            "exec podman \"$@\"";
        Command command{.argv = {"unshare", "--mount", "sh", "-euc", kOnTheNode, root_.string()},
                        .env = {{"CONTAINERS_STORAGE_CONF", scratch_.path() / "storage.conf"}}};
        command.argv.insert(command.argv.end(), words.begin(), words.end());
        return run_watched(command, scratch_.path(), kDeadline);
    }
    [[nodiscard]] Outcome run_container(const std::vector<std::string>& flags) const {
        std::vector<std::string> all{"--rm"};
        all.insert(all.end(), flags.begin(), flags.end());
        return podman(run_words(
            all, {"/bin/sh", "-c", "/bin/echo ran; /bin/wget 2>/dev/null; echo \"wget: $?\""}));
    }
    [[nodiscard]] Outcome build(std::vector<std::string> flags = {}) const {
        flags.insert(flags.end(), {"build", "--no-cache", "--tag", "localhost/built",
                                   scratch_.path() / "build"});
        return podman(flags);
    }
    [[nodiscard]] std::string play(const std::string& policy) const {
        const fs::path file = scratch_.path() / "pod.yaml";
        nlohmann::ordered_json annotations = nlohmann::ordered_json::object();
        if (!policy.empty()) {
            annotations["io.execseal.policy"] = policy;
        }
        const nlohmann::ordered_json container{
            {"name", "app"},
            {"image", kBusyboxImage},
            {"command", {"/bin/sh", "-c", "/bin/wget 2>/dev/null; echo \"wget: $?\""}}};
        write_file(
            file,
            nlohmann::ordered_json{{"apiVersion", "v1"},
                                   {"kind", "Pod"},
                                   {"metadata", {{"name", "web"}, {"annotations", annotations}}},
                                   {"spec",
                                    {{"hostNetwork", true},
                                     {"restartPolicy", "Never"},
                                     {"containers", nlohmann::ordered_json::array({container})}}}}
                .dump());
        const Outcome played = podman({"kube", "play", file});
        EXPECT_EQ(played.exit_code, 0) << played.text();
        EXPECT_EQ(podman({"wait", "web-app"}).exit_code, 0);
        std::string out = podman({"logs", "web-app"}).out;
        expect_ok(podman({"pod", "rm", "--force", "--time", "0", "web"}));
        return out;
    }

    Scratch scratch_;
    Node node_{node_with_small_policy(scratch_)};
    fs::path prefix_ = scratch_.path() / "prefix";
    fs::path root_ = scratch_.path() / "root";
};

constexpr const char* kJudged = "wget: 126\n";
constexpr const char* kUnjudged = "wget: 1\n";  // the control: wget itself says so

TEST_F(PodmanInstall, RunKubePlayAndBuildWorkWhetherJudgedOrNot) {
    expect_ok(build());
    expect_ok(cli({"install", "--podman"}));
    const Outcome built = build();
    expect_ok(built);
    EXPECT_NE(built.out.find(kUnjudged), std::string::npos) << built.text();
    EXPECT_EQ(run_container({"--annotation", kSmallAnnotation}).out,
              std::string("ran\n") + kJudged);
    EXPECT_EQ(run_container({}).out, std::string("ran\n") + kUnjudged);
    EXPECT_EQ(play("small"), kJudged);
    EXPECT_EQ(play(""), kUnjudged);
    EXPECT_EQ(node_.events_of("/bin/wget").size(), 2U);

    expect_ok(cli({"uninstall", "--podman"}));
    expect_ok(build());
    EXPECT_EQ(run_container({"--annotation", kSmallAnnotation}).out,
              std::string("ran\n") + kUnjudged)
        << "nobody reads the annotation any more";
    EXPECT_EQ(play(""), kUnjudged);
    EXPECT_TRUE(node_.nothing_left());
}

TEST_F(PodmanInstall, ABuildIsJudgedByTheDefaultPolicyUnderTheRuntime) {
    expect_ok(cli({"install", "--podman"}));
    EXPECT_NE(build({"--runtime", "execseal"}).out.find(kUnjudged), std::string::npos)
        << "the control: no default policy";
    node_.settings()["default_policy"] = "small";
    node_.write();
    put_configuration("");
    const Outcome built = build({"--runtime", "execseal"});
    expect_ok(built);
    EXPECT_NE(built.out.find(kJudged), std::string::npos) << built.text();
    EXPECT_EQ(node_.events_of("/bin/wget").size(), 1U);
    EXPECT_TRUE(node_.nothing_left());
}

TEST_F(PodmanInstall, ClearsTheFormerPlaceOfTheHook) {
    const std::string former = R"({"version": "1.0.0", "hook": {"path": ")" + node_.hook() +
                               R"("}, "when": {"annotations": {"^io\\.execseal[./]": ".*"}},
                               "stages": ["precreate"]})";
    for (const char* direction : {"install", "uninstall"}) {
        fs::create_directories(in_root(kFormerHook).parent_path());
        write_file(in_root(kFormerHook), former);
        const Outcome broken = build();
        EXPECT_NE(broken.exit_code, 0);
        EXPECT_NE(broken.err.find("unknown stage"), std::string::npos) << broken.text();
        EXPECT_NE(cli({"doctor"}).out.find("left over"), std::string::npos);
        expect_ok(cli({direction, "--podman"}));
        EXPECT_FALSE(fs::exists(in_root(kFormerHook)));
        EXPECT_EQ(cli({"doctor"}).out.find("left over"), std::string::npos);
        expect_ok(build());
    }
}

TEST_F(PodmanInstall, TheNodesOwnHooksAreStillCalled) {
    const fs::path called = scratch_.path() / "called";
    write_file(scratch_.path() / "mine.d/10-mine.json",
               R"({"version": "1.0.0", "hook": {"path": "/bin/sh", "args": ["sh", "-c", "echo >>)" +
                   called.string() +
                   R"("]}, "when": {"always": true}, "stages": ["createRuntime"]})");
    put_configuration("hooks_dir = [\"" + (scratch_.path() / "mine.d").string() + "\"]\n");
    expect_ok(run_container({}));
    ASSERT_EQ(read_file(called), "\n") << "the control";
    expect_ok(cli({"install", "--podman"}));
    EXPECT_EQ(run_container({"--annotation", kSmallAnnotation}).out,
              std::string("ran\n") + kJudged);
    EXPECT_EQ(read_file(called), "\n\n");
}

}  // namespace
}  // namespace execseal::e2e
