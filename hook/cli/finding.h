// Finding: one thing that `execseal doctor` has looked at, and what to do about it.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace execseal {

// kFail: containers with a policy do not start, or are not protected.
enum class Health { kFail, kWarn, kOk };

struct Finding {
    Health health = Health::kFail;
    std::string subject;
    std::string detail;
    std::string advice;  // what to do; empty for kOk
};
using Findings = std::vector<Finding>;

Finding found_ok(std::string subject, std::string detail);
Finding found_warn(std::string subject, std::string detail, std::string advice);
Finding found_fail(std::string subject, std::string detail, std::string advice);

std::string findings_text(const Findings& findings);
nlohmann::ordered_json findings_json(const Findings& findings);
// 1 if anything failed.
int findings_code(const Findings& findings);

}  // namespace execseal
