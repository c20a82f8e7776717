#include "tests/spec_samples.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace execseal {

using Json = nlohmann::ordered_json;

std::vector<std::string> sample_names() {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(EXECSEAL_TEST_DATA)) {
        if (entry.path().extension() == ".json") {
            names.push_back(entry.path().stem());
        }
    }
    std::ranges::sort(names);
    return names;
}

std::string sample_path(const std::string& name) {
    return std::string(EXECSEAL_TEST_DATA) + "/" + name + ".json";
}

Json load_sample(const std::string& name) {
    std::ifstream file(sample_path(name));
    return Json::parse(file);
}

Json spec_with_profile(Json profile) {
    Json spec = Json::object();
    spec["ociVersion"] = "1.0.2";
    spec["linux"]["seccomp"] = std::move(profile);
    return spec;
}

Json profile_rule(const std::string& name, const std::string& action) {
    Json rule = Json::object();
    rule["names"] = Json::array({name});
    rule["action"] = action;
    return rule;
}

Json masked_rule(const std::string& name, const std::string& action, unsigned index,
                 std::uint64_t mask, std::uint64_t value) {
    Json rule = profile_rule(name, action);
    Json argument = Json::object();
    argument["index"] = index;
    argument["value"] = mask;
    if (value != 0) {
        argument["valueTwo"] = value;  // as Go writes it
    }
    argument["op"] = "SCMP_CMP_MASKED_EQ";
    rule["args"] = Json::array({std::move(argument)});
    return rule;
}

Plan sample_plan() {
    Plan plan;
    plan.container_id = "shim-sample";
    plan.bundle = "/run/shim-sample";
    plan.policy.name = "demo";
    plan.policy.path = "/etc/execseal/policies.d/demo.json";
    plan.container_dir = "/run/execseal/shim-sample-0123abcd";
    plan.listener_path = plan.container_dir + "/seccomp.sock";
    plan.control_path = plan.container_dir + "/control.sock";
    return plan;
}

EditInputs sample_inputs() {
    Settings settings;
    settings.path = "/etc/execseal/config.json";
    return edit_inputs_from(settings);
}

}  // namespace execseal
