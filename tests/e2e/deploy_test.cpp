// What deploy/ has for a node: units, folders and manifests, shown to the programs that read them.
#include <gtest/gtest.h>

#include "config/policy.h"
#include "config/settings.h"
#include "tests/e2e/agents.h"
#include "tests/e2e/bundle.h"
#include "tests/e2e/command.h"

namespace execseal::e2e {
namespace {

namespace fs = std::filesystem;

const fs::path kDeploy = fs::path(EXECSEAL_SOURCE_DIR) / "deploy";

std::string with(std::string text, const std::string& old, const std::string& now) {
    const auto at = text.find(old);
    EXPECT_NE(at, std::string::npos) << old;
    return at == std::string::npos ? text : text.replace(at, old.size(), now);
}

class Deploy : public testing::Test {
  protected:
    [[nodiscard]] Outcome verify_units(const std::string& service) const {
        write_file(scratch_.path() / "execseal-agent.service", service);
        fs::copy_file(kDeploy / "systemd/execseal-agent.socket",
                      scratch_.path() / "execseal-agent.socket",
                      fs::copy_options::overwrite_existing);
        return run({.argv = {"systemd-analyze", "--man=no", "verify",
                             scratch_.path() / "execseal-agent.service",
                             scratch_.path() / "execseal-agent.socket"}},
                   scratch_.path());
    }
    [[nodiscard]] Outcome check_manifests(const fs::path& deploy) const {
        return run(
            {.argv = {"/usr/bin/python3",
                      fs::path(EXECSEAL_SOURCE_DIR) / "tests/e2e/check_manifests.py", deploy}},
            scratch_.path());
    }

    Scratch scratch_;
    Node node_{scratch_};
};

TEST_F(Deploy, SystemdTakesTheUnits) {
    const std::string service = with(read_file(kDeploy / "systemd/execseal-agent.service"),
                                     "/usr/libexec/execseal/execseal-hook", node_.hook());
    const Outcome good = verify_units(service);
    EXPECT_EQ(good.exit_code, 0) << good.text();
    EXPECT_EQ(good.err, "");
    const Outcome control =
        verify_units(with(service, "FileDescriptorStoreMax", "FileDescriptorStoreMaximum"));
    EXPECT_NE(control.err.find("FileDescriptorStoreMaximum"), std::string::npos) << control.text();
}

TEST_F(Deploy, TmpfilesMakesTheFolders) {
    const fs::path root = scratch_.path() / "root";
    fs::create_directories(root / "etc");
    const Outcome made = run({.argv = {"systemd-tmpfiles", "--root=" + root.string(), "--create",
                                       kDeploy / "systemd/execseal.tmpfiles"}},
                             scratch_.path());
    EXPECT_EQ(made.exit_code, 0) << made.text();
    EXPECT_EQ(fs::status(root / "run/execseal").permissions(), fs::perms(0755));
    EXPECT_EQ(fs::status(root / "var/log/execseal").permissions(), fs::perms(0750));
}

TEST_F(Deploy, TheKubernetesManifestsAreSound) {
    const Outcome outcome = check_manifests(kDeploy);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.text();
    const auto settings = load_settings(kDeploy / "kubernetes/config.json");
    EXPECT_TRUE(settings.has_value()) << settings.error().text();
    const auto policy = Policy::load(kDeploy / "kubernetes/policies/web.json");
    EXPECT_TRUE(policy.has_value()) << policy.error().text();
}

TEST_F(Deploy, TheirCheckFindsMistakes) {
    struct Row {
        const char* old;
        const char* now;
        const char* file = "daemonset.yaml";
    };
    const Row rows[] = {
        {"appArmorProfile: {type: Unconfined}", "appArmorProfile: {type: Unconfine}"},
        {"port: metrics", "port: metric", "monitoring/podmonitor.yaml"},
        {"127.0.0.1:9464", "127.0.0.1:9463", "monitoring/proxy.yaml"},
        {"hostPID: true", "hostPid: true"},
        {"{name: policies, mountPath: /etc/execseal/policies.d, readOnly: true}",
         "{name: policy, mountPath: /etc/execseal/policies.d, readOnly: true}"},
        {"privileged: false", "privileged: true"},
        {"configMap: {name: execseal-policies}", "configMap: {name: policies}"},
    };
    const fs::path copy = scratch_.path() / "deploy";
    for (const auto& [old, now, file] : rows) {
        fs::remove_all(copy);
        fs::copy(kDeploy, copy, fs::copy_options::recursive);
        const fs::path manifest = copy / "kubernetes" / file;
        write_file(manifest, with(read_file(manifest), old, now));
        const Outcome outcome = check_manifests(copy);
        EXPECT_EQ(outcome.exit_code, 1) << old << ": " << outcome.text();
        EXPECT_NE(outcome.out, "");
    }
}

}  // namespace
}  // namespace execseal::e2e
