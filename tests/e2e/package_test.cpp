// The Debian package, installed into a clean Debian 12 and used from there: nothing of this
// repository, of its build or of the host's execseal is in sight.
#include <gtest/gtest.h>
#include <unistd.h>

#include <regex>

#include "tests/e2e/bundle.h"
#include "tests/e2e/command.h"
#include "tests/e2e/entry_checks.h"
#include "tests/e2e/small_policy.h"

namespace execseal::e2e {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::minutes kBuildWithin{12};

// Becomes the new root for real: runc's pivot_root(2) does not work in a mere chroot.
constexpr const char* kEnter = R"(
root=$1; shift
mount --bind "$root" "$root"
cd "$root"
mount -t proc proc proc
mount --rbind /sys sys
mount --rbind /dev dev
mount -t tmpfs tmpfs run
mkdir run/host
pivot_root . run/host
umount -l run/host
exec chroot . "$@"
)";

class Package : public testing::Test {
  protected:
    static Outcome checked(const Command& command, std::chrono::milliseconds deadline = kDeadline) {
        Outcome outcome = run(command, node->path(), deadline);
        if (outcome.exit_code != 0) {
            throw std::runtime_error(command.argv[0] + ": " + outcome.text());
        }
        return outcome;
    }

    static void SetUpTestSuite() {
        node = std::make_unique<Scratch>();
        checked({.argv = {"cmake", "--preset", "package"}, .cwd = EXECSEAL_SOURCE_DIR},
                kBuildWithin);
        checked({.argv = {"cmake", "--build", "--preset", "package", "--", "-j2", "--quiet"},
                 .cwd = EXECSEAL_SOURCE_DIR},
                kBuildWithin);
        checked(
            {.argv = {"mmdebstrap", "--quiet", "--variant=essential", "--dpkgopt=force-unsafe-io",
                      "--include=mount,runc,busybox-static", "bookworm", root()}},
            kBuildWithin);
        for (const auto& entry :
             fs::directory_iterator(fs::path(EXECSEAL_SOURCE_DIR) / "build/package")) {
            if (entry.path().extension() == ".deb") {
                fs::copy_file(entry.path(), root() / "root/execseal.deb");
            }
        }
        checked({.argv = inside({"dpkg", "--install", "/root/execseal.deb"})});
        Bundle bundle(root() / "root/bundle");
        bundle.args(tour()).annotation("io.execseal.policy", "small").write();
        write_file(root() / "etc/execseal/policies.d/small.json", small_policy().dump(2));
    }
    static void TearDownTestSuite() { node.reset(); }

    static fs::path root() { return node->path() / "root"; }
    static std::vector<std::string> inside(const std::vector<std::string>& argv) {
        std::vector<std::string> words{"unshare", "--mount", "sh", "-euc", kEnter, "sh", root()};
        words.insert(words.end(), argv.begin(), argv.end());
        return words;
    }
    [[nodiscard]] static Outcome in(const std::vector<std::string>& argv) {
        return run({.argv = inside(argv)}, node->path());
    }

    static std::unique_ptr<Scratch> node;
};

std::unique_ptr<Scratch> Package::node;

TEST_F(Package, RunsAContainerUnderAPolicy) {
    const Outcome outcome =
        in({"/usr/bin/execseal-runtime", "run", "--bundle", "/root/bundle", "first"});
    EXPECT_EQ(outcome.exit_code, kTourExitCode) << outcome.text();
    EXPECT_EQ(outcome.out, kTourOutput) << outcome.text();
    const Outcome events =
        in({"/usr/bin/execseal", "events", "--verdict", "deny", "--format", "json"});
    EXPECT_EQ(events.exit_code, 0) << events.text();
    EXPECT_NE(events.out.find("\"rule\":\"no-wget\""), std::string::npos) << events.text();
}

TEST_F(Package, HasWhatANodeNeeds) {
    for (const char* path :
         {"usr/libexec/execseal/execseal-hook", "usr/libexec/execseal/execseal-runtime-crun",
          "lib/systemd/system/execseal-agent.socket", "lib/systemd/system/execseal-agent.service",
          "usr/lib/tmpfiles.d/execseal.conf", "etc/execseal/config.json", "etc/execseal/policies.d",
          "usr/share/execseal/podman/80-execseal.json",
          "usr/share/execseal/policies/no-shells.json", "usr/share/man/man1/execseal.1",
          "usr/share/bash-completion/completions/execseal"}) {
        EXPECT_TRUE(fs::exists(root() / path)) << path;
    }
    const Outcome checked =
        in({"/usr/bin/execseal", "policy", "check", "/etc/execseal/policies.d/small.json",
            "/usr/share/execseal/policies/no-shells.json"});
    EXPECT_EQ(checked.exit_code, 0) << checked.text();
    const Outcome profile =
        in({"/usr/libexec/execseal/execseal-hook", "profile", "small", "--unconfined"});
    EXPECT_NE(profile.out.find("\"listenerPath\": \"/run/execseal/agent.sock\""), std::string::npos)
        << profile.text();
    // Everything that a unit or a snippet of it names is there.
    const std::regex program(R"re((/usr/(?:bin|libexec/execseal)/execseal[a-z-]*))re");
    for (const char* text :
         {"lib/systemd/system/execseal-agent.service", "usr/share/execseal/podman/80-execseal.json",
          "usr/share/execseal/containerd/execseal.toml", "usr/share/execseal/docker/daemon.json"}) {
        const std::string content = read_file(root() / text);
        std::smatch found;
        ASSERT_TRUE(std::regex_search(content, found, program)) << text;
        EXPECT_EQ(::access((root().string() + found[1].str()).c_str(), X_OK), 0) << found[1];
    }
}

// The last one: afterwards nothing is there to test.
TEST_F(Package, RemovalLeavesOnlyWhatIsTheOwners) {
    ASSERT_EQ(in({"/usr/bin/execseal", "install", "--podman"}).exit_code, 0);
    const fs::path hook = root() / "etc/execseal/hooks.d/80-execseal.json";
    ASSERT_TRUE(fs::exists(hook));
    // An upgrade from 0.1 puts the hook right where it was installed.
    const fs::path former = root() / "usr/share/containers/oci/hooks.d/80-execseal.json";
    fs::create_directories(former.parent_path());
    fs::rename(hook, former);
    ASSERT_EQ(in({"/var/lib/dpkg/info/execseal.postinst", "configure", "0.1.0"}).exit_code, 0);
    EXPECT_FALSE(fs::exists(former)) << "podman build fails at it";
    ASSERT_TRUE(fs::exists(hook));
    const Outcome removed = in({"dpkg", "--remove", "execseal"});
    EXPECT_EQ(removed.exit_code, 0) << removed.text();
    EXPECT_FALSE(fs::exists(hook)) << "podman would run containers without it, and say nothing";
    EXPECT_FALSE(fs::exists(root() / "usr/bin/execseal-runtime"));
    EXPECT_TRUE(fs::exists(root() / "etc/execseal/config.json"));
    const Outcome purged = in({"dpkg", "--purge", "execseal"});
    EXPECT_EQ(purged.exit_code, 0) << purged.text();
    EXPECT_FALSE(fs::exists(root() / "etc/execseal/config.json"));
    EXPECT_TRUE(fs::exists(root() / "etc/execseal/policies.d/small.json")) << "the owner's own";
    EXPECT_FALSE(fs::exists(root() / "var/log/execseal"));
}

}  // namespace
}  // namespace execseal::e2e
