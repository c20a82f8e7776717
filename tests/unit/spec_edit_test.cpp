#include "config/spec/spec_edit.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "config/spec/notify_set.h"
#include "tests/spec_samples.h"

namespace execseal {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::uint64_t kNamespaces = 0x7E020000;

Json edited(const Json& spec, const Plan& plan = sample_plan()) {
    auto result = edit_spec(spec, plan, sample_inputs());
    EXPECT_TRUE(result.has_value()) << (result ? "" : result.error().text());
    return result ? *result : Json();
}

std::string refusal(const Json& spec) {
    auto result = edit_spec(spec, sample_plan(), sample_inputs());
    EXPECT_FALSE(result.has_value()) << result.value().dump();
    return result ? "" : result.error().text();
}

Json profile(const std::string& default_action, const Json& rules) {
    Json result = Json::object();
    result["defaultAction"] = default_action;
    result["architectures"] = Json::array({"SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"});
    result["syscalls"] = rules;
    return result;
}

Json rules_for(const Json& spec, const std::string& name) {
    Json found = Json::array();
    for (const Json& rule : spec["linux"]["seccomp"]["syscalls"]) {
        if (std::ranges::find(rule["names"], Json(name)) != rule["names"].end()) {
            Json copy = rule;
            copy["names"] = Json::array({name});
            found.push_back(copy);
        }
    }
    return found;
}

Json errno_rule(const std::string& name, int number) {
    Json rule = profile_rule(name, "SCMP_ACT_ERRNO");
    rule["errnoRet"] = number;
    return rule;
}

Json masked_errno_rule(const std::string& name, int number, unsigned index, std::uint64_t mask,
                       std::uint64_t value) {
    Json rule = errno_rule(name, number);
    rule["args"] = masked_rule(name, "", index, mask, value)["args"];
    return rule;
}

TEST(SpecEdit, RewritesThePodmanDefault) {
    const Json spec = edited(load_sample("podman-default"));
    for (const char* call : {"execve", "execveat", "fork", "vfork"}) {
        EXPECT_EQ(rules_for(spec, call), Json::array({profile_rule(call, "SCMP_ACT_NOTIFY")}));
    }
    const std::uint64_t mask = kCloneThread | kCloneUntraced;
    EXPECT_EQ(rules_for(spec, "clone"),
              Json::array({masked_rule("clone", "SCMP_ACT_NOTIFY", 0, mask, 0),
                           masked_rule("clone", "SCMP_ACT_ALLOW", 0, mask, kCloneThread),
                           masked_errno_rule("clone", 1, 0, mask, kCloneUntraced),
                           masked_errno_rule("clone", 1, 0, mask, mask)}));
    EXPECT_EQ(rules_for(spec, "clone3"), Json::array({errno_rule("clone3", 38)}));
    EXPECT_EQ(rules_for(spec, "seccomp"),
              Json::array({masked_rule("seccomp", "SCMP_ACT_ALLOW", 1, 8, 0),
                           masked_errno_rule("seccomp", 1, 1, 8, 8)}));
}

TEST(SpecEdit, KeepsTheNamespaceMaskOfDockerAndContainerd) {
    for (const char* name : {"docker-default", "containerd-ctr-seccomp"}) {
        const Json spec = edited(load_sample(name));
        const std::uint64_t mask = kNamespaces | kCloneThread | kCloneUntraced;
        // CLONE_UNTRACED falls to the default, which is EPERM in both.
        EXPECT_EQ(rules_for(spec, "clone"),
                  Json::array({masked_rule("clone", "SCMP_ACT_NOTIFY", 0, mask, 0),
                               masked_rule("clone", "SCMP_ACT_ALLOW", 0, mask, kCloneThread)}))
            << name;
        EXPECT_EQ(rules_for(spec, "clone3"), Json::array({errno_rule("clone3", 38)}));
    }
}

TEST(SpecEdit, GivesAContainerWithoutAProfileAMinimalOne) {
    for (const char* name : {"podman-privileged", "docker-privileged", "containerd-ctr-default",
                             "runc-spec", "podman-unconfined"}) {
        const Json before = load_sample(name);
        ASSERT_FALSE(before["linux"].contains("seccomp")) << name;
        const Json seccomp = edited(before)["linux"]["seccomp"];
        EXPECT_EQ(seccomp["defaultAction"], "SCMP_ACT_ALLOW");
        EXPECT_EQ(seccomp["architectures"][0], "SCMP_ARCH_X86_64");
        EXPECT_EQ(seccomp["architectures"].size(), 3U);
        // clone3; four notify rules; clone to notify and twice to refuse; seccomp to refuse.
        EXPECT_EQ(seccomp["syscalls"].size(), 9U);
    }
}

TEST(SpecEdit, TouchesNothingElse) {
    for (const std::string& name : sample_names()) {
        Json before = load_sample(name);
        Json after = edited(before);
        after["linux"].erase("seccomp");
        before["linux"].erase("seccomp");
        const Json hooks_before = before.value("hooks", Json::object());
        Json hooks = after["hooks"];
        EXPECT_EQ(hooks["createRuntime"].size(), 1U);
        EXPECT_EQ(hooks["poststop"].size(), 1U);
        hooks.erase("createRuntime");
        hooks.erase("poststop");
        EXPECT_EQ(hooks, hooks_before) << name;
        after.erase("hooks");
        before.erase("hooks");
        EXPECT_EQ(after, before) << name;
    }
}

TEST(SpecEdit, AddsTheListenerAndTheHooks) {
    const Json spec = edited(load_sample("podman-default"));
    EXPECT_EQ(spec["linux"]["seccomp"]["listenerPath"], sample_plan().listener_path);
    EXPECT_EQ(spec["linux"]["seccomp"]["listenerMetadata"],
              R"({"policy":"demo","container":"shim-sample"})");
    const Json& hook = spec["hooks"]["createRuntime"][0];
    EXPECT_EQ(hook["path"], Settings{}.hook);
    EXPECT_EQ(hook["args"], Json::array({"execseal-hook", "createRuntime"}));
    EXPECT_EQ(hook["env"][1], "EXECSEAL_CONFIG=/etc/execseal/config.json");
    EXPECT_GT(hook["timeout"], 3);
    EXPECT_EQ(spec["hooks"]["poststop"][0]["args"], Json::array({"execseal-hook", "poststop"}));
}

TEST(SpecEdit, KeepsForeignHooksAndReplacesItsOwn) {
    Json spec = load_sample("podman-default");
    const Json foreign = {{"path", "/usr/bin/other"}, {"args", {"other", "createRuntime"}}};
    const Json ours = {{"path", sample_inputs().hook},
                       {"args", {"execseal-hook", "createRuntime"}}};
    spec["hooks"]["createRuntime"] = Json::array({ours, foreign, ours});
    const Json list = edited(spec)["hooks"]["createRuntime"];
    ASSERT_EQ(list.size(), 2U);
    EXPECT_TRUE(list[0].contains("timeout"));
    EXPECT_EQ(list[1], foreign);
}

TEST(SpecEdit, ASecondEditChangesNothing) {
    for (const std::string& name : sample_names()) {
        for (const bool tracked : {true, false}) {
            Plan plan = sample_plan();
            plan.track_forks = tracked;
            const Json once = edited(load_sample(name), plan);
            const Json twice = edited(once, plan);
            EXPECT_EQ(once.dump(), twice.dump()) << name;
            EXPECT_TRUE(check_edited_spec(once, plan, sample_inputs()).has_value());
        }
    }
}

TEST(SpecEdit, AnEditForAnotherPlanReplacesTheFirst) {
    for (const std::string& name : sample_names()) {
        Plan other = sample_plan();
        other.container_id = "shim-other";
        other.listener_path = "/run/execseal/shim-other-89abcdef/seccomp.sock";
        other.track_forks = false;
        const Json direct = edited(load_sample(name));
        const Json detour = edited(edited(load_sample(name), other));
        EXPECT_EQ(direct["linux"]["seccomp"]["listenerPath"],
                  detour["linux"]["seccomp"]["listenerPath"]);
        for (const TargetCall& call : kTargetCalls) {
            const std::string call_name(call.name);
            EXPECT_EQ(rules_for(direct, call_name), rules_for(detour, call_name)) << name;
        }
    }
}

TEST(SpecEdit, WithoutForkTrackingOnlyExecsAreNotified) {
    Plan plan = sample_plan();
    plan.track_forks = false;
    const Json spec = edited(load_sample("podman-default"), plan);
    EXPECT_EQ(rules_for(spec, "fork"), Json::array({profile_rule("fork", "SCMP_ACT_ALLOW")}));
    EXPECT_EQ(rules_for(spec, "execve"), Json::array({profile_rule("execve", "SCMP_ACT_NOTIFY")}));
    // But for CLONE_FS; CLONE_UNTRACED stays refused.
    constexpr std::uint64_t kNoThread = kCloneFs | kCloneThread | kCloneUntraced;
    int shares = 0;
    for (const Json& rule : rules_for(spec, "clone")) {
        if (rule["action"] == "SCMP_ACT_NOTIFY") {
            ++shares;
            EXPECT_EQ(rule["args"][0]["value"].get<std::uint64_t>() & kNoThread, kNoThread) << rule;
            EXPECT_EQ(rule["args"][0]["valueTwo"].get<std::uint64_t>() & kNoThread, kCloneFs)
                << rule;
        }
    }
    EXPECT_EQ(shares, 1);
    EXPECT_EQ(rules_for(spec, "clone").size(), 5U);
    EXPECT_EQ(rules_for(spec, "clone3"), Json::array({errno_rule("clone3", 38)}));
}

TEST(SpecEdit, WhatWasDeniedStaysDenied) {
    const Json rules =
        Json::array({profile_rule("read", "SCMP_ACT_ALLOW"), profile_rule("fork", "SCMP_ACT_KILL"),
                     errno_rule("execveat", 13)});
    const Json spec = edited(spec_with_profile(profile("SCMP_ACT_ERRNO", rules)));
    EXPECT_EQ(spec["linux"]["seccomp"]["syscalls"], rules);
}

TEST(SpecEdit, NeverNotifiesAnythingButTheTargetCalls) {
    for (const std::string& name : sample_names()) {
        const Json spec = edited(load_sample(name));
        for (const Json& rule : spec["linux"]["seccomp"]["syscalls"]) {
            if (rule["action"] == "SCMP_ACT_NOTIFY") {
                for (const Json& call : rule["names"]) {
                    EXPECT_NE(call, "write");
                    EXPECT_NE(
                        std::ranges::find(kTargetCalls, call.get<std::string>(), &TargetCall::name),
                        kTargetCalls.end());
                }
            }
        }
    }
}

TEST(SpecEdit, KeepsARuleForItsOtherNames) {
    Json rule = profile_rule("read", "SCMP_ACT_ALLOW");
    rule["names"] = Json::array({"read", "execve", "close", "clone"});
    rule["comment"] = "kept";
    const Json spec = edited(spec_with_profile(profile("SCMP_ACT_ERRNO", Json::array({rule}))));
    rule["names"] = Json::array({"read", "close"});
    EXPECT_EQ(spec["linux"]["seccomp"]["syscalls"][0], rule);
}

TEST(SpecEdit, OnS390CloneFlagsAreTheSecondArgument) {
    Json seccomp = profile(
        "SCMP_ACT_ERRNO", Json::array({masked_rule("clone", "SCMP_ACT_ALLOW", 1, kNamespaces, 0)}));
    seccomp["architectures"] = Json::array({"SCMP_ARCH_S390X", "SCMP_ARCH_S390"});
    const Json spec = edited(spec_with_profile(seccomp));
    EXPECT_EQ(rules_for(spec, "clone")[0]["args"][0]["index"], 1);

    seccomp["architectures"].push_back("SCMP_ARCH_X86_64");
    EXPECT_NE(refusal(spec_with_profile(seccomp)).find("/linux/seccomp/architectures"),
              std::string::npos);
}

TEST(SpecEdit, RefusesAForeignListener) {
    for (const char* path :
         {"/run/seccomp-agent.socket", "/run/execseal/agent.sock", "/run/execseal/seccomp.sock",
          "/run/execseal/../x/seccomp.sock", "/run/execseal/a/b/seccomp.sock",
          "/run/execseal//seccomp.sock", "/run/execsealx/a/seccomp.sock"}) {
        Json spec = load_sample("podman-default");
        spec["linux"]["seccomp"]["listenerPath"] = path;
        EXPECT_NE(refusal(spec).find("belongs to another seccomp agent"), std::string::npos)
            << path;
    }
    Json spec = load_sample("podman-default");
    spec["linux"]["seccomp"]["listenerPath"] = "";  // absent in Go
    (void)edited(spec);
}

TEST(SpecEdit, RefusesAForeignAgentsNotifyRules) {
    for (const char* call : {"mount", "execve", "write"}) {
        const Json rules = Json::array({profile_rule(call, "SCMP_ACT_NOTIFY")});
        EXPECT_NE(refusal(spec_with_profile(profile("SCMP_ACT_ALLOW", rules)))
                      .find("/linux/seccomp/syscalls/0: SCMP_ACT_NOTIFY"),
                  std::string::npos)
            << call;
    }
}

TEST(SpecEdit, RefusesRulesUnderItsOwnListenerThatItDoesNotWrite) {
    Json spec = load_sample("podman-default");
    spec["linux"]["seccomp"]["listenerPath"] = sample_plan().listener_path;
    EXPECT_NE(refusal(spec).find("listenerPath is execseal's"), std::string::npos);

    Json tampered = edited(load_sample("podman-default"));
    for (Json& rule : tampered["linux"]["seccomp"]["syscalls"]) {
        if (rule["names"] == Json::array({"execveat"})) {
            rule["action"] = "SCMP_ACT_ALLOW";
        }
    }
    EXPECT_NE(refusal(tampered).find("execveat"), std::string::npos);
}

TEST(SpecEdit, RefusesAnnotationsThatTakeTheFilterAway) {
    for (const char* key :
         {"run.oci.seccomp_bpf_data", "run.oci.seccomp.plugins", "run.oci.seccomp.receiver",
          "run.oci.handler", "module.wasm.image/variant"}) {
        Json spec = load_sample("podman-crun");
        spec["annotations"][key] = "x";
        EXPECT_NE(refusal(spec).find(std::string("/annotations/") + key), std::string::npos);
    }
}

Json compared_rule(const std::string& name, const std::string& action, unsigned index,
                   const std::string& op, std::uint64_t value) {
    Json rule = masked_rule(name, action, index, value, 0);
    rule["args"][0]["op"] = op;
    return rule;
}

// What each gives is compared with the kernel's filter in spec_filter_kernel_test.
TEST(SpecEdit, IntersectsAnyComparisonsWithItsOwn) {
    Json two = masked_rule("clone", "SCMP_ACT_ALLOW", 0, kNamespaces, 0);
    two["args"].push_back(two["args"][0]);
    for (const Json& rules :
         {Json::array({two}),
          Json::array({compared_rule("clone", "SCMP_ACT_ALLOW", 0, "SCMP_CMP_EQ", 17)}),
          Json::array({masked_rule("clone", "SCMP_ACT_ALLOW", 1, kNamespaces, 0)}),
          Json::array({masked_rule("clone", "SCMP_ACT_ALLOW", 0, kNamespaces, 0x20000)}),
          Json::array({masked_rule("clone", "SCMP_ACT_ALLOW", 0, kNamespaces, 0),
                       masked_rule("clone", "SCMP_ACT_ALLOW", 0, 0x20000, 0)}),
          Json::array({compared_rule("seccomp", "SCMP_ACT_ALLOW", 0, "SCMP_CMP_EQ", 1)})}) {
        const Json once = edited(spec_with_profile(profile("SCMP_ACT_ERRNO", rules)));
        EXPECT_NE(once["linux"]["seccomp"]["syscalls"], rules) << rules.dump();
        EXPECT_EQ(edited(once).dump(), once.dump()) << rules.dump();
    }
    // Of two rules of which one lies within the other, the wider one is enough.
    const Json within = Json::array({masked_rule("clone", "SCMP_ACT_ALLOW", 0, kNamespaces, 0),
                                     masked_rule("clone", "SCMP_ACT_ALLOW", 0, 0x20000, 0)});
    EXPECT_EQ(
        rules_for(edited(spec_with_profile(profile("SCMP_ACT_ERRNO", within))), "clone").size(),
        2U);
}

// The parts of "not 0" differ in the upper half as well, which a 32-bit architecture has not.
TEST(SpecEdit, TakesWhatDiffersInUpperHalvesOn64BitsOnly) {
    Json seccomp =
        profile("SCMP_ACT_ERRNO",
                Json::array({compared_rule("execve", "SCMP_ACT_ALLOW", 2, "SCMP_CMP_NE", 0)}));
    EXPECT_NE(refusal(spec_with_profile(seccomp)).find("upper halves"), std::string::npos);
    seccomp["architectures"] = Json::array({"SCMP_ARCH_X86_64"});
    const Json once = edited(spec_with_profile(seccomp));
    EXPECT_EQ(rules_for(once, "execve").size(), 64U);
    EXPECT_EQ(edited(once).dump(), once.dump());
}

TEST(SpecEdit, RefusesRulesThatNoRuntimeWouldTakeOrThatOthersDecide) {
    Json unknown = compared_rule("clone", "SCMP_ACT_ALLOW", 0, "SCMP_CMP_ALMOST", 17);
    Json strange = compared_rule("clone", "SCMP_ACT_ALLOW", 6, "SCMP_CMP_EQ", 17);
    for (const Json& rules : {Json::array({unknown}), Json::array({strange}),
                              Json::array({profile_rule("execve", "SCMP_ACT_ALLOW"),
                                           profile_rule("execve", "SCMP_ACT_KILL")}),
                              Json::array({profile_rule("execve", "SCMP_ACT_TRACE")})}) {
        EXPECT_NE(
            refusal(spec_with_profile(profile("SCMP_ACT_ERRNO", rules))).find("/linux/seccomp/"),
            std::string::npos)
            << rules.dump();
    }
    // Each of the 2^16 combinations of these bits would be a case of its own.
    Json many = Json::array();
    for (unsigned bit = 40; bit < 56; bit += 2) {
        many.push_back(masked_rule("clone", "SCMP_ACT_ALLOW", 0, 3ULL << bit, 1ULL << bit));
        many.push_back(masked_rule("clone", "SCMP_ACT_LOG", 0, 3ULL << bit, 2ULL << bit));
    }
    EXPECT_NE(refusal(spec_with_profile(profile("SCMP_ACT_ERRNO", many))).find("too many cases"),
              std::string::npos);
}

TEST(SpecEdit, ARuleWithoutNamesSaysNothingAndStays) {
    const Json nobody = {{"names", Json::array()}, {"action", "SCMP_ACT_ALLOW"}};
    const Json spec = edited(spec_with_profile(
        profile("SCMP_ACT_ERRNO", Json::array({nobody, profile_rule("read", "SCMP_ACT_ALLOW")}))));
    EXPECT_EQ(spec["linux"]["seccomp"]["syscalls"][0], nobody);
}

Json with_sorted_keys(const Json& spec) {
    return Json(nlohmann::json(spec));
}

// As jq -S, oci-add-hooks and other tools write it again below the shim.
TEST(SpecEdit, KeysInAnotherOrderAreNoTampering) {
    for (const std::string& name : sample_names()) {
        const Json spec = edited(load_sample(name));
        const Json sorted = with_sorted_keys(spec);
        ASSERT_NE(sorted.dump(), spec.dump());
        EXPECT_TRUE(check_edited_spec(sorted, sample_plan(), sample_inputs()).has_value()) << name;
        Json changed = sorted;
        changed["hooks"]["createRuntime"][0]["env"][0] = "PATH=/tmp";
        const auto checked = check_edited_spec(changed, sample_plan(), sample_inputs());
        ASSERT_FALSE(checked.has_value());
        EXPECT_TRUE(checked.error().text().starts_with("/hooks/createRuntime/0/env/0: "))
            << checked.error().text();
    }
}

TEST(SpecEdit, RefusesDefaultsThatLetSomebodyElseDecide) {
    for (const char* action : {"SCMP_ACT_TRACE", "SCMP_ACT_NOTIFY", "SCMP_ACT_WHATEVER", ""}) {
        EXPECT_NE(refusal(spec_with_profile(profile(action, Json::array()))).find("/defaultAction"),
                  std::string::npos)
            << action;
    }
    Json seccomp = profile("SCMP_ACT_ERRNO", Json::array({profile_rule("x", "SCMP_ACT_ALLOW")}));
    seccomp.erase("defaultAction");
    EXPECT_NE(refusal(spec_with_profile(seccomp)).find("/defaultAction"), std::string::npos);
}

TEST(SpecEdit, RefusesKeysThatGoWouldReadAsOurs) {
    Json spec = load_sample("podman-default");
    spec["linux"]["Seccomp"] = Json::object();
    EXPECT_NE(refusal(spec).find("/linux/Seccomp"), std::string::npos);
    spec = load_sample("podman-default");
    spec["linux"]
        ["\xC5\xBF"
         "eccomp"] = Json::object();
    EXPECT_NE(refusal(spec).find("expected the key to be written \"seccomp\""), std::string::npos);
    spec = load_sample("podman-default");
    spec["linux"]["seccomp"]["LISTENERPATH"] = "/x";
    EXPECT_NE(refusal(spec).find("listenerPath"), std::string::npos);
    spec = load_sample("podman-default");
    spec["linux"]["seccomp"]["syscalls"][0]["Action"] = "SCMP_ACT_ALLOW";
    EXPECT_NE(refusal(spec).find("/linux/seccomp/syscalls/0/Action"), std::string::npos);
}

TEST(SpecEdit, WrongTypesAreNamedByTheirPointer) {
    struct Case {
        const char* pointer;
        Json value;
        const char* expected;
    };
    for (const Case& c : {
             Case{"/linux", 7, "/linux: expected an object"},
             Case{"/linux/seccomp", "x", "/linux/seccomp: expected an object"},
             Case{"/linux/seccomp/syscalls", 7, "/linux/seccomp/syscalls: expected an array"},
             Case{"/linux/seccomp/syscalls/1", 7, "/linux/seccomp/syscalls/1: expected an object"},
             Case{"/linux/seccomp/syscalls/0/names", "execve", "/0/names: expected an array"},
             Case{"/linux/seccomp/syscalls/0/names", Json::array({7}), "/0/names: expected"},
             Case{"/linux/seccomp/syscalls/0/action", 7, "/0/action: expected an action"},
             Case{"/linux/seccomp/architectures", 7, "/architectures: expected"},
             Case{"/linux/seccomp/architectures", Json::array({"VAX"}), "\"VAX\""},
             Case{"/linux/seccomp/defaultErrnoRet", -1, "/defaultErrnoRet: expected an unsigned"},
             Case{"/linux/seccomp/defaultErrnoRet", 65536, "/defaultErrnoRet: expected at most"},
             Case{"/linux/seccomp/listenerPath", 7, "/listenerPath: expected a string"},
             Case{"/hooks", 7, "/hooks: expected an object"},
             Case{"/hooks/poststop", 7, "/hooks/poststop: expected an array"},
             Case{"/annotations", 7, "/annotations: expected an object"},
         }) {
        Json spec = load_sample("podman-default");
        spec[Json::json_pointer(c.pointer)] = c.value;
        EXPECT_NE(refusal(spec).find(c.expected), std::string::npos) << refusal(spec);
    }
    EXPECT_NE(refusal(Json::array()).find("expected an object"), std::string::npos);
}

TEST(SpecEdit, ChecksWhatTheHookFinds) {
    const Json good = edited(load_sample("docker-default"));
    EXPECT_TRUE(check_edited_spec(good, sample_plan(), sample_inputs()).has_value());

    Json changed = good;
    changed["linux"]["seccomp"]["listenerMetadata"] = "x";
    auto checked = check_edited_spec(changed, sample_plan(), sample_inputs());
    ASSERT_FALSE(checked.has_value());
    EXPECT_NE(checked.error().text().find("/linux/seccomp/listenerMetadata"), std::string::npos);

    changed = good;
    changed["hooks"].erase("poststop");
    EXPECT_FALSE(check_edited_spec(changed, sample_plan(), sample_inputs()).has_value());
    EXPECT_FALSE(check_edited_spec(load_sample("docker-default"), sample_plan(), sample_inputs())
                     .has_value());
}

// Random changes to real specs: an edit fails or gives a spec that a second edit keeps.
class Mutator {
  public:
    explicit Mutator(unsigned seed) : random_(seed) {}

    void mutate(Json& spec) {
        const std::size_t changes = 1 + below(4);
        for (std::size_t change = 0; change < changes; ++change) {
            Json* at = below(3) == 0 ? &spec : &spec["linux"];
            for (std::size_t depth = below(6); depth > 0 && at->is_structured() && !at->empty();
                 --depth) {
                at = &*std::next(at->begin(), static_cast<std::ptrdiff_t>(below(at->size())));
            }
            replace(*at);
            if (!spec.is_object() || !spec["linux"].is_object()) {
                return;
            }
        }
    }

  private:
    std::size_t below(std::size_t limit) { return random_() % limit; }

    void replace(Json& value) {
        static const char* const kWords[] = {"execve",
                                             "clone",
                                             "SCMP_ACT_ALLOW",
                                             "SCMP_ACT_ERRNO",
                                             "SCMP_ACT_NOTIFY",
                                             "SCMP_CMP_MASKED_EQ",
                                             "seccomp",
                                             "clone3",
                                             "/run/execseal/x/seccomp.sock",
                                             "",
                                             "SCMP_ARCH_S390X",
                                             "SCMP_ACT_KILL"};
        switch (below(8)) {
            case 0:
                value = nullptr;
                break;
            case 1:
                value = kWords[below(std::size(kWords))];
                break;
            case 2:
                value = random_();
                break;
            case 3:
                value = Json::array({value, value});
                break;
            case 4:
                value = Json::object({{"seccomp", value}, {"names", {kWords[below(12)]}}});
                break;
            case 5:
                if (value.is_array() && !value.empty()) {
                    value.erase(below(value.size()));
                }
                break;
            case 6:
                if (value.is_array()) {
                    value.push_back(value.empty() ? Json(kWords[below(12)]) : value.back());
                }
                break;
            default:
                if (value.is_array() && !value.empty() && value[0].is_string()) {
                    value.push_back(kWords[below(12)]);
                } else if (value.is_string()) {
                    value = kWords[below(12)];
                }
        }
    }

    std::mt19937 random_;
};

TEST(SpecEdit, SurvivesRandomChangesToRealSpecs) {
    std::vector<Json> bases;
    for (const std::string& name : sample_names()) {
        bases.push_back(load_sample(name));
        bases.push_back(edited(bases.back()));  // an earlier edit's shapes are input as well
    }
    int accepted = 0;
    int refused = 0;
    for (unsigned seed = 0; seed < 1000; ++seed) {
        Json spec = bases[seed % bases.size()];
        Mutator(seed).mutate(spec);
        auto once = edit_spec(spec, sample_plan(), sample_inputs());
        if (!once) {
            ++refused;
            EXPECT_FALSE(once.error().context.empty());
            EXPECT_EQ(once.error().context.find('\n'), std::string::npos);
            continue;
        }
        ++accepted;
        auto twice = edit_spec(*once, sample_plan(), sample_inputs());
        ASSERT_TRUE(twice.has_value()) << "seed " << seed << ": " << twice.error().text();
        ASSERT_EQ(once->dump(), twice->dump()) << "seed " << seed;
    }
    EXPECT_GT(accepted, 150);
    EXPECT_GT(refused, 150);
}

}  // namespace
}  // namespace execseal
