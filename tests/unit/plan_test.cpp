#include "config/plan.h"

#include "config/plan_json.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "config/digest.h"

namespace execseal {
namespace {

using Json = nlohmann::ordered_json;

std::string policy_text(const std::string& name) {
    return R"({"apiVersion": "execseal/v1", "name": ")" + name + R"(", "default": "allow"})";
}

class PlanContainer : public testing::Test {
  protected:
    PlanContainer() {
        directory_ = testing::TempDir() + "policy-plan-" + std::to_string(getpid());
        std::filesystem::create_directories(directory_);
        settings_.path = "/etc/execseal/config.json";
        settings_.policies_dir = directory_;
        for (const std::string name : {"web", "db", "strict"}) {
            write(name + ".json", policy_text(name));
        }
    }
    ~PlanContainer() override { std::filesystem::remove_all(directory_); }

    void write(const std::string& file, const std::string& text) const {
        std::ofstream(directory_ + "/" + file) << text;
    }

    static Json spec(const Json& annotations) {
        return {{"ociVersion", "1.0.2"}, {"annotations", annotations}};
    }

    Result<std::optional<Plan>> plan(const Json& annotations, const std::string& id = "c1") const {
        return plan_container(spec(annotations), id, bundle_, settings_);
    }

    // The plan's policy, "(none)" for a container that passes untouched, or the error.
    std::string outcome(const Json& annotations, const std::string& id = "c1") const {
        const auto result = plan(annotations, id);
        if (!result) {
            return result.error().text();
        }
        return result.value() ? result.value()->policy.name : "(none)";
    }

    std::string directory_;
    std::string bundle_ = "/b/c1";
    Settings settings_;
};

TEST_F(PlanContainer, PassesAContainerWithoutAnnotationAndDefault) {
    EXPECT_EQ(outcome(Json::object()), "(none)");
    EXPECT_EQ(outcome({{"org.example", "x"}}), "(none)");
    const auto bare = plan_container(Json::object(), "c1", "/b", settings_);
    ASSERT_TRUE(bare.has_value());
    EXPECT_FALSE(bare.value().has_value());
    settings_.default_policy = "strict";
    EXPECT_EQ(outcome(Json::object()), "strict");
}

TEST_F(PlanContainer, TakesTheNamedPolicyWithItsDigest) {
    const auto result = plan({{"io.execseal.policy", "web"}});
    ASSERT_TRUE(result.has_value()) << result.error().text();
    const Plan& made = *result.value();
    EXPECT_EQ(made.policy.path, directory_ + "/web.json");
    EXPECT_EQ(made.policy.sha256, sha256_hex(policy_text("web")));
    EXPECT_EQ(made.mode, Mode::kEnforce);
    EXPECT_FALSE(made.floor);
    EXPECT_EQ(made.annotations.size(), 1U);
    EXPECT_TRUE(load_planned_policy(made.policy).has_value());
    write("web.json", policy_text("web") + "\n");
    const auto changed = load_planned_policy(made.policy);
    ASSERT_FALSE(changed.has_value());
    EXPECT_NE(changed.error().text().find("it has changed since"), std::string::npos);
}

TEST_F(PlanContainer, TheContainersOwnAnnotationWins) {
    const Json pod = {{"io.execseal.policy", "web"},
                      {"io.execseal.policy.postgres", "db"},
                      {"io.kubernetes.cri.container-name", "postgres"}};
    EXPECT_EQ(outcome(pod), "db");
    Json other = pod;
    other["io.kubernetes.cri.container-name"] = "nginx";
    EXPECT_EQ(outcome(other), "web");
    other.erase("io.execseal.policy");
    EXPECT_EQ(outcome(other), "(none)");
}

TEST_F(PlanContainer, KnowsTheNameFromEveryRuntimesAnnotation) {
    for (const auto& [key, value] : std::map<std::string, std::string>{
             {"io.kubernetes.cri.container-name", "postgres"},
             {"io.kubernetes.container.name", "postgres"},
             {"io.kubernetes.cri-o.ContainerName", "postgres"},
             {"io.kubernetes.cri-o.Labels", R"({"io.kubernetes.container.name": "postgres"})"}}) {
        EXPECT_EQ(outcome({{"io.execseal.policy.postgres", "db"}, {key, value}}), "db") << key;
    }
    EXPECT_EQ(outcome({{"io.execseal.policy.postgres", "db"}}),
              "/b/c1/config.json: annotation io.execseal.policy.postgres: expected a runtime that "
              "tells the container's name (CRI), or io.execseal.policy instead");
}

TEST_F(PlanContainer, KnowsThePodFromEveryRuntimesAnnotations) {
    const Json policy = {{"io.execseal.policy", "web"}};
    EXPECT_EQ(plan(policy).value()->pod, "");
    for (
        const Json& told :
        {Json{{"io.kubernetes.cri.sandbox-namespace", "shop"},
              {"io.kubernetes.cri.sandbox-name", "front-0"}},
         Json{{"io.kubernetes.pod.namespace", "shop"}, {"io.kubernetes.pod.name", "front-0"}},
         Json{
             {"io.kubernetes.cri-o.Labels",
              R"({"io.kubernetes.pod.namespace": "shop", "io.kubernetes.pod.name": "front-0"})"}}}) {
        Json annotations = policy;
        annotations.update(told);
        EXPECT_EQ(plan(annotations).value()->pod, "shop/front-0") << told.dump();
    }
}

const std::string kContainerdBundle = "/run/containerd/io.containerd.runtime.v2.task/k8s.io/c1";
const std::string kCrioBundle = "/run/containers/storage/overlay-containers/c1/userdata";

// Who chooses the container's id, or guesses it, can write any annotation.
TEST_F(PlanContainer, NoContainerMakesItselfASandboxByItsAnnotations) {
    settings_.default_policy = "strict";
    const Json containerd{{"io.kubernetes.cri.container-type", "sandbox"},
                          {"io.kubernetes.cri.sandbox-id", "c1"}};
    const Json crio{{"io.kubernetes.cri-o.ContainerType", "sandbox"},
                    {"io.kubernetes.cri-o.SandboxID", "c1"}};
    for (const char* const bundle :
         {"/b/c1", "/run/containerd/io.containerd.runtime.v2.task/default/c1",
          "/run/containerd/io.containerd.runtime.v2.task/k8s.io/other",
          "/var/lib/containers/storage/overlay-containers/c1/userdata", "/b/k8s.io/c1"}) {
        bundle_ = bundle;
        EXPECT_EQ(outcome(containerd), "strict") << bundle;
        EXPECT_EQ(outcome(crio), "strict") << bundle;
        EXPECT_FALSE(names_are_vouched_for("c1", bundle));
    }
    bundle_ = kContainerdBundle;
    EXPECT_EQ(outcome(crio), "strict") << "containerd does not set these";
    EXPECT_EQ(outcome(containerd), "(none)") << "the control: a real one";
    bundle_ = kCrioBundle;
    EXPECT_EQ(outcome(containerd), "strict") << "CRI-O does not set these";
    EXPECT_EQ(outcome(crio), "(none)") << "the control: a real one";
}

TEST_F(PlanContainer, ANameThatTheManagerDoesNotSetIsNotTakenForIts) {
    const Json both{{"io.execseal.policy", "web"},
                    {"io.kubernetes.cri.container-name", "a"},
                    {"io.kubernetes.cri-o.ContainerName", "b"}};
    bundle_ = kContainerdBundle;
    EXPECT_EQ(plan(both).value()->container_name, "a");
    bundle_ = kCrioBundle;
    EXPECT_EQ(plan(both).value()->container_name, "b");
    EXPECT_TRUE(names_are_vouched_for("c1", kCrioBundle));
}

TEST_F(PlanContainer, PassesASandboxOnlyIfItIsItsOwnSandbox) {
    settings_.default_policy = "strict";
    bundle_ = kContainerdBundle;
    EXPECT_EQ(outcome({{"io.kubernetes.cri.container-type", "sandbox"},
                       {"io.kubernetes.cri.sandbox-id", "c1"},
                       {"io.execseal.policy", "web"}}),
              "(none)");
    bundle_ = kCrioBundle;
    EXPECT_EQ(outcome({{"io.kubernetes.cri-o.ContainerType", "sandbox"},
                       {"io.kubernetes.cri-o.SandboxID", "c1"}}),
              "(none)");
    bundle_ = kContainerdBundle;
    // What an image could claim.
    EXPECT_EQ(outcome({{"io.kubernetes.cri.container-type", "sandbox"}}), "strict");
    EXPECT_EQ(outcome({{"io.kubernetes.cri.container-type", "sandbox"},
                       {"io.kubernetes.cri.sandbox-id", "guess"}}),
              "strict");
    EXPECT_EQ(outcome({{"io.kubernetes.cri.container-type", "container"},
                       {"io.kubernetes.cri.sandbox-id", "c1"}}),
              "strict");
}

TEST_F(PlanContainer, AnyKeyWithOurNameInItIsOursOrAnError) {
    for (const char* key : {"execseal.io/policy", "IO.execseal.policy", "execseal.policy",
                            "EXECSEAL", "container.io.execseal.policy", "io.ExecSeal.policy",
                            "io.execseal.Policy", "io.execseal.policy.", "x/execseal"}) {
        EXPECT_EQ(outcome({{key, "web"}}),
                  "/b/c1/config.json: annotation " + std::string(key) +
                      ": unknown, expected io.execseal.policy, io.execseal.policy.CONTAINER or "
                      "io.execseal.mode")
            << key;
    }
}

TEST_F(PlanContainer, AForeignAnnotationOfNullIsNobodysBusiness) {
    EXPECT_EQ(outcome({{"org.example", nullptr}, {"io.execseal.policy", "web"}}),
              outcome({{"io.execseal.policy", "web"}}));
    EXPECT_NE(outcome({{"io.execseal.policy", nullptr}}).find("expected a non-empty value"),
              std::string::npos);
}

TEST_F(PlanContainer, ATypoInAnAnnotationIsAnError) {
    EXPECT_EQ(outcome({{"io.execseal.polcy", "web"}}),
              "/b/c1/config.json: annotation io.execseal.polcy: unknown, expected "
              "io.execseal.policy, io.execseal.policy.CONTAINER or io.execseal.mode");
    EXPECT_EQ(outcome({{"io.execseal/policy", "web"}}),
              "/b/c1/config.json: annotation io.execseal/policy: unknown, expected "
              "io.execseal.policy, io.execseal.policy.CONTAINER or io.execseal.mode");
    EXPECT_NE(outcome({{"io.execseal.policy.", "web"}}).find("unknown"), std::string::npos);
    EXPECT_NE(outcome({{"io.execseal.policy", ""}}).find("non-empty"), std::string::npos);
    EXPECT_NE(outcome({{"io.execseal.policy", 1}}).find("expected a string"), std::string::npos);
    EXPECT_NE(outcome({{"io.execseal.mode", "audit"}}).find("expected io.execseal.policy beside"),
              std::string::npos);
    EXPECT_NE(outcome(Json::array()).find("expected an object of strings"), std::string::npos);
}

TEST_F(PlanContainer, APolicyThatCannotBeHadIsAnErrorThatNamesIt) {
    EXPECT_EQ(outcome({{"io.execseal.policy", "nosuch"}}),
              "/b/c1/config.json: annotation io.execseal.policy: \"nosuch\": expected a policy "
              "file: " +
                  directory_ + "/nosuch.json: No such file or directory");
    EXPECT_NE(outcome({{"io.execseal.policy", "../web"}}).find("expected a policy's name"),
              std::string::npos);
    write("bad.json", R"({"apiVersion": "execseal/v2", "name": "bad", "default": "allow"})");
    EXPECT_NE(outcome({{"io.execseal.policy", "bad"}})
                  .find("\"bad\": expected a valid policy: " + directory_ +
                        "/bad.json: /apiVersion: expected \"execseal/v1\""),
              std::string::npos);
    write("copy.json", policy_text("web"));
    EXPECT_NE(outcome({{"io.execseal.policy", "copy"}}).find("to have \"name\": \"copy\""),
              std::string::npos);
    settings_.default_policy = "nosuch";
    EXPECT_NE(
        outcome(Json::object()).find("/etc/execseal/config.json: /default_policy: \"nosuch\""),
        std::string::npos);
}

TEST_F(PlanContainer, PathsAndNamesAreChosenOnlyAsTheOwnerAllows) {
    const std::string path = directory_ + "/web.json";
    EXPECT_NE(outcome({{"io.execseal.policy", path}}).find("so paths are refused"),
              std::string::npos);
    settings_.allowed_policies = std::vector<std::string>{"d*", directory_ + "/*.json"};
    EXPECT_EQ(outcome({{"io.execseal.policy", path}}), "web");
    EXPECT_EQ(outcome({{"io.execseal.policy", "db"}}), "db");
    EXPECT_NE(outcome({{"io.execseal.policy", "web"}}).find("expected one of allowed_policies"),
              std::string::npos);
    EXPECT_NE(outcome({{"io.execseal.policy", directory_ + "/x/../web.json"}}).find("expected"),
              std::string::npos);
    settings_.allowed_policies = std::vector<std::string>{"**"};
    EXPECT_NE(outcome({{"io.execseal.policy", directory_ + "/x/../web.json"}}).find("without"),
              std::string::npos);
    settings_.allowed_policies = std::vector<std::string>{};
    EXPECT_NE(outcome({{"io.execseal.policy", "db"}}).find("allowed_policies"), std::string::npos);
    // The owner's own choices are not bound by the list.
    settings_.default_policy = path;
    settings_.floor_policy = "strict";
    const auto result = plan(Json::object());
    ASSERT_TRUE(result.has_value()) << result.error().text();
    EXPECT_EQ(result.value()->policy.name, "web");
    EXPECT_EQ(result.value()->floor->name, "strict");
}

TEST_F(PlanContainer, TracksForksOnlyWhereSomethingIsEnforcedThatOthersCanChange) {
    const auto rule = [](const std::string& name, const std::string& condition) {
        return R"({"apiVersion": "execseal/v1", "name": ")" + name +
               R"(", "default": "allow", "rules": [{"id": "r", "verdict": "deny", )" + condition +
               "}]}";
    };
    write("argv.json", rule("argv", R"("argv": {"contains": ["x"]})"));
    write("files.json", rule("files", R"("exe": "/bin/sh")"));
    write("above.json", rule("above", R"("exe": "/bin/sh", "parent": "/bin/x")"));
    struct Row {
        const char* policy;
        const char* mode;
        const char* floor;
        bool tracked;
    };
    for (const Row& row :
         {Row{"argv", "enforce", "", true}, Row{"argv", "audit", "", false},
          Row{"argv", "learn", "", false}, Row{"files", "enforce", "", false},
          Row{"files", "enforce", "argv", true}, Row{"files", "audit", "argv", true},
          Row{"argv", "audit", "files", false}, Row{"argv", "enforce", "files", true},
          // Who makes whom has to be seen also where nothing is enforced.
          Row{"above", "enforce", "", true}, Row{"above", "audit", "", true},
          Row{"above", "learn", "", true}, Row{"files", "enforce", "above", true}}) {
        settings_.floor_policy =
            *row.floor == '\0' ? std::nullopt : std::optional<std::string>(row.floor);
        const auto made =
            plan({{"io.execseal.policy", row.policy}, {"io.execseal.mode", row.mode}});
        ASSERT_TRUE(made.has_value()) << made.error().text();
        EXPECT_EQ(made.value()->track_forks, row.tracked)
            << row.policy << ", " << row.mode << ", floor " << row.floor;
    }
}

TEST_F(PlanContainer, AFloorThatCannotBeHadFailsTheCreate) {
    settings_.floor_policy = "nosuch";
    EXPECT_NE(outcome({{"io.execseal.policy", "web"}}).find("/floor_policy: \"nosuch\""),
              std::string::npos);
    EXPECT_EQ(outcome(Json::object()), "(none)");
}

TEST_F(PlanContainer, TheAuthorWeakensTheModeOnlyWhereThePolicyWasHisChoice) {
    const Json audit = {{"io.execseal.policy", "web"}, {"io.execseal.mode", "audit"}};
    ASSERT_TRUE(plan(audit).has_value());
    EXPECT_EQ(plan(audit).value()->mode, Mode::kAudit);

    settings_.default_policy = "strict";
    EXPECT_NE(outcome(audit).find("\"audit\": expected \"enforce\""), std::string::npos);
    EXPECT_NE(outcome({{"io.execseal.mode", "learn"}}).find("expected \"enforce\""),
              std::string::npos);
    EXPECT_EQ(outcome({{"io.execseal.mode", "enforce"}}), "strict");
    settings_.allow_mode_annotation = true;
    EXPECT_EQ(plan(audit).value()->mode, Mode::kAudit);

    settings_.default_policy.reset();
    settings_.allow_mode_annotation = false;
    EXPECT_NE(outcome(audit).find("expected \"enforce\""), std::string::npos);

    settings_.mode = Mode::kAudit;
    EXPECT_EQ(plan({{"io.execseal.policy", "web"}}).value()->mode, Mode::kAudit);
    EXPECT_EQ(plan({{"io.execseal.policy", "web"}, {"io.execseal.mode", "enforce"}}).value()->mode,
              Mode::kEnforce);
    EXPECT_NE(outcome({{"io.execseal.policy", "web"}, {"io.execseal.mode", "off"}})
                  .find("expected \"enforce\", \"audit\" or \"learn\""),
              std::string::npos);
}

TEST_F(PlanContainer, PlacesTheContainerWhereNoOtherOneIs) {
    const Json chosen = {{"io.execseal.policy", "web"}};
    const std::string id(64, 'a');
    const std::string sibling = std::string(63, 'a') + "b";
    const auto first = plan(chosen, id).value();
    const auto second = plan(chosen, sibling).value();
    const auto elsewhere = plan_container(spec(chosen), id, "/other", settings_).value();
    EXPECT_EQ(first->container_dir.find("/run/execseal/" + std::string(40, 'a') + "-"), 0U);
    EXPECT_EQ(first->container_dir.size(), 14U + 40 + 1 + 8);
    EXPECT_NE(first->container_dir, second->container_dir);
    EXPECT_NE(first->container_dir, elsewhere->container_dir);
    EXPECT_EQ(first->container_dir, plan(chosen, id).value()->container_dir);
    EXPECT_EQ(first->listener_path, first->container_dir + "/seccomp.sock");

    EXPECT_NE(outcome(chosen, "../x").find("container id \"../x\": expected"), std::string::npos);
    EXPECT_NE(outcome(chosen, "").find("container id"), std::string::npos);
    EXPECT_FALSE(plan_container(spec(chosen), "c", "relative", settings_).has_value());
    settings_.run_dir = "/" + std::string(60, 'r');
    EXPECT_NE(outcome(chosen, id).find("/run_dir: "), std::string::npos);
}

TEST_F(PlanContainer, SurvivesTheWayThroughJson) {
    settings_.floor_policy = "strict";
    const auto made = plan({{"io.execseal.policy", "web"}, {"io.execseal.mode", "audit"}}).value();
    const Json json = plan_to_json(*made);
    const auto read = plan_from_json(json, "pipe");
    ASSERT_TRUE(read.has_value()) << read.error().text();
    EXPECT_EQ(read.value(), *made);

    for (const auto& [key, value] : json.items()) {
        Json damaged = json;
        damaged[key] = 7;
        EXPECT_FALSE(plan_from_json(damaged, "pipe").has_value()) << key;
        damaged.erase(key);
        EXPECT_EQ(plan_from_json(damaged, "pipe").has_value(), key == "floor") << key;
    }
    Json grown = json;
    grown["extra"] = 1;
    EXPECT_EQ(plan_from_json(grown, "pipe").error().text().find("pipe: /extra: unknown key"), 0U);
}

}  // namespace
}  // namespace execseal
