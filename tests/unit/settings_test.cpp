#include "config/settings.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "execseal_version.h"

namespace execseal {
namespace {

Result<Settings> load_text(const std::string& text) {
    // ctest runs the tests of one binary side by side.
    const std::string path =
        testing::TempDir() + "/policy-settings-" + std::to_string(getpid()) + ".json";
    std::ofstream(path) << text;
    auto settings = load_settings(path);
    std::filesystem::remove(path);
    return settings;
}

std::string refusal(const std::string& text) {
    const auto settings = load_text(text);
    if (settings) {
        return "(accepted)";
    }
    const std::string error = settings.error().text();
    return error.substr(error.find(".json: ") + 7);
}

TEST(Settings, WithoutTheNodesFileTheDefaultsHold) {
    if (std::filesystem::exists("/etc/execseal/config.json")) {
        GTEST_SKIP() << "this node has settings of its own";
    }
    const auto settings = load_settings("/etc/execseal/config.json");
    ASSERT_TRUE(settings.has_value());
    EXPECT_EQ(settings->run_dir, "/run/execseal");
    EXPECT_EQ(settings->mode, Mode::kEnforce);
    EXPECT_FALSE(settings->default_policy);
}

TEST(Settings, AFileThatWasNamedMustExist) {
    const auto settings = load_settings("/nonexistent/config.json");
    ASSERT_FALSE(settings.has_value());
    EXPECT_EQ(settings.error().text(), "/nonexistent/config.json: No such file or directory");
}

TEST(Settings, AnUnreadableFileIsNotAnAbsentOne) {
    EXPECT_FALSE(load_settings("/").has_value());
}

TEST(Settings, ReadsEveryKey) {
    const auto settings = load_text(R"({
        "runtimes": ["/usr/bin/crun"], "hook": "/h", "run_dir": "/r", "policies_dir": "/p",
        "default_policy": "d", "floor_policy": "/f.json", "allowed_policies": ["a-*"],
        "mode": "audit", "allow_mode_annotation": true, "binding": "kernel",
        "audit": {"file": "", "syslog": true}, "log": {"level": "debug", "file": "/l"},
        "deadlines": {"fork_grace_us": 1, "exec_grace_us": 2, "supervisor_start_ms": 3,
                      "remote_read_ms": 4}})");
    ASSERT_TRUE(settings.has_value()) << settings.error().text();
    EXPECT_EQ(settings->runtimes, std::vector<std::string>{"/usr/bin/crun"});
    EXPECT_EQ(settings->hook, "/h");
    EXPECT_EQ(settings->run_dir, "/r");
    EXPECT_EQ(settings->policies_dir, "/p");
    EXPECT_EQ(settings->default_policy, "d");
    EXPECT_EQ(settings->floor_policy, "/f.json");
    EXPECT_EQ(settings->allowed_policies, std::vector<std::string>{"a-*"});
    EXPECT_EQ(settings->mode, Mode::kAudit);
    EXPECT_EQ(settings->allow_mode_annotation, true);
    EXPECT_EQ(settings->binding, Settings::Binding::kKernel);
    EXPECT_EQ(settings->audit.file, "");
    EXPECT_TRUE(settings->audit.syslog);
    EXPECT_EQ(settings->log.level, "debug");
    EXPECT_EQ(settings->log.file, "/l");
    EXPECT_EQ(settings->deadlines.fork_grace.count(), 1);
    EXPECT_EQ(settings->deadlines.exec_grace.count(), 2);
    EXPECT_EQ(settings->deadlines.supervisor_start.count(), 3);
    EXPECT_EQ(settings->deadlines.remote_read.count(), 4);
}

TEST(Settings, ReadsWhatBoundsTheAuditAndTheSupervisor) {
    const auto settings =
        load_text(R"({"audit": {"file": "/a", "arguments": "all", "events_per_second": 7,)"
                  R"( "secrets": ["*_DSN"], "on_failure": "deny"},)"
                  R"( "supervisor_cpu": {"weight": 50, "quota_percent": 40}})");
    ASSERT_TRUE(settings.has_value()) << settings.error().text();
    EXPECT_TRUE(settings->audit.keep_all);
    EXPECT_EQ(settings->audit.events_per_second, 7U);
    EXPECT_EQ(settings->audit.secrets, (std::vector<std::string>{"*_DSN"}));
    EXPECT_EQ(settings->audit.on_failure, AuditSettings::OnFailure::kDeny);
    EXPECT_EQ(settings->supervisor_cpu.weight, 50U);
    EXPECT_EQ(settings->supervisor_cpu.quota_percent, 40U);
    for (const char* const wrong :
         {R"({"audit": {"arguments": "some"}})", R"({"audit": {"events_per_second": -1}})",
          R"({"audit": {"secrets": ["["]}})", R"({"audit": {"on_failure": "log"}})",
          R"({"audit": {"file": "", "on_failure": "deny"}})",
          R"({"supervisor_cpu": {"weight": 0}})", R"({"supervisor_cpu": {"quota": 1}})"}) {
        EXPECT_NE(refusal(wrong), "(accepted)") << wrong;
    }
}

// Of an older program: a file that was written for a newer one.
TEST(Settings, AFileForANewerVersionIsRefusedAndBothAreNamed) {
    const std::string refused = refusal(R"({"requires": "0.99.0", "key_of_the_future": 1})");
    EXPECT_EQ(refused, std::string("/requires: the file needs execseal 0.99.0 or newer, this is "
                                   "execseal ") +
                           kVersion);
    EXPECT_NE(
        refusal(R"({"key_of_the_future": 1})").find(std::string("; this is execseal ") + kVersion),
        std::string::npos);
    for (const char* const wrong :
         {R"({"requires": 1})", R"({"requires": "0.1"})", R"({"requires": "0.1.0-rc"})",
          R"({"requires": "v0.1.0"})", R"({"requires": "0.1.99999999999"})"}) {
        EXPECT_EQ(refusal(wrong), "/requires: expected a version of execseal, as \"0.1.0\"");
    }
    for (const std::string& known : {std::string("0.0.1"), std::string(kVersion)}) {
        EXPECT_TRUE(load_text(R"({"requires": ")" + known + "\"}").has_value()) << known;
    }
}

TEST(Settings, BindsByPtraceUnlessAskedOtherwise) {
    EXPECT_EQ(load_text("{}")->binding, Settings::Binding::kPtrace);
    EXPECT_EQ(load_text(R"({"binding": "auto"})")->binding, Settings::Binding::kAuto);
    EXPECT_EQ(load_text(R"({"binding": "ptrace"})")->binding, Settings::Binding::kPtrace);
}

TEST(Settings, TheShippedFilesLoad) {
    const auto shipped = load_settings(EXECSEAL_SOURCE_DIR "/config/config.json");
    ASSERT_TRUE(shipped.has_value()) << shipped.error().text();
    const Settings defaults;
    EXPECT_EQ(shipped->hook, defaults.hook);
    EXPECT_EQ(shipped->audit.file, defaults.audit.file);
    EXPECT_EQ(shipped->log.file, defaults.log.file);
    const auto strict = load_settings(EXECSEAL_SOURCE_DIR "/config/config-example-strict.json");
    EXPECT_TRUE(strict.has_value()) << strict.error().text();
}

TEST(Settings, RefusesWhatItDoesNotUnderstand) {
    EXPECT_EQ(refusal("{}"), "(accepted)");
    EXPECT_EQ(refusal(R"({"floor_polcy": "x"})").find("/floor_polcy: unknown key"), 0U);
    EXPECT_EQ(refusal(R"({"run_dir": "run"})"), "/run_dir: expected an absolute path, got \"run\"");
    EXPECT_EQ(refusal(R"({"runtimes": []})"),
              "/runtimes: expected a non-empty array of runtimes, got an empty array");
    EXPECT_EQ(refusal(R"({"runtimes": ["./runc"]})"),
              "/runtimes/0: expected a program's name or absolute path, got \"./runc\"");
    EXPECT_EQ(refusal(R"({"allowed_policies": ["[a"]})"),
              "/allowed_policies/0: expected a valid glob: expected a \"]\" for the \"[\"");
    EXPECT_EQ(refusal(R"({"allowed_policies": ["*", "/p/*", "**/web.json"]})"), "(accepted)");
    EXPECT_EQ(refusal(R"({"allowed_policies": ["policies.d/web"]})"),
              "/allowed_policies/0: expected a glob over policy names or absolute paths, got "
              "\"policies.d/web\"");
    for (const std::string key : {"default_policy", "floor_policy"}) {
        EXPECT_EQ(refusal("{\"" + key + "\": \"./web.json\"}"),
                  "/" + key + ": expected a policy's name or absolute path, got \"./web.json\"");
    }
    EXPECT_EQ(refusal(R"({"log": {"level": "loud"}})").find("/log/level: expected \"trace\""), 0U);
    EXPECT_EQ(refusal(R"({"audit": {"syslog": 1}})"),
              "/audit/syslog: expected true or false, got a number (1)");
    EXPECT_EQ(refusal(R"({"deadlines": {"remote_read_ms": 0}})"),
              "/deadlines/remote_read_ms: expected an integer from 1 to 60000, got a number (0)");
    EXPECT_EQ(refusal(R"({"binding": "bpf"})"),
              "/binding: expected \"auto\", \"kernel\" or \"ptrace\", got \"bpf\"");
    EXPECT_EQ(refusal(R"({"mode": "off"})"),
              "/mode: expected \"enforce\", \"audit\" or \"learn\", got \"off\"");
    EXPECT_EQ(refusal("[]"), "/: expected an object, got an empty array");
}

// NOLINTBEGIN(concurrency-mt-unsafe): one thread
TEST(SettingsPath, ComesFromTheEnvironmentOrIsFixed) {
    unsetenv("EXECSEAL_CONFIG");
    EXPECT_EQ(settings_path(), "/etc/execseal/config.json");
    setenv("EXECSEAL_CONFIG", "/x/y.json", 1);
    EXPECT_EQ(settings_path(), "/x/y.json");
    unsetenv("EXECSEAL_CONFIG");
}
// NOLINTEND(concurrency-mt-unsafe)

}  // namespace
}  // namespace execseal
