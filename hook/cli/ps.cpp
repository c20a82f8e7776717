#include "hook/cli/ps.h"

#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>

#include "config/settings.h"
#include "hook/cli/ps_table.h"
#include "hook/launch/control_client.h"
#include "hook/os/state_dir.h"
#include "hook/os/visible.h"

namespace execseal {
namespace {

using nlohmann::ordered_json;

constexpr std::chrono::seconds kDeadline{5};

struct Survey {
    std::vector<ordered_json> statuses;
    std::vector<std::string> controls;  // the control socket of each
    std::vector<std::string> troubles;  // a line for each directory without an answer
};

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

Result<Survey> survey(const std::string& run_dir) {
    const auto directories = list_state_dirs(run_dir);
    if (!directories) {
        return directories.error();
    }
    Survey survey;
    for (const std::string& directory : *directories) {
        auto status = ask_supervisor(control_path_of(directory), "status", kDeadline);
        if (status) {
            survey.statuses.push_back(std::move(*status));
            survey.controls.push_back(control_path_of(directory));
        } else if (auto trouble = trouble_with(directory, status.error())) {
            survey.troubles.push_back(std::move(*trouble));
        }
    }
    return survey;
}

void print(const std::string& text) {
    (void)std::fwrite(text.data(), 1, text.size(), stdout);
}

Result<int> show_tasks(const Survey& survey, const PsOptions& options) {
    const auto at = find_container(survey.statuses, options.tasks_of);
    if (!at) {
        return at.error();
    }
    const auto tasks = ask_supervisor(survey.controls[*at], "tasks", kDeadline);
    if (!tasks) {
        return tasks.error();
    }
    print(options.format == Format::kJson ? visible_json(tasks->dump(2)) + "\n"
                                          : tasks_text(*tasks));
    return 0;
}

}  // namespace

Result<int> run_ps(const PsOptions& options) {
    const auto settings = load_settings(options.settings);
    if (!settings) {
        return settings.error();
    }
    std::error_code code;
    if (!std::filesystem::is_directory(settings->run_dir, code)) {
        return make_error(settings->run_dir + ": no such directory (run_dir of " + settings->path +
                          "): no container was supervised since it was made, or it was removed "
                          "under those that are");
    }
    const auto found = survey(settings->run_dir);
    if (!found) {
        return found.error();
    }
    for (const std::string& trouble : found->troubles) {
        (void)std::fprintf(stderr, "execseal: %s\n", trouble.c_str());
    }
    if (!options.tasks_of.empty()) {
        return show_tasks(*found, options);
    }
    print(options.format == Format::kJson
              ? visible_json(ordered_json(found->statuses).dump(2)) + "\n"
              : containers_text(found->statuses));
    return found->troubles.empty() ? 0 : 1;
}

}  // namespace execseal
