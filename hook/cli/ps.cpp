#include "hook/cli/ps.h"

#include <cstdio>
#include <nlohmann/json.hpp>

#include "hook/cli/progress.h"
#include "hook/cli/ps_table.h"
#include "hook/cli/survey.h"
#include "hook/launch/control_client.h"
#include "hook/os/visible.h"

namespace execseal {
namespace {

using nlohmann::ordered_json;

void print(const std::string& text) {
    (void)std::fwrite(text.data(), 1, text.size(), stdout);
}

Result<int> show_tasks(const Survey& survey, const PsOptions& options) {
    const auto at = find_container(survey.statuses, options.tasks_of);
    if (!at) {
        return at.error();
    }
    const auto tasks = ask_supervisor(survey.controls[*at], "tasks", kAnswerDeadline);
    if (!tasks) {
        return tasks.error();
    }
    print(options.format == Format::kJson ? visible_json(tasks->dump(2)) + "\n"
                                          : fitted(tasks_text(*tasks), terminal_width()));
    return 0;
}

}  // namespace

Result<int> run_ps(const PsOptions& options) {
    const auto found = survey(options.settings);
    if (!found) {
        return found.error();
    }
    for (const std::string& trouble : found->troubles) {
        (void)std::fprintf(stderr, "execseal: %s\n", trouble.c_str());
    }
    for (const std::string& cleared : found->cleared) {
        (void)std::fprintf(stderr, "execseal: %s\n", cleared.c_str());
    }
    if (!options.tasks_of.empty()) {
        return show_tasks(*found, options);
    }
    print(options.format == Format::kJson
              ? visible_json(ordered_json(found->statuses).dump(2)) + "\n"
              : fitted(containers_text(found->statuses), terminal_width()));
    return found->troubles.empty() ? 0 : 1;
}

}  // namespace execseal
