#include "hook/launch/launch_document.h"

#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>

#include "config/json_reader.h"
#include "config/plan_json.h"

namespace execseal {
namespace {

constexpr const char* kOrigin = "launch document";
constexpr const char* kPlan = "plan";
constexpr const char* kSettings = "settings";
constexpr const char* kArrival = "arrival_ms";
constexpr const char* kCgroup = "cgroup";
constexpr const char* kRecoverFrom = "recover_from";

}  // namespace

std::string launch_document_text(const LaunchDocument& document) {
    const LaunchTerms& terms = document.terms;
    nlohmann::ordered_json json{{kPlan, plan_to_json(document.plan)},
                                {kSettings, document.settings_path},
                                {kCgroup, terms.cgroup},
                                {kRecoverFrom, terms.recover_from}};
    if (terms.arrival) {
        json[kArrival] = terms.arrival->count();
    }
    return json.dump();
}

Result<LaunchDocument> parse_launch_document(std::string_view text) {
    const auto json = parse_json(text, kOrigin);
    if (!json) {
        return json.error();
    }
    JsonProblems problems(kOrigin);
    const JsonObject object =
        JsonNode(*json, problems).object({kPlan, kSettings, kArrival, kCgroup, kRecoverFrom});
    LaunchDocument document;
    if (const auto settings = object.require(kSettings)) {
        document.settings_path = settings->string("a path");
    }
    if (const auto arrival = object.get(kArrival)) {
        document.terms.arrival = std::chrono::milliseconds(
            arrival->integer(0, std::numeric_limits<std::int32_t>::max()));
    }
    if (const auto cgroup = object.get(kCgroup)) {
        document.terms.cgroup = cgroup->string("a directory");
    }
    if (const auto task = object.get(kRecoverFrom)) {
        document.terms.recover_from =
            static_cast<pid_t>(task->integer(0, std::numeric_limits<pid_t>::max()));
    }
    const auto plan = object.require(kPlan);
    if (problems.first()) {
        return *problems.first();
    }
    auto read = plan_from_json(plan->json(), std::string(kOrigin) + ": /" + kPlan);
    if (!read) {
        return read.error();
    }
    document.plan = std::move(*read);
    return document;
}

}  // namespace execseal
