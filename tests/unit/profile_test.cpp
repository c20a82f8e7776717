// Ready profiles: the base resolved as moby and containers/common resolve it, then edited as the
// shim edits.
#include "hook/agent/profile.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "hook/os/privileges.h"

namespace execseal {
namespace {

using Json = nlohmann::ordered_json;

ProfileTarget target(std::set<std::string> capabilities = {}) {
    return {std::move(capabilities), "amd64", "SCMP_ARCH_X86_64", 6, 1};
}

// The actions of the rules that name `call`, in order.
std::vector<std::string> actions(const Json& profile, const std::string& call) {
    std::vector<std::string> found;
    for (const Json& rule : profile["syscalls"]) {
        const auto& names = rule["names"];
        if (std::find(names.begin(), names.end(), call) != names.end()) {
            found.push_back(rule["action"]);
        }
    }
    return found;
}

const Json kBase = Json::parse(R"({
    "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38, "defaultErrno": "ENOSYS",
    "archMap": [{"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86", "SCMP_ARCH_X32"]},
                {"architecture": "SCMP_ARCH_AARCH64", "subArchitectures": ["SCMP_ARCH_ARM"]}],
    "syscalls": [
        {"names": ["read", "execve", "clone"], "action": "SCMP_ACT_ALLOW", "args": [], "includes": {}, "excludes": {}},
        {"names": ["bpf"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_SYS_ADMIN"]}},
        {"names": ["bpf"], "action": "SCMP_ACT_ERRNO", "errno": "EPERM", "excludes": {"caps": ["CAP_SYS_ADMIN"]}},
        {"names": ["arm_sync_file_range"], "action": "SCMP_ACT_ALLOW", "includes": {"arches": ["arm64"]}},
        {"names": ["ptrace"], "action": "SCMP_ACT_ALLOW", "includes": {"minKernel": "4.8"}},
        {"names": ["future"], "action": "SCMP_ACT_ALLOW", "includes": {"minKernel": "9.0"}}
    ]})");

TEST(BaseProfile, RulesDependOnTheCapabilities) {
    const auto without = resolve_profile(kBase, target());
    ASSERT_TRUE(without.has_value()) << without.error().text();
    EXPECT_EQ(actions(*without, "bpf"), std::vector<std::string>{"SCMP_ACT_ERRNO"});
    EXPECT_EQ((*without)["syscalls"][1]["errnoRet"], 1) << "by its name";
    const auto with = resolve_profile(kBase, target({"CAP_SYS_ADMIN"}));
    ASSERT_TRUE(with.has_value()) << with.error().text();
    EXPECT_EQ(actions(*with, "bpf"), std::vector<std::string>{"SCMP_ACT_ALLOW"});
}

TEST(BaseProfile, RulesDependOnArchitectureAndKernel) {
    const auto profile = resolve_profile(kBase, target());
    ASSERT_TRUE(profile.has_value()) << profile.error().text();
    EXPECT_TRUE(actions(*profile, "arm_sync_file_range").empty());
    EXPECT_FALSE(actions(*profile, "ptrace").empty());
    EXPECT_TRUE(actions(*profile, "future").empty());
    EXPECT_EQ((*profile)["architectures"],
              Json::array({"SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"}));
    EXPECT_EQ((*profile)["defaultErrnoRet"], 38);
    for (const char* condition : {"includes", "excludes", "archMap", "errno", "defaultErrno"}) {
        EXPECT_EQ(profile->dump().find("\"" + std::string(condition) + "\""), std::string::npos)
            << "a reader of the OCI form would take it for none: " << condition;
    }
}

TEST(BaseProfile, WhatIsNoProfileIsRefused) {
    for (const char* text : {"[]", "{}", R"({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [1]})",
                             R"({"defaultAction": "X", "syscalls": [{"names": "read"}]})",
                             R"({"defaultAction": "X", "defaultErrno": "ENOSUCH"})"}) {
        EXPECT_FALSE(resolve_profile(Json::parse(text), target()).has_value()) << text;
    }
}

TEST(Profile, HandsExecsAndForksToTheAgent) {
    Settings settings;
    settings.agent.socket = "/run/execseal/agent.sock";
    for (const Json& base : {kBase, Json()}) {
        const auto profile = make_profile(base, "web", settings, target());
        ASSERT_TRUE(profile.has_value()) << profile.error().text();
        EXPECT_EQ((*profile)["listenerPath"], "/run/execseal/agent.sock");
        EXPECT_EQ((*profile)["listenerMetadata"], "web");
        EXPECT_EQ(actions(*profile, "execve"), std::vector<std::string>{"SCMP_ACT_NOTIFY"});
        const auto clones = actions(*profile, "clone");
        EXPECT_NE(std::find(clones.begin(), clones.end(), "SCMP_ACT_NOTIFY"), clones.end());
    }
    const auto strict = make_profile(kBase, "web", settings, target());
    EXPECT_TRUE(actions(*strict, "execveat").empty()) << "not allowed before, and not now";
}

TEST(ProfileWords, RefusesWhatWouldBePassedOver) {
    const std::vector<std::pair<std::vector<std::string>, std::string>> rows = {
        {{}, "expected a policy's name"},
        {{"web", "--cap", "FOO"}, "--cap FOO: expected a capability, as CAP_NET_RAW"},
        {{"web", "--cap", "cap_net_raw"}, "--cap cap_net_raw: expected a capability"},
        {{"web", "--cap", "CAP_NET_RAWW"}, "--cap CAP_NET_RAWW: expected a capability"},
        {{"web", "--cap"}, "--cap: expected POLICY"},
        {{"web", "--unconfined", "--base", "/b.json"}, "--unconfined: expected no --base"}};
    for (const auto& [words, text] : rows) {
        testing::internal::CaptureStderr();
        EXPECT_EQ(run_profile(words), 2) << text;
        EXPECT_EQ(testing::internal::GetCapturedStderr().find("execseal-hook profile: " + text), 0U)
            << text;
    }
    EXPECT_TRUE(is_capability("CAP_NET_RAW"));
}

}  // namespace
}  // namespace execseal
