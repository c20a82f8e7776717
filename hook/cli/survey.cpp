#include "hook/cli/survey.h"

#include <filesystem>

#include "config/settings.h"
#include "hook/launch/control_client.h"
#include "hook/os/procfs.h"
#include "hook/os/state_dir.h"

namespace execseal {
namespace {

// Is the first process of the container that this directory is of gone, and so the container?
bool container_is_gone(const std::string& directory) {
    const auto first = first_process(directory);
    const auto procfs = open_procfs();
    if (!first || !procfs) {
        return false;
    }
    const auto stat = (*procfs)->stat(Tid{first->process});
    return stat && (!*stat || (*stat)->birth != first->birth || (*stat)->state == 'Z' ||
                    (*stat)->state == 'X');
}

// Its supervisor has died and its container, too. Who may not clear it only says so.
std::string clear(const std::string& directory) {
    const std::string gone =
        directory + ": its supervisor has died, and its container has ended since; ";
    const auto lock = occupy_state_dir(directory);
    const auto removed = lock ? remove_state_dir(directory) : lock.error();
    return gone + (removed ? "what it left behind is cleared"
                           : "left behind, to be cleared by root: " + removed.error().text());
}

// Nothing is said about a directory of a container that has ended just now.
void tell_of_silent(const std::string& directory, const Error& error, Survey& survey) {
    const auto occupied = state_dir_is_occupied(directory);
    std::error_code code;
    if (!occupied) {
        survey.troubles.push_back(occupied.error().text());
    } else if (*occupied) {
        survey.troubles.push_back(directory + ": its supervisor does not answer: " + error.text());
    } else if (!std::filesystem::exists(directory, code)) {
        return;
    } else if (container_is_gone(directory)) {
        survey.cleared.push_back(clear(directory));
    } else {
        survey.troubles.push_back(
            directory +
            ": its supervisor has died; if the container still runs, its execs and "
            "forks fail with ENOSYS: delete it and start it anew");
    }
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
        } else {
            tell_of_silent(directory, status.error(), survey);
        }
    }
    return survey;
}

}  // namespace execseal
