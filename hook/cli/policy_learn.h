// `execseal policy learn`: recorded events become a policy.
#pragma once

#include <string>
#include <vector>

#include "hook/cli/argument_shape.h"
#include "hook/cli/recordings.h"
#include "hook/os/result.h"

namespace execseal {

struct LearnCommand {
    RecordingQuery query;
    std::string into;  // a policy's file, or a name in policies_dir; empty: a new one, to stdout
    std::string name;  // of a new policy
    Width width = Width::kDefault;
};

// The policy goes to stdout or into the file, what a person should know to stderr. 1: nothing was
// written; stderr says why.
Result<int> run_policy_learn(const LearnCommand& command);

}  // namespace execseal
