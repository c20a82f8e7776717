#include "hook/agent/node_survey.h"

#include <nlohmann/json.hpp>
#include <optional>

#include "hook/launch/control_client.h"
#include "hook/os/state_dir.h"

namespace execseal {
namespace {

struct Told {
    std::uint64_t pending_execs = 0;
    std::uint64_t events_lost = 0;
};

std::uint64_t number_at(const nlohmann::ordered_json& status, const char* key) {
    const auto member = status.find(key);
    return member != status.end() && member->is_number_unsigned() ? member->get<std::uint64_t>()
                                                                  : 0;
}

std::optional<Told> ask(const std::string& directory, std::chrono::milliseconds deadline) {
    const auto status = ask_supervisor(control_path_of(directory), "status", deadline);
    if (!status || !status->is_object() || !status->contains("pending_execs")) {
        return std::nullopt;
    }
    return Told{number_at(*status, "pending_execs"), number_at(*status, "events_lost")};
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
        const auto told = left.count() > 0 ? ask(directory, left) : std::nullopt;
        survey.pending_execs += told.value_or(Told{}).pending_execs;
        survey.events_lost += told.value_or(Told{}).events_lost;
        survey.silent += told ? 0U : 1U;
    }
    return survey;
}

}  // namespace execseal
