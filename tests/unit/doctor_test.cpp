// `execseal doctor`: what it makes of what it finds.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "hook/cli/doctor_kernel.h"
#include "hook/cli/doctor_node.h"
#include "tests/unit/folder_test.h"

namespace execseal {
namespace {

TEST(Findings, AreALineEachWithWhatToDoBelow) {
    const Findings findings{found_ok("kernel", "fine"),
                            found_fail("a subject", "broken", "mend it"),
                            found_warn("x", "odd\x1b", "look")};
    EXPECT_EQ(findings_text(findings),
              "ok    kernel     fine\n"
              "fail  a subject  broken\n"
              "                 -> mend it\n"
              "warn  x          odd\\x1b\n"
              "                 -> look\n");
    EXPECT_EQ(findings_json(findings)[1]["advice"], "mend it");
    EXPECT_EQ(findings_code(findings), 1);
    EXPECT_EQ(findings_code({findings[0], findings[2]}), 0);
    EXPECT_EQ(findings_code({}), 0);
}

TEST(Doctor, OnlyYamasLastLevelForbidsToAttach) {
    EXPECT_EQ(yama_finding("").health, Health::kOk);
    EXPECT_EQ(yama_finding("1\n").health, Health::kOk);
    EXPECT_EQ(yama_finding("2\n").health, Health::kOk);
    EXPECT_EQ(yama_finding("3\n").health, Health::kFail);
}

TEST(Doctor, ARuntimeMustBeAbleToNotify) {
    const auto health = [](const std::string& features) {
        return features_finding("/usr/sbin/runc", features).health;
    };
    EXPECT_EQ(
        health(
            R"({"linux":{"seccomp":{"enabled":true,"actions":["SCMP_ACT_ERRNO","SCMP_ACT_NOTIFY"]}}})"),
        Health::kOk);
    EXPECT_EQ(health(R"({"linux":{"seccomp":{"enabled":true,"actions":["SCMP_ACT_ERRNO"]}}})"),
              Health::kFail);
    EXPECT_EQ(health(R"({"linux":{"seccomp":{"enabled":false}}})"), Health::kFail);
    EXPECT_EQ(health(R"({"linux":{"seccomp":{"enabled":"yes","actions":7}}})"), Health::kFail);
    for (const char* unknown : {"", "[]", "{}", R"({"linux":{}})", "unknown command"}) {
        EXPECT_EQ(health(unknown), Health::kWarn) << unknown;
    }
    const Finding tells = features_finding(
        "runc",
        R"({"linux":{"seccomp":{"enabled":true,"actions":["SCMP_ACT_NOTIFY"]}},"annotations":{"io.github.seccomp.libseccomp.version":"2.5.4"}})");
    EXPECT_EQ(tells.detail, "runc: can notify, libseccomp 2.5.4");
}

TEST(ReloadAdvice, OfAReverseStopsTheAgentThatInstallStarted) {
    const std::string install = reload_advice(NodeProgram::kSystemd, InstallDirection::kInstall);
    EXPECT_NE(install.find("enable --now execseal-agent.socket"), std::string::npos) << install;
    const std::string reverse = reload_advice(NodeProgram::kSystemd, InstallDirection::kUninstall);
    EXPECT_EQ(reverse.find("enable"), std::string::npos) << reverse;
    EXPECT_NE(reverse.find("disable --now"), std::string::npos) << reverse;
}

class DoctorNode : public FolderTest {
  protected:
    void put(const std::string& name, const std::string& text,
             std::filesystem::perms mode = std::filesystem::perms(0644)) const {
        const std::filesystem::path path = directory_ + "/" + name;
        std::filesystem::create_directories(path.parent_path());
        std::ofstream(path) << text;
        std::filesystem::permissions(path, mode);
    }
};

TEST_F(DoctorNode, TellsCgroupModesByTheirFiles) {
    EXPECT_EQ(cgroup_finding(directory_).detail, "v1");
    put("unified/cgroup.procs", "");
    EXPECT_EQ(cgroup_finding(directory_).health, Health::kWarn);
    put("cgroup.controllers", "");
    EXPECT_EQ(cgroup_finding(directory_).detail, "v2");
}

TEST_F(DoctorNode, AHookWhoseProgramIsNotThereFails) {
    const std::string json =
        R"({"version": "1.0.0", "hook": {"path": "/usr/libexec/execseal-hook"}})";
    put("usr/share/containers/oci/hooks.d/80-execseal.json", json);
    put("usr/share/containers/oci/hooks.d/10-other.json", R"({"hook": {"path": "/none"}})");
    put("usr/share/containers/oci/hooks.d/README", json);
    Findings missing;
    examine_hooks(directory_, {}, missing);
    ASSERT_EQ(missing.size(), 1U);
    EXPECT_EQ(missing[0].health, Health::kFail);
    EXPECT_NE(missing[0].detail.find("/usr/libexec/execseal-hook is not there"), std::string::npos);
    put("usr/libexec/execseal-hook", "#!/bin/sh\n", std::filesystem::perms(0755));
    Findings there;
    examine_hooks(directory_, {}, there);
    ASSERT_EQ(there.size(), 1U);
    EXPECT_EQ(there[0].health, Health::kOk);
    Settings settings;
    settings.default_policy = "web";
    Findings by_default;
    examine_hooks(directory_, settings, by_default);
    ASSERT_EQ(by_default.size(), 2U);
    EXPECT_EQ(by_default[1].health, Health::kWarn);
}

TEST_F(DoctorNode, AHookInTheFolderOfBuildahIsLeftOver) {
    const std::string json =
        R"({"hook": {"path": "/usr/libexec/execseal-hook"}, "stages": ["precreate"]})";
    put("usr/libexec/execseal-hook", "#!/bin/sh\n", std::filesystem::perms(0755));
    put("etc/execseal/hooks.d/80-execseal.json", json);
    put("etc/containers/containers.conf.d/50-execseal.conf",
        "[engine]\nhooks_dir = [\"/etc/execseal/hooks.d\"]\n");
    Findings right;
    examine_hooks(directory_, {}, right);
    ASSERT_EQ(right.size(), 1U);
    EXPECT_EQ(right[0].health, Health::kOk) << right[0].detail;
    put("usr/share/containers/oci/hooks.d/80-execseal.json", json);
    Findings left;
    examine_hooks(directory_, {}, left);
    ASSERT_EQ(left.size(), 2U);
    EXPECT_EQ(left[0].health, Health::kFail);
    EXPECT_NE(left[0].detail.find("left over"), std::string::npos) << left[0].detail;
}

TEST_F(DoctorNode, AFolderThatPodmanDoesNotReadFails) {
    put("usr/libexec/execseal-hook", "#!/bin/sh\n", std::filesystem::perms(0755));
    put("etc/execseal/hooks.d/80-execseal.json",
        R"({"hook": {"path": "/usr/libexec/execseal-hook"}, "stages": ["precreate"]})");
    put("etc/containers/containers.conf.d/50-execseal.conf",
        "[engine]\nhooks_dir = [\"/etc/execseal/hooks.d\"]\n");
    put("etc/containers/containers.conf.d/60-mine.conf", "[engine]\nhooks_dir = [\"/mine\"]\n");
    Findings findings;
    examine_hooks(directory_, {}, findings);
    ASSERT_FALSE(findings.empty());
    EXPECT_EQ(findings[0].health, Health::kFail);
    EXPECT_NE(findings[0].detail.find("/engine/hooks_dir"), std::string::npos);
}

TEST_F(DoctorNode, EveryPolicyThatDoesNotLoadIsNamed) {
    Settings settings;
    settings.policies_dir = directory_ + "/policies.d";
    const auto examine = [&settings] {
        Findings findings;
        examine_policies(settings, findings);
        return findings;
    };
    EXPECT_EQ(examine().at(0).health, Health::kWarn);
    put("policies.d/good.json",
        R"({"apiVersion": "execseal/v1", "name": "good", "default": "allow"})");
    EXPECT_EQ(examine().at(0).health, Health::kOk);
    put("policies.d/bad.json", "{}");
    settings.floor_policy = "none";
    const Findings findings = examine();
    ASSERT_EQ(findings.size(), 2U);
    EXPECT_EQ(findings[0].health, Health::kFail);
    EXPECT_NE(findings[0].detail.find("bad.json"), std::string::npos);
    EXPECT_EQ(findings[1].subject, "floor policy");
}

TEST_F(DoctorNode, ProgramsMustBeThereAndOfThisVersion) {
    Settings settings;
    settings.hook = directory_ + "/hook";
    settings.runtimes = {directory_ + "/runc"};
    Findings none;
    examine_programs(settings, none);
    examine_runtimes(settings, none);
    ASSERT_EQ(none.size(), 2U);
    EXPECT_EQ(none[0].health, Health::kFail);
    EXPECT_EQ(none[1].health, Health::kFail);
    put("hook", "#!/bin/sh\necho execseal-hook 0.0.0\n", std::filesystem::perms(0755));
    put("runc", "#!/bin/sh\nexit 3\n", std::filesystem::perms(0755));
    Findings odd;
    examine_programs(settings, odd);
    examine_runtimes(settings, odd);
    ASSERT_EQ(odd.size(), 2U);
    EXPECT_EQ(odd[0].health, Health::kWarn);
    EXPECT_EQ(odd[1].health, Health::kFail);
}

TEST_F(DoctorNode, WhatSupervisorsWriteMustNotBeSomethingElse) {
    Settings settings;
    settings.audit.file = directory_ + "/audit.jsonl";
    settings.log.file = directory_ + "/log";
    settings.run_dir = directory_ + "/run";
    Findings none;
    examine_places(settings, none);
    EXPECT_TRUE(none.empty()) << "they are made when they are needed";
    std::filesystem::create_directory(settings.audit.file);
    std::filesystem::create_directory(settings.log.file);
    put("run", "");
    Findings wrong;
    examine_places(settings, wrong);
    ASSERT_EQ(wrong.size(), 3U);
    for (const Finding& finding : wrong) {
        EXPECT_EQ(finding.health, Health::kFail) << finding.subject;
    }
}

TEST_F(DoctorNode, TheShimIsNoRuntimeForItself) {
    put("execseal-runtime", "#!/bin/sh\necho runc version 1.1.5\n", std::filesystem::perms(0755));
    std::filesystem::create_symlink("execseal-runtime", directory_ + "/runc");
    Settings settings;
    settings.runtimes = {directory_ + "/runc"};
    Findings findings;
    examine_runtimes(settings, findings);
    ASSERT_EQ(findings.size(), 1U);
    EXPECT_EQ(findings[0].health, Health::kFail);
}

}  // namespace
}  // namespace execseal
