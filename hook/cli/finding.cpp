#include "hook/cli/finding.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "hook/cli/table.h"
#include "hook/gate/json_line.h"

namespace execseal {
namespace {

const char* health_name(Health health) {
    switch (health) {
        case Health::kFail:
            return "fail";
        case Health::kWarn:
            return "warn";
        case Health::kOk:
            return "ok";
    }
    return "fail";
}

}  // namespace

Finding found_ok(std::string subject, std::string detail) {
    return {Health::kOk, std::move(subject), std::move(detail), ""};
}

Finding found_warn(std::string subject, std::string detail, std::string advice) {
    return {Health::kWarn, std::move(subject), std::move(detail), std::move(advice)};
}

Finding found_fail(std::string subject, std::string detail, std::string advice) {
    return {Health::kFail, std::move(subject), std::move(detail), std::move(advice)};
}

std::string findings_text(const Findings& findings) {
    std::size_t width = 0;
    for (const Finding& finding : findings) {
        width = std::max(width, finding.subject.size());
    }
    const std::vector<std::size_t> widths{4, width};
    std::string text;
    for (const Finding& finding : findings) {
        text += table_line(
            widths, {health_name(finding.health), finding.subject, printable(finding.detail)});
        if (!finding.advice.empty()) {
            text += table_line(widths, {"", "", "-> " + printable(finding.advice)});
        }
    }
    return text;
}

nlohmann::ordered_json findings_json(const Findings& findings) {
    auto json = nlohmann::ordered_json::array();
    for (const Finding& finding : findings) {
        json.push_back({{"health", health_name(finding.health)},
                        {"subject", finding.subject},
                        {"detail", bytes_to_json(finding.detail)},
                        {"advice", bytes_to_json(finding.advice)}});
    }
    return json;
}

int findings_code(const Findings& findings) {
    const bool failed = std::any_of(findings.begin(), findings.end(), [](const Finding& finding) {
        return finding.health == Health::kFail;
    });
    return failed ? 1 : 0;
}

}  // namespace execseal
