// CompiledPolicy: what a policy file becomes, the judge's form of it.
//
// Made by Policy::parse, immutable afterwards. Includers other than the loader, the judge and
// `execseal policy` want config/policy.h instead.
#pragma once

#include <cerrno>
#include <string>
#include <vector>

#include "config/policy.h"

namespace execseal {

struct CompiledPolicy {
    std::string name;
    std::string description;
    Verdict default_verdict = Verdict::kDeny;
    int default_errno = EACCES;
    Protection protection;
    bool needs_binding = true;
};

}  // namespace execseal
