#include "hook/cli/survey.h"

#include <filesystem>
#include <optional>

#include "config/settings.h"
#include "hook/launch/control_client.h"
#include "hook/os/state_dir.h"

namespace execseal {
namespace {

// nullopt: nothing to say about this directory: it is a container's that has ended just now.
std::optional<std::string> trouble_with(const std::string& directory, const Error& error) {
    const auto occupied = state_dir_is_occupied(directory);
    if (!occupied) {
        return occupied.error().text();
    }
    if (*occupied) {
        return directory + ": its supervisor does not answer: " + error.text();
    }
    std::error_code code;
    if (!std::filesystem::exists(directory, code)) {
        return std::nullopt;
    }
    return directory +
           ": its supervisor has died; if the container still runs, its execs and "
           "forks fail with ENOSYS: delete it and start it anew";
}

}  // namespace

Result<Survey> survey(const std::string& settings_file) {
    const auto settings = load_settings(settings_file);
    if (!settings) {
        return settings.error();
    }
    std::error_code code;
    if (!std::filesystem::is_directory(settings->run_dir, code)) {
        return make_error(settings->run_dir + ": no such directory (run_dir of " + settings->path +
                          "): no container was supervised since it was made, or it was removed "
                          "under those that are");
    }
    const auto directories = list_state_dirs(settings->run_dir);
    if (!directories) {
        return directories.error();
    }
    Survey survey;
    for (const std::string& directory : *directories) {
        auto status = ask_supervisor(control_path_of(directory), "status", kAnswerDeadline);
        if (status) {
            survey.statuses.push_back(std::move(*status));
            survey.controls.push_back(control_path_of(directory));
        } else if (auto trouble = trouble_with(directory, status.error())) {
            survey.troubles.push_back(std::move(*trouble));
        }
    }
    return survey;
}

}  // namespace execseal
