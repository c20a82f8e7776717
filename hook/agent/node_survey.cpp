#include "hook/agent/node_survey.h"

#include <nlohmann/json.hpp>
#include <optional>

#include "hook/launch/control_client.h"
#include "hook/os/state_dir.h"

namespace execseal {
namespace {

std::optional<std::uint64_t> pending_execs(const std::string& directory,
                                           std::chrono::milliseconds deadline) {
    const auto status = ask_supervisor(control_path_of(directory), "status", deadline);
    if (!status) {
        return std::nullopt;
    }
    const auto member = status->find("pending_execs");
    if (member == status->end() || !member->is_number_unsigned()) {
        return std::nullopt;
    }
    return member->get<std::uint64_t>();
}

}  // namespace

NodeSurvey survey_node(const std::string& run_dir, std::chrono::milliseconds budget) {
    using Clock = std::chrono::steady_clock;
    const Clock::time_point end = Clock::now() + budget;
    NodeSurvey survey;
    const auto directories = list_state_dirs(run_dir);
    if (!directories) {
        return survey;
    }
    for (const std::string& directory : *directories) {
        const auto occupied = state_dir_is_occupied(directory);
        if (!occupied || !*occupied) {
            continue;
        }
        ++survey.supervisors;
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now());
        const auto pending = left.count() > 0 ? pending_execs(directory, left) : std::nullopt;
        survey.pending_execs += pending.value_or(0);
        survey.silent += pending ? 0U : 1U;
    }
    return survey;
}

}  // namespace execseal
