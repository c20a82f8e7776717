#include "config/plan_json.h"

#include <nlohmann/json.hpp>

#include "config/json_reader.h"

namespace execseal {
namespace {

using Json = nlohmann::ordered_json;

Json ref_to_json(const PolicyRef& ref) {
    return {{"name", ref.name}, {"path", ref.path}, {"sha256", ref.sha256}};
}

std::string required_string(const JsonObject& object, std::string_view key) {
    const auto node = object.require(key);
    return node ? node->string() : std::string();
}

PolicyRef ref_from_json(const JsonNode& node) {
    const JsonObject object = node.object({"name", "path", "sha256"});
    return {required_string(object, "name"), required_string(object, "path"),
            required_string(object, "sha256")};
}

}  // namespace

Json plan_to_json(const Plan& plan) {
    Json annotations = Json::object();
    for (const auto& [key, value] : plan.annotations) {
        annotations[key] = value;
    }
    Json json = {{"container_id", plan.container_id},
                 {"container_name", plan.container_name},
                 {"pod", plan.pod},
                 {"bundle", plan.bundle},
                 {"policy", ref_to_json(plan.policy)}};
    if (plan.floor) {
        json["floor"] = ref_to_json(*plan.floor);
    }
    json["mode"] = mode_name(plan.mode);
    json["annotations"] = std::move(annotations);
    json["container_dir"] = plan.container_dir;
    json["listener_path"] = plan.listener_path;
    json["control_path"] = plan.control_path;
    json["track_forks"] = plan.track_forks;
    return json;
}

Result<Plan> plan_from_json(const Json& json, const std::string& origin) {
    JsonProblems problems(origin);
    const JsonObject object =
        JsonNode(json, problems)
            .object({"container_id", "container_name", "pod", "bundle", "policy", "floor", "mode",
                     "annotations", "container_dir", "listener_path", "control_path",
                     "track_forks"});
    Plan plan;
    plan.container_id = required_string(object, "container_id");
    plan.container_name = required_string(object, "container_name");
    plan.pod = required_string(object, "pod");
    plan.bundle = required_string(object, "bundle");
    plan.container_dir = required_string(object, "container_dir");
    plan.listener_path = required_string(object, "listener_path");
    plan.control_path = required_string(object, "control_path");
    if (const auto policy = object.require("policy")) {
        plan.policy = ref_from_json(*policy);
    }
    if (const auto floor = object.get("floor")) {
        plan.floor = ref_from_json(*floor);
    }
    if (const auto mode = object.require("mode")) {
        static constexpr Mode kModes[] = {Mode::kEnforce, Mode::kAudit, Mode::kLearn};
        plan.mode = kModes[mode->choice({"enforce", "audit", "learn"})];
    }
    if (const auto annotations = object.require("annotations")) {
        for (const auto& [key, value] : annotations->members()) {
            plan.annotations[key] = value.string();
        }
    }
    if (const auto track = object.require("track_forks")) {
        plan.track_forks = track->boolean();
    }
    if (problems.first()) {
        return *problems.first();
    }
    return plan;
}

}  // namespace execseal
