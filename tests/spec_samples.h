// spec_samples: config.json files as engines really write them (tests/data), and a plan for them.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "config/plan.h"
#include "config/spec/spec_edit.h"

namespace execseal {

// Every config.json of tests/data, by file name without ".json", sorted.
std::vector<std::string> sample_names();
std::string sample_path(const std::string& name);
nlohmann::ordered_json load_sample(const std::string& name);

// A spec with only a seccomp profile in it.
nlohmann::ordered_json spec_with_profile(nlohmann::ordered_json profile);
// {"names": [name], "action": action}, with one masked comparison if `mask` is not 0.
nlohmann::ordered_json profile_rule(const std::string& name, const std::string& action);
nlohmann::ordered_json masked_rule(const std::string& name, const std::string& action,
                                   unsigned index, std::uint64_t mask, std::uint64_t value);

Plan sample_plan();
EditInputs sample_inputs();

}  // namespace execseal
