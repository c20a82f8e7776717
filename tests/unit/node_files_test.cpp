// What `execseal install` makes of the files of a node, and that its reverse gives them back byte
// for byte: on configurations as they are found on real nodes (tests/data/node_configs).
#include "hook/cli/node_files.h"

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <sstream>

#include "hook/cli/containerd_files.h"
#include "hook/cli/install.h"
#include "hook/cli/podman_hooks.h"
#include "tests/unit/folder_test.h"

namespace execseal {
namespace {

namespace fs = std::filesystem;

constexpr const char* kContainerd = "/etc/containerd/config.toml";
constexpr const char* kV2 = "[plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes.execseal]";
constexpr const char* kV3 =
    "[plugins.\"io.containerd.cri.v1.runtime\".containerd.runtimes.execseal]";

std::string content_of(const fs::path& path) {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
}

class NodeFiles : public FolderTest {
  protected:
    void put(const std::string& path, const std::string& text) const {
        fs::create_directories(fs::path(root_ + path).parent_path());
        std::ofstream(root_ + path) << text;
    }
    [[nodiscard]] std::string get(const std::string& path) const {
        return content_of(root_ + path);
    }
    // The diff that it prints is not looked at here.
    [[nodiscard]] Result<int> run(InstallDirection direction, NodeProgram program) const {
        testing::internal::CaptureStdout();
        testing::internal::CaptureStderr();
        InstallOptions options;
        options.direction = direction;
        options.programs = {program};
        options.root = root_;
        options.share = std::string(EXECSEAL_SOURCE_DIR) + "/deploy";
        auto result = run_install(options);
        (void)testing::internal::GetCapturedStdout();
        (void)testing::internal::GetCapturedStderr();
        return result;
    }
    void install(NodeProgram program) const {
        const auto done = run(InstallDirection::kInstall, program);
        ASSERT_TRUE(done.has_value()) << done.error().text();
    }
    void uninstall(NodeProgram program) const {
        const auto done = run(InstallDirection::kUninstall, program);
        ASSERT_TRUE(done.has_value()) << done.error().text();
    }
    // Every folder, and every file with its content.
    [[nodiscard]] std::map<std::string, std::string> tree() const {
        std::map<std::string, std::string> found;
        for (const auto& entry : fs::recursive_directory_iterator(root_)) {
            found[entry.path()] = entry.is_directory() ? "a folder" : content_of(entry.path());
        }
        return found;
    }

    std::string root_ = directory_ + "/root";
};

struct Engine {
    NodeProgram program;
    const char* configs;
    const char* path;  // of a configuration, or the folder of all
};

class RoundTrip : public NodeFiles, public testing::WithParamInterface<Engine> {};

TEST_P(RoundTrip, GivesBackEveryByte) {
    const Engine& engine = GetParam();
    std::size_t count = 0;
    for (const auto& config : fs::directory_iterator(
             std::string(EXECSEAL_SOURCE_DIR) + "/tests/data/node_configs/" + engine.configs)) {
        fs::remove_all(root_);
        const std::string path = std::string(engine.path).ends_with('/')
                                     ? engine.path + config.path().filename().string()
                                     : engine.path;
        put(path, content_of(config.path()));
        fs::create_directories(root_ + "/etc/containers/containers.conf.d");
        const auto before = tree();
        install(engine.program);
        const auto installed = tree();
        EXPECT_NE(installed, before) << config.path() << ": the control";
        install(engine.program);
        EXPECT_EQ(tree(), installed) << config.path() << ": doing it again changes nothing";
        uninstall(engine.program);
        EXPECT_EQ(tree(), before) << config.path();
        ++count;
    }
    EXPECT_GE(count, 10U);
}

INSTANTIATE_TEST_SUITE_P(
    Each, RoundTrip,
    testing::Values(Engine{NodeProgram::kContainerd, "containerd", kContainerd},
                    Engine{NodeProgram::kDocker, "docker", "/etc/docker/daemon.json"},
                    Engine{NodeProgram::kPodman, "podman", "/etc/containers/containers.conf"},
                    Engine{NodeProgram::kCrio, "crio", "/etc/crio/crio.conf.d/"}),
    [](const auto& row) { return std::string(row.param.configs); });

TEST_F(NodeFiles, FoldersThatWereThereStayAndOthersGo) {
    fs::create_directories(root_ + "/etc/crio/crio.conf.d");
    const auto before = tree();
    for (const NodeProgram program :
         {NodeProgram::kContainerd, NodeProgram::kCrio, NodeProgram::kPodman, NodeProgram::kDocker,
          NodeProgram::kSystemd}) {
        install(program);
    }
    EXPECT_GT(tree().size(), before.size() + 8) << "the control";
    for (const NodeProgram program :
         {NodeProgram::kSystemd, NodeProgram::kDocker, NodeProgram::kPodman, NodeProgram::kCrio,
          NodeProgram::kContainerd}) {
        uninstall(program);
    }
    EXPECT_EQ(tree(), before);
}

TEST_F(NodeFiles, AFileOfTheOwnersThatSaysAlmostNothingStays) {
    for (const char* text : {"version = 2\n", "", "# version = 3\n"}) {
        put(kContainerd, text);
        install(NodeProgram::kContainerd);
        EXPECT_NE(get(kContainerd).find(kV2), std::string::npos) << text;
        uninstall(NodeProgram::kContainerd);
        EXPECT_TRUE(fs::exists(root_ + kContainerd));
        EXPECT_EQ(get(kContainerd), text);
    }
}

TEST_F(NodeFiles, ACopyIsOfTheFileAsItWasBeforeThisInstall) {
    put(kContainerd, "version = 2\n");
    install(NodeProgram::kContainerd);
    put(kContainerd, get(kContainerd) + "# later\n");
    uninstall(NodeProgram::kContainerd);
    put("/etc/docker/daemon.json", "{ }");
    install(NodeProgram::kContainerd);
    EXPECT_EQ(get(std::string(kContainerd) + ".before-execseal"), "version = 2\n# later\n");
    uninstall(NodeProgram::kContainerd);
    EXPECT_EQ(get(kContainerd), "version = 2\n# later\n");
    EXPECT_FALSE(fs::exists(root_ + kContainerd + ".before-execseal"));
}

TEST_F(NodeFiles, ContainerdsVersionIsReadAsToml) {
    const std::vector<std::pair<std::string, const char*>> rows{
        {"version=3\n", kV3},
        {"version = 4\n", kV3},
        {"\"version\"   =   2 # version = 3\n", kV2},
        {"# version = 3\nversion = 2\n", kV2},
        {"root = \"version = 3\"\nversion = 2\n", kV2},
        {"version = 0x3\n", kV3}};
    for (const auto& [text, table] : rows) {
        put(kContainerd, text);
        install(NodeProgram::kContainerd);
        EXPECT_NE(get(kContainerd).find(table), std::string::npos) << text;
        uninstall(NodeProgram::kContainerd);
    }
    for (const char* bad : {"version = 1\n", "version = \"2\"\n", "[grpc]\n# version = 2\n",
                            "version = 2\n[broken\n", "version = 2\nplugins = {}\n"}) {
        put(kContainerd, bad);
        const auto refused = run(InstallDirection::kInstall, NodeProgram::kContainerd);
        ASSERT_FALSE(refused.has_value()) << bad;
        EXPECT_NE(refused.error().text().find("config.toml: "), std::string::npos)
            << refused.error().text();
        EXPECT_EQ(get(kContainerd), bad);
    }
}

TEST_F(NodeFiles, ContainerdsCgroupDriverIsThatOfItsDefaultRuntime) {
    const std::string runtimes = "[plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes.";
    const std::vector<std::pair<std::string, bool>> rows{
        {runtimes + "runc.options]\nSystemdCgroup=true\n", true},
        {runtimes + "runc]\noptions = {SystemdCgroup = true}\n", true},
        {runtimes + "runc.options]\n# SystemdCgroup = true\nSystemdCgroup = false\n", false},
        {runtimes + "other.options]\nSystemdCgroup = true\n", false},
        {"[plugins.\"io.containerd.grpc.v1.cri\".containerd]\ndefault_runtime_name = 'other'\n" +
             runtimes + "other.options]\nSystemdCgroup = true\n",
         true}};
    for (const auto& [text, systemd] : rows) {
        put(kContainerd, "version = 2\n" + text);
        install(NodeProgram::kContainerd);
        const std::string after = get(kContainerd).substr(text.size());
        EXPECT_EQ(after.find("SystemdCgroup = true") != std::string::npos, systemd) << text;
        uninstall(NodeProgram::kContainerd);
    }
}

TEST_F(NodeFiles, TheRuntimeGoesToTheImportThatHasTheCriPlugin) {
    put(kContainerd, "version = 2\nimports = [\"/etc/containerd/conf.d/*.toml\"]\n");
    put("/etc/containerd/conf.d/10-debug.toml", "version = 2\n[debug]\nlevel = \"info\"\n");
    put("/etc/containerd/conf.d/20-cri.toml",
        "[plugins.'io.containerd.grpc.v1.cri'.containerd.runtimes.runc.options]\n"
        "SystemdCgroup = true\n");
    const auto before = tree();
    install(NodeProgram::kContainerd);
    EXPECT_EQ(get(kContainerd).find("execseal"), std::string::npos);
    const std::string changed = get("/etc/containerd/conf.d/20-cri.toml");
    EXPECT_NE(changed.find(kV2), std::string::npos) << changed;
    EXPECT_EQ(changed.find("SystemdCgroup = false"), std::string::npos) << changed;
    uninstall(NodeProgram::kContainerd);
    EXPECT_EQ(tree(), before);
    put("/etc/containerd/conf.d/30-mine.toml",
        "[plugins.'io.containerd.grpc.v1.cri'.containerd.runtimes.'execseal']\n");
    EXPECT_FALSE(run(InstallDirection::kInstall, NodeProgram::kContainerd).has_value())
        << "one that is not of install";
}

// containerd 2.2 and later reads conf.d where nobody asks for it.
TEST_F(NodeFiles, WhatContainerdImportsUnaskedIsReadAndNotChanged) {
    put("/etc/containerd/conf.d/20-cri.toml",
        "version = 3\n[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]\n"
        "SystemdCgroup = true\n");
    const auto expect_block = [&](const char* config, bool systemd) {
        const auto before = tree();
        install(NodeProgram::kContainerd);
        EXPECT_NE(
            get(kContainerd).find("SystemdCgroup = " + std::string(systemd ? "true" : "false")),
            std::string::npos)
            << config << get(kContainerd);
        EXPECT_TRUE(read_containerd_config(get(kContainerd)).value().version >= 2) << config;
        EXPECT_EQ(get("/etc/containerd/conf.d/20-cri.toml").find("execseal"), std::string::npos);
        uninstall(NodeProgram::kContainerd);
        EXPECT_EQ(tree(), before) << config;
    };
    expect_block("none", true);
    EXPECT_FALSE(fs::exists(root_ + kContainerd));
    for (const auto& [config, systemd] :
         {std::pair("version = 3\n", true), std::pair("", true), std::pair("version = 2\n", false),
          std::pair("version = 4\nimports = []\n", false)}) {
        put(kContainerd, config);
        expect_block(config, systemd);
    }
}

TEST_F(NodeFiles, K3sAndRke2ExtendTheirTemplates) {
    const std::string k3s = "/var/lib/rancher/k3s/agent/etc/containerd/";
    const std::string rke2 = "/var/lib/rancher/rke2/agent/etc/containerd/";
    put(k3s + "config.toml",
        "version = 3\n[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]\n"
        "SystemdCgroup = true\n");
    put(rke2 + "config-v3.toml.tmpl", "{{ template \"base\" . }}\n\n[debug]\n  level = \"warn\"\n");
    const auto before = tree();
    install(NodeProgram::kContainerd);
    EXPECT_FALSE(fs::exists(root_ + kContainerd)) << "they have a containerd of their own";
    const std::string made = get(k3s + "config-v3.toml.tmpl");
    EXPECT_TRUE(made.starts_with("{{ template \"base\" . }}\n") ||
                made.find("\n{{ template \"base\" . }}\n") != std::string::npos)
        << made;
    EXPECT_NE(made.find(kV3), std::string::npos) << made;
    EXPECT_NE(made.find("SystemdCgroup = true"), std::string::npos) << made;
    EXPECT_NE(get(k3s + "config.toml.tmpl").find(kV2), std::string::npos);
    const std::string extended = get(rke2 + "config-v3.toml.tmpl");
    EXPECT_NE(extended.find("level = \"warn\"\n# execseal"), std::string::npos) << extended;
    EXPECT_EQ(extended.find("SystemdCgroup = true"), std::string::npos) << extended;
    uninstall(NodeProgram::kContainerd);
    EXPECT_EQ(tree(), before);
}

// The runtime stays podman's own, whatever the shim takes first.
TEST_F(NodeFiles, PodmansOwnRuntimeStays) {
    NodePlace place{root_, std::string(EXECSEAL_SOURCE_DIR) + "/deploy", directory_ + "/bin/shim",
                    directory_ + "/libexec/execseal-hook"};
    const auto shim = [&]() -> std::string {
        const auto edits = edits_of(NodeProgram::kPodman, place, InstallDirection::kInstall);
        if (!edits) {
            return edits.error().text();
        }
        const std::string text = edits->front().after.value_or("");
        const auto start = text.rfind("execseal = [\"") + 13;
        return text.substr(start, text.find('"', start) - start);
    };
    const std::string crun = directory_ + "/libexec/execseal-runtime-crun";
    const std::string runc = directory_ + "/libexec/execseal-runtime-runc";
    put("/usr/bin/crun", "");
    put("/usr/sbin/runc", "");
    EXPECT_EQ(shim(), place.runtime) << "there are no links";
    fs::create_directories(directory_ + "/libexec");
    fs::create_symlink("../bin/shim", crun);
    fs::create_symlink("../bin/shim", runc);
    fs::create_directories(directory_ + "/bin");
    std::ofstream(place.runtime) << "";
    EXPECT_EQ(shim(), crun) << "as podman looks for one";
    put("/etc/containers/containers.conf", "[engine]\nruntime=\"runc\" # crun\n");
    EXPECT_EQ(shim(), place.runtime) << "the shim's first";
    put("/etc/execseal/config.json", R"({"runtimes": ["/usr/bin/crun"]})");
    EXPECT_EQ(shim(), runc);
    put("/etc/containers/containers.conf.d/60-x.conf", "engine = {runtime = '/opt/kata'}\n");
    EXPECT_EQ(shim(), place.runtime) << "none that the shim could take";
    put("/etc/containers/containers.conf.d/60-x.conf", "[engine\n");
    EXPECT_NE(shim().find("60-x.conf: line"), std::string::npos);
}

TEST_F(NodeFiles, ThePackagesUnitsAreNotShadowed) {
    for (const char* unit : {"execseal-agent.service", "execseal-agent.socket"}) {
        put(std::string("/lib/systemd/system/") + unit, "[Unit]\n");
    }
    put("/usr/lib/tmpfiles.d/execseal.conf", "d /run/execseal\n");
    const std::string override = "/etc/systemd/system/execseal-agent.socket";
    put(override, "# the owner's\n");
    const auto before = tree();
    install(NodeProgram::kSystemd);
    EXPECT_EQ(tree(), before);
    uninstall(NodeProgram::kSystemd);
    EXPECT_EQ(tree(), before) << "the owner's own stays";
}

}  // namespace
}  // namespace execseal
