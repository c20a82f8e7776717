// `execseal install` and `uninstall` on a root file system in the scratch folder, with the real
// containerd and podman as readers of what it writes.
#include <gtest/gtest.h>

#include <map>

#include "tests/e2e/agents.h"
#include "tests/e2e/bundle.h"
#include "tests/e2e/command.h"

namespace execseal::e2e {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

constexpr const char* kContainerd = "/etc/containerd/config.toml";
constexpr const char* kDocker = "/etc/docker/daemon.json";

// As Debian's containerd package ships it.
constexpr const char* kDebianToml = R"(version = 2

[plugins]
  [plugins."io.containerd.grpc.v1.cri"]
    [plugins."io.containerd.grpc.v1.cri".cni]
      bin_dir = "/usr/lib/cni"
      conf_dir = "/etc/cni/net.d"
)";

class Install : public testing::Test {
  protected:
    Install() {
        fs::create_directories(prefix_ / "bin");
        fs::create_directories(prefix_ / "share");
        fs::create_directories(root_);
        fs::copy(EXECSEAL_CLI, prefix_ / "bin/execseal");
        fs::copy(fs::path(EXECSEAL_SOURCE_DIR) / "deploy", prefix_ / "share/execseal",
                 fs::copy_options::recursive);
    }

    [[nodiscard]] Outcome cli(std::vector<std::string> words) const {
        words.insert(words.begin(), prefix_ / "bin/execseal");
        words.insert(words.end(), {"--root", root_});
        return run({.argv = std::move(words)}, scratch_.path());
    }
    [[nodiscard]] fs::path in_root(const std::string& path) const { return root_.string() + path; }
    void put(const std::string& path, const std::string& text) const {
        fs::create_directories(in_root(path).parent_path());
        write_file(in_root(path), text);
    }
    [[nodiscard]] std::map<std::string, std::string> files() const {
        std::map<std::string, std::string> files;
        for (const auto& entry : fs::recursive_directory_iterator(root_)) {
            if (entry.is_regular_file()) {
                files[entry.path()] = read_file(entry.path());
            }
        }
        return files;
    }

    Scratch scratch_;
    fs::path prefix_ = scratch_.path() / "prefix";
    fs::path root_ = scratch_.path() / "root";
};

const std::vector<std::string> kAll{"--containerd", "--crio", "--podman", "--docker"};

std::vector<std::string> with_all(const std::string& command) {
    std::vector<std::string> words{command};
    words.insert(words.end(), kAll.begin(), kAll.end());
    return words;
}

TEST_F(Install, IsIdempotentAndItsReverseIsExact) {
    put(kContainerd, kDebianToml);
    put(kDocker, "{\n    \"log-driver\": \"journald\"\n}\n");
    const auto before = files();
    const Outcome first = cli(with_all("install"));
    ASSERT_EQ(first.exit_code, 0) << first.text();
    EXPECT_NE(first.out.find("+# execseal install: begin"), std::string::npos) << first.out;
    const auto installed = files();
    EXPECT_EQ(installed.size(), 2U + 2U + 3U) << "two files, their copies, three drop-ins";
    EXPECT_EQ(installed.at(in_root(kContainerd).string() + ".before-execseal"), kDebianToml);
    const Outcome again = cli(with_all("install"));
    EXPECT_EQ(again.exit_code, 0);
    EXPECT_EQ(again.out, "");
    EXPECT_EQ(files(), installed);
    ASSERT_EQ(cli(with_all("uninstall")).exit_code, 0);
    EXPECT_EQ(files(), before);
    const Outcome nothing = cli(with_all("uninstall"));
    EXPECT_EQ(nothing.exit_code, 0);
    EXPECT_EQ(nothing.out, "");
}

TEST_F(Install, OfNothingLeavesNothing) {
    ASSERT_EQ(cli(with_all("install")).exit_code, 0);
    EXPECT_EQ(files().size(), 5U);
    ASSERT_EQ(cli(with_all("uninstall")).exit_code, 0);
    EXPECT_TRUE(files().empty());
    EXPECT_EQ(cli({"install"}).exit_code, 1) << "the empty folders that it leaves are no programs";
}

TEST_F(Install, DryRunShowsTheSameDiffAndChangesNothing) {
    put(kContainerd, kDebianToml);
    const auto before = files();
    auto words = with_all("install");
    words.emplace_back("--dry-run");
    const Outcome dry = cli(words);
    EXPECT_EQ(dry.exit_code, 0);
    EXPECT_EQ(files(), before);
    EXPECT_EQ(cli(with_all("install")).out, dry.out);
}

TEST_F(Install, WithoutANameTakesWhatIsOnTheNode) {
    EXPECT_EQ(cli({"install"}).exit_code, 1) << "nothing is";
    put(kDocker, "{}");
    ASSERT_EQ(cli({"install"}).exit_code, 0);
    EXPECT_EQ(files().size(), 2U);
    const auto daemon = ordered_json::parse(read_file(in_root(kDocker)));
    EXPECT_EQ(daemon["runtimes"]["execseal"]["path"], (prefix_ / "bin/execseal-runtime").string());
}

TEST_F(Install, ARemovalKeepsWhatWasWrittenMeanwhile) {
    put(kContainerd, kDebianToml);
    ASSERT_EQ(cli({"install", "--containerd"}).exit_code, 0);
    put(kContainerd, read_file(in_root(kContainerd)) + "# later\n");
    ASSERT_EQ(cli({"uninstall", "--containerd"}).exit_code, 0);
    EXPECT_EQ(read_file(in_root(kContainerd)), std::string(kDebianToml) + "# later\n");
    EXPECT_TRUE(fs::exists(in_root(kContainerd).string() + ".before-execseal"));
}

TEST_F(Install, RefusesFilesThatItDoesNotUnderstandAndLeavesThem) {
    const std::vector<std::pair<std::string, std::string>> bad{
        {kContainerd, "version = 1\n"},
        {kContainerd, std::string(kDebianToml) +
                          "[plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes.execseal]\n"},
        {kContainerd, std::string(kDebianToml) + "# execseal install: begin\n"},
        {kDocker, "{"}};
    for (const auto& [path, text] : bad) {
        put(path, text);
        const Outcome refused = cli({"install", path == kDocker ? "--docker" : "--containerd"});
        EXPECT_EQ(refused.exit_code, 1) << text;
        EXPECT_NE(refused.err.find(in_root(path).string()), std::string::npos) << refused.text();
        EXPECT_EQ(read_file(in_root(path)), text);
    }
}

TEST_F(Install, ContainerdTakesTheBlockBesideItsOwnSettings) {
    put(kContainerd, kDebianToml);
    ASSERT_EQ(cli({"install", "--containerd"}).exit_code, 0);
    const Outcome dump =
        run({.argv = {"containerd", "--config", in_root(kContainerd), "config", "dump"}},
            scratch_.path());
    ASSERT_EQ(dump.exit_code, 0) << dump.text();
    for (const std::string& line :
         {std::string("runtimes.execseal]"),
          std::string("pod_annotations = [\"io.execseal.*\", \"*[Ee][Xx]"),
          std::string("container_annotations = [\"io.execseal.*\", \"*[Ee][Xx]"),
          "BinaryName = \"" + (prefix_ / "bin/execseal-runtime").string() + "\"",
          std::string("bin_dir = \"/usr/lib/cni\"")}) {
        EXPECT_NE(dump.out.find(line), std::string::npos) << line << "\n" << dump.out;
    }
}

TEST_F(Install, ContainerdsCgroupDriverIsTheOtherRuntimes) {
    put(kContainerd,
        std::string(kDebianToml) +
            "[plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes.runc.options]\n"
            "  SystemdCgroup = true\n");
    ASSERT_EQ(cli({"install", "--containerd"}).exit_code, 0);
    EXPECT_EQ(read_file(in_root(kContainerd)).find("SystemdCgroup = false"), std::string::npos);
    put(kContainerd, "version = 3\n");
    ASSERT_EQ(cli({"install", "--containerd"}).exit_code, 0);
    EXPECT_NE(read_file(in_root(kContainerd)).find("io.containerd.cri.v1.runtime"),
              std::string::npos);
}

TEST_F(Install, SystemdGetsTheAgentsUnitsWithThisPrefixesHook) {
    ASSERT_EQ(cli({"install", "--systemd"}).exit_code, 0);
    const std::string service = read_file(in_root("/etc/systemd/system/execseal-agent.service"));
    EXPECT_NE(service.find((prefix_ / "libexec/execseal/execseal-hook").string() + " agent"),
              std::string::npos)
        << service;
    EXPECT_TRUE(fs::exists(in_root("/etc/systemd/system/execseal-agent.socket")));
    EXPECT_TRUE(fs::exists(in_root("/etc/tmpfiles.d/execseal.conf")));
    EXPECT_EQ(files().size(), 3U);
    ASSERT_EQ(cli({"uninstall", "--systemd"}).exit_code, 0);
    EXPECT_TRUE(files().empty());
}

TEST_F(Install, PodmanKnowsTheRuntimeByName) {
    ASSERT_EQ(cli({"install", "--podman"}).exit_code, 0);
    const auto hook =
        ordered_json::parse(read_file(in_root("/etc/execseal/hooks.d/80-execseal.json")));
    EXPECT_EQ(hook["hook"]["path"], (prefix_ / "libexec/execseal/execseal-hook").string());
    fs::copy(EXECSEAL_RUNTIME, prefix_ / "bin/execseal-runtime");
    const Command podman{.argv = {"podman", "--root", scratch_.path() / "graph", "--runroot",
                                  scratch_.path() / "runroot", "--storage-driver", "vfs",
                                  "--cgroup-manager", "cgroupfs", "--runtime", "execseal", "info",
                                  "--format", "{{.Host.OCIRuntime.Path}}"},
                         .env = {{"CONTAINERS_CONF",
                                  in_root("/etc/containers/containers.conf.d/50-execseal.conf")}}};
    const Outcome info = run(podman, scratch_.path());
    EXPECT_EQ(info.out, (prefix_ / "bin/execseal-runtime").string() + "\n") << info.text();
}

}  // namespace
}  // namespace execseal::e2e
