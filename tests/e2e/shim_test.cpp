// execseal-runtime as a program, in front of a fake runtime (tests/targets/fake_runtime.c) that
// writes down what it was given, and with a fake hook in the supervisor's place.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/e2e/bundle.h"
#include "tests/e2e/command.h"

namespace execseal::e2e {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

class Shim : public testing::Test {
  protected:
    void SetUp() override {
        fs::create_directories(dir() / "bin");
        fs::create_directories(dir() / "policies.d");
        fs::create_directories(dir() / "bundle");
        fs::copy_file(target_program("fake_runtime"), dir() / "bin/runc");
        write_file(dir() / "policies.d/demo.json",
                   R"({"apiVersion": "execseal/v1", "name": "demo", "default": "allow"})");
        supervisor("echo READY");
        settings_ = {{"runtimes", {"runc"}},
                     {"hook", dir() / "hook"},
                     {"run_dir", dir() / "run"},
                     {"policies_dir", dir() / "policies.d"},
                     {"log", {{"file", dir() / "execseal.log"}}}};
        spec_ = {{"ociVersion", "1.0.2"},
                 {"process", {{"args", {"/bin/sh"}}, {"cwd", "/"}}},
                 {"root", {{"path", "rootfs"}}},
                 {"annotations", {{"io.execseal.policy", "demo"}}},
                 {"unknown", {{"kept", {1, 2, 3}}}},
                 {"linux", Json::object()}};
        save();
    }

    [[nodiscard]] const fs::path& dir() const { return scratch_.path(); }
    [[nodiscard]] fs::path config() const { return dir() / "bundle/config.json"; }

    // What the hook does as `supervise`; launch_supervisor() waits for READY on its descriptor 1.
    void supervisor(const std::string& commands) const {
        write_file(dir() / "hook",
                   "#!/bin/sh\ncat > " + (dir() / "launched").string() + "\n" + commands + "\n");
        fs::permissions(dir() / "hook", fs::perms::owner_all);
    }
    void save() const {
        write_file(dir() / "config.json", settings_.dump());
        write_file(config(), spec_.dump(2));
    }
    [[nodiscard]] Command command(const std::vector<std::string>& words,
                                  const std::string& end = "0") const {
        Command command;
        command.argv = {EXECSEAL_RUNTIME};
        command.argv.insert(command.argv.end(), words.begin(), words.end());
        command.env = {{"EXECSEAL_CONFIG", dir() / "config.json"},
                       {"PATH", (dir() / "bin").string() + ":/usr/bin:/bin"},
                       {"FAKE_RUNTIME", dir()},
                       {"FAKE_RUNTIME_END", end}};
        command.cwd = dir();
        return command;
    }
    [[nodiscard]] Outcome call(const std::vector<std::string>& words,
                               const std::string& end = "0") const {
        return run(command(words, end), dir());
    }
    [[nodiscard]] Outcome create() const {
        return call({"--log", dir() / "log.json", "--log-format", "json", "create", "--bundle",
                     dir() / "bundle", "shim-box"});
    }
    // NUL separated strings.
    [[nodiscard]] std::vector<std::string> strings(const std::string& name) const {
        std::istringstream text(read_file(dir() / name));
        std::vector<std::string> result;
        for (std::string item; std::getline(text, item, '\0');) {
            result.push_back(item);
        }
        return result;
    }
    [[nodiscard]] bool runtime_ran() const { return fs::exists(dir() / "argv"); }
    [[nodiscard]] bool supervisor_ran() const { return fs::exists(dir() / "launched"); }

    // A failed create: one line, code 1, no runtime, the bundle and run_dir as before.
    void expect_refused(const Outcome& outcome, const std::string& reason) const {
        EXPECT_EQ(outcome.exit_code, 1) << outcome.text();
        EXPECT_NE(outcome.err.find(reason), std::string::npos) << outcome.text();
        EXPECT_EQ(std::ranges::count(outcome.err, '\n'), 1) << outcome.text();
        EXPECT_FALSE(runtime_ran());
        EXPECT_EQ(read_file(config()), spec_.dump(2));
        EXPECT_TRUE(!fs::exists(dir() / "run") || fs::is_empty(dir() / "run"));
        for (const auto& entry : fs::directory_iterator(dir() / "bundle")) {
            EXPECT_EQ(entry.path().filename(), "config.json");
        }
    }

    Scratch scratch_;
    Json settings_;
    Json spec_;
};

TEST_F(Shim, OtherSubcommandsPassWithArgumentsEnvironmentAndDescriptors) {
    Command plain = command({"--root", "/r", "state", "a b", "", "x"});
    // NOLINTNEXTLINE(android-cloexec-open): the runtime is to inherit it
    const UniqueFd extra(::open("/dev/null", O_RDONLY));
    ASSERT_TRUE(extra.valid());
    const Outcome outcome = run(plain, dir());
    EXPECT_EQ(outcome.exit_code, 0) << outcome.text();
    EXPECT_EQ(outcome.out, "fake runtime on stdout\n");
    EXPECT_EQ(outcome.err, "fake runtime on stderr\n");
    EXPECT_EQ(strings("argv"), (std::vector<std::string>{dir() / "bin/runc", "--root", "/r",
                                                         "state", "a b", "", "x"}));
    const std::string shim_fds = read_file(dir() / "fds");
    const auto shim_env = strings("env");

    // The control: the fake runtime called directly has the same environment and descriptors.
    plain.argv[0] = dir() / "bin/runc";
    ASSERT_EQ(run(plain, dir()).exit_code, 0);
    EXPECT_EQ(read_file(dir() / "fds"), shim_fds);
    EXPECT_NE(shim_fds.find(std::to_string(extra.get())), std::string::npos);
    EXPECT_EQ(strings("env"), shim_env);
    EXPECT_FALSE(supervisor_ran());
}

// As `execseal install --podman` names it where podman's own runtime is not the settings' first.
TEST_F(Shim, UnderARuntimesNameItTakesThatOne) {
    fs::copy_file(target_program("fake_runtime"), dir() / "bin/crun");
    const fs::path link = dir() / "execseal-runtime-crun";
    fs::create_symlink(EXECSEAL_RUNTIME, link);
    for (const std::vector<std::string>& words :
         {std::vector<std::string>{"state", "x"},
          {"create", "--bundle", dir() / "bundle", "shim-box"}}) {
        Command named = command(words);
        ASSERT_EQ(run(named, dir()).exit_code, 0);
        EXPECT_EQ(strings("argv").at(0), dir() / "bin/runc") << "the control";
        named.argv[0] = link;
        ASSERT_EQ(run(named, dir()).exit_code, 0);
        EXPECT_EQ(strings("argv").at(0), dir() / "bin/crun");
    }
}

TEST_F(Shim, TheExitCodeIsTheRuntimes) {
    for (const std::string& code : {std::string("0"), std::string("7"), std::string("125")}) {
        EXPECT_EQ(call({"exec", "box", "sh"}, code).exit_code, std::stoi(code));
        EXPECT_EQ(call({"create", "-b", dir() / "bundle", "shim-box"}, code).exit_code,
                  std::stoi(code));
    }
    EXPECT_EQ(call({"kill", "box"}, "signal 9").exit_code, 128 + SIGKILL);
}

TEST_F(Shim, SignalsReachTheRuntime) {
    Running running(command({"run", "-b", dir() / "bundle", "shim-box"}, "wait"), dir());
    ASSERT_TRUE(eventually([&] { return running.err().find("stderr") != std::string::npos; }))
        << running.err();
    running.signal(SIGTERM);
    EXPECT_EQ(running.wait().exit_code, 128 + SIGTERM);
}

TEST_F(Shim, ACreateIsEditedAndSupervisedBeforeTheRuntimeRuns) {
    ASSERT_EQ(::chmod(config().c_str(), 0604), 0);
    const Outcome outcome = create();
    ASSERT_EQ(outcome.exit_code, 0) << outcome.text();
    EXPECT_EQ(strings("argv"), (std::vector<std::string>{
                                   dir() / "bin/runc", "--log", dir() / "log.json", "--log-format",
                                   "json", "create", "--bundle", dir() / "bundle", "shim-box"}));
    const Json edited = Json::parse(read_file(config()));
    EXPECT_EQ(edited["unknown"], spec_["unknown"]);
    const auto listener = edited["linux"]["seccomp"]["listenerPath"].get<std::string>();
    EXPECT_TRUE(listener.starts_with((dir() / "run/shim-box-").string())) << listener;
    EXPECT_EQ(edited["hooks"]["createRuntime"][0]["path"], (dir() / "hook").string());
    struct stat status {};
    ASSERT_EQ(::stat(config().c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0604U);

    const Json launched = Json::parse(read_file(dir() / "launched"));
    EXPECT_EQ(launched["plan"]["listener_path"], listener);
    // Nothing of the launch leaks into the runtime.
    const std::string fds = read_file(dir() / "fds");
    Command control = command({"state"});
    control.argv[0] = dir() / "bin/runc";
    ASSERT_EQ(run(control, dir()).exit_code, 0);
    EXPECT_EQ(fds, read_file(dir() / "fds"));
}

TEST_F(Shim, ASecondCreateOfTheSameBundleKeepsTheFile) {
    ASSERT_EQ(create().exit_code, 0);
    const std::string once = read_file(config());
    ASSERT_EQ(create().exit_code, 0);
    EXPECT_EQ(read_file(config()), once);
}

TEST_F(Shim, TheBundleDefaultsToTheCurrentDirectory) {
    Command here = command({"run", "shim-box"});
    here.cwd = dir() / "bundle";
    const Outcome outcome = run(here, dir());
    EXPECT_EQ(outcome.exit_code, 0) << outcome.text();
    EXPECT_NE(read_file(config()).find("listenerPath"), std::string::npos);
}

TEST_F(Shim, AContainerWithoutAPolicyPassesUntouched) {
    spec_.erase("annotations");
    save();
    EXPECT_EQ(create().exit_code, 0);
    EXPECT_TRUE(runtime_ran());
    EXPECT_FALSE(supervisor_ran());
    EXPECT_EQ(read_file(config()), spec_.dump(2));
}

TEST_F(Shim, ASupervisorThatDoesNotStartFailsTheCreate) {
    supervisor("echo boom");
    expect_refused(create(), "boom");
    supervisor("exit 3");
    expect_refused(create(), "supervisor");
    fs::remove(dir() / "hook");
    expect_refused(create(), "No such file");
}

TEST_F(Shim, ErrorsReachTheEnginesLog) {
    supervisor("echo boom");
    expect_refused(create(), "boom");
    const Json line = Json::parse(read_file(dir() / "log.json"));
    EXPECT_EQ(line["level"], "error");
    EXPECT_NE(line["msg"].get<std::string>().find("boom"), std::string::npos);
    EXPECT_TRUE(line.contains("time"));
}

TEST_F(Shim, BadInputFailsTheCreate) {
    spec_["annotations"]["io.execseal.policy"] = "absent";
    save();
    expect_refused(create(), "absent");

    spec_["annotations"] = {{"io.execseal.policy", "demo"}, {"run.oci.seccomp_bpf_data", "AAAA"}};
    save();
    expect_refused(create(), "config.json: /annotations/run.oci.seccomp_bpf_data");

    spec_["annotations"] = {{"io.execseal.policy", "demo"}};
    spec_["linux"] = {{"seccomp", {{"defaultAction", "SCMP_ACT_ALLOW"}, {"listenerPath", "/x"}}}};
    save();
    expect_refused(create(), "another seccomp agent");

    expect_refused(call({"--future-flag", "x", "create", "shim-box"}), "--future-flag");
    expect_refused(call({"create", "-b", "/nonexistent", "shim-box"}), "/nonexistent");
    expect_refused(call({"create", "-b", dir() / "bundle", "../up"}), "without a slash");

    write_file(dir() / "config.json", R"({"no_such_setting": 1})");
    expect_refused(create(), "no_such_setting");
}

TEST_F(Shim, WithoutARealRuntimeNothingIsTouched) {
    fs::remove(dir() / "bin/runc");
    fs::create_symlink(EXECSEAL_RUNTIME, dir() / "bin/runc");
    Command alone = command({"create", "-b", dir() / "bundle", "shim-box"});
    alone.env[1].second = dir() / "bin";
    expect_refused(run(alone, dir()), "no real runtime");
    EXPECT_FALSE(supervisor_ran());
}

TEST_F(Shim, ARuntimeThatCannotBeExecutedLeavesTheBundleAsItWas) {
    write_file(dir() / "bin/runc",
               "\x7f"
               "ELF but no more");
    fs::permissions(dir() / "bin/runc", fs::perms::owner_all);
    expect_refused(create(), "execve");
    EXPECT_TRUE(supervisor_ran());
}

TEST_F(Shim, ABadSettingDoesNotStopOtherSubcommands) {
    write_file(dir() / "config.json", R"({"runtimes": ["runc"], "no_such_setting": 1})");
    EXPECT_EQ(call({"delete", "--force", "shim-box"}).exit_code, 0);
    EXPECT_TRUE(runtime_ran());
}

TEST_F(Shim, ARestoreOfASupervisedContainerIsRefused) {
    expect_refused(call({"restore", "-b", dir() / "bundle", "shim-box"}), "restore");
    spec_.erase("annotations");
    save();
    EXPECT_EQ(call({"restore", "-b", dir() / "bundle", "shim-box"}).exit_code, 0);
}

TEST_F(Shim, CrunsConfigFlagMayOnlyNameTheBundlesOwnFile) {
    write_file(dir() / "other.json", spec_.dump(2));
    expect_refused(call({"create", "-b", dir() / "bundle", "-f", dir() / "other.json", "shim-box"}),
                   "--config");
    EXPECT_EQ(call({"create", "-b", dir() / "bundle", "-f", config(), "shim-box"}).exit_code, 0);
}

}  // namespace
}  // namespace execseal::e2e
