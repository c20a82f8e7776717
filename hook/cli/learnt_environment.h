// learnt_environment: rules that refuse variables which were not seen, and those that bring code
// where they were not seen. Pure.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "hook/cli/learnt_rules.h"
#include "hook/cli/observed.h"

namespace execseal {

// None where the recording does not have the whole environment.
std::vector<LearntRule> environment_rules(const Observations& observations,
                                          const std::set<std::string>& taken_ids,
                                          const DataNames& data);

}  // namespace execseal
