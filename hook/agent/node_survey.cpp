#include "hook/agent/node_survey.h"

#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "hook/launch/control_client.h"
#include "hook/os/state_dir.h"

namespace execseal {
namespace {

using nlohmann::ordered_json;

struct Told {
    std::uint64_t pending_execs = 0;
    std::uint64_t events_lost = 0;
    ContainerNow container;
};

std::string text_at(const ordered_json& status, const char* key) {
    const auto member = status.find(key);
    return member != status.end() && member->is_string() ? member->get<std::string>() : "";
}

std::uint64_t number_at(const ordered_json& status, const char* key) {
    const auto member = status.find(key);
    return member != status.end() && member->is_number_unsigned() ? member->get<std::uint64_t>()
                                                                  : 0;
}

ContainerNow container_of(const ordered_json& status) {
    ContainerNow now;
    now.id = text_at(status, "container_id");
    now.policy = text_at(status, "policy");
    now.mode = text_at(status, "mode");
    const std::string pod = text_at(status, "pod");
    const std::string name = text_at(status, "container_name");
    now.name = name.empty() ? now.id : pod.empty() ? name : pod + "/" + name;
    if (const auto decisions = status.find("decisions");
        decisions != status.end() && decisions->is_object()) {
        for (const auto& [verdict, count] : decisions->items()) {
            now.decisions[verdict] = count.is_number_unsigned() ? count.get<std::uint64_t>() : 0;
        }
    }
    return now;
}

std::optional<Told> ask(const std::string& directory, std::chrono::milliseconds deadline) {
    const auto status = ask_supervisor(control_path_of(directory), "status", deadline);
    if (!status || !status->is_object() || !status->contains("pending_execs")) {
        return std::nullopt;
    }
    return Told{number_at(*status, "pending_execs"), number_at(*status, "events_lost"),
                container_of(*status)};
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
        auto told = left.count() > 0 ? ask(directory, left) : std::nullopt;
        if (!told) {
            ++survey.silent;
            continue;
        }
        survey.pending_execs += told->pending_execs;
        survey.events_lost += told->events_lost;
        survey.containers.push_back(std::move(told->container));
    }
    return survey;
}

}  // namespace execseal
