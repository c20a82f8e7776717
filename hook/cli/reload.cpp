#include "hook/cli/reload.h"

#include <cstdio>
#include <nlohmann/json.hpp>

#include "hook/cli/container_names.h"
#include "hook/cli/event.h"
#include "hook/cli/progress.h"
#include "hook/cli/ps_table.h"
#include "hook/cli/survey.h"
#include "hook/launch/control_client.h"
#include "hook/os/visible.h"

namespace execseal {
namespace {

using nlohmann::ordered_json;

std::string name_of(const ordered_json& status) {
    const ContainerNames names = names_of(status);
    const std::string shown = shown_name(names);
    return shown.empty() ? short_id(names.id) : printable(shown);
}

std::string short_digest(const std::string& digest) {
    static constexpr std::size_t kShown = 12;
    return digest.empty() ? "?" : printable(digest.substr(0, kShown));
}

void complain(const std::string& line) {
    (void)std::fprintf(stderr, "execseal: %s\n", line.c_str());
}

// What cannot change in a running container.
void tell_of_lacks(const ordered_json& status, const ordered_json& answer) {
    if (const std::string lacks = text_at(answer, "lacks"); !lacks.empty()) {
        complain(name_of(status) + ": " + printable(lacks));
    }
}

Result<std::vector<std::size_t>> chosen_of(const Survey& found,
                                           const std::vector<std::string>& containers) {
    std::vector<std::size_t> chosen;
    for (const std::string& container : containers) {
        const auto at = find_container(found.statuses, container);
        if (!at) {
            return at.error();
        }
        chosen.push_back(*at);
    }
    for (std::size_t i = 0; containers.empty() && i < found.statuses.size(); ++i) {
        chosen.push_back(i);
    }
    return chosen;
}

Cells row_of(const ordered_json& status, const ordered_json& answer) {
    const bool changed = answer.value("changed", false);
    const std::string digest = short_digest(text_at(answer, "policy_sha256"));
    const std::string before = short_digest(text_at(answer, "policy_sha256_before"));
    return {name_of(status), printable(text_at(status, "policy")),
            !changed           ? "unchanged"
            : before == digest ? "floor changed"
                               : "changed",
            changed && before != digest ? before + " -> " + digest : digest};
}

}  // namespace

Result<int> run_reload(const ReloadCommand& command) {
    const auto found = survey(command.settings);
    if (!found) {
        return found.error();
    }
    const auto chosen = chosen_of(*found, command.containers);
    if (!chosen) {
        return chosen.error();
    }
    bool good = true;
    if (command.containers.empty()) {
        for (const std::string& trouble : found->troubles) {
            complain(trouble);
            good = false;
        }
    }
    std::vector<Cells> rows;
    auto list = ordered_json::array();
    for (const std::size_t at : *chosen) {
        const ordered_json& status = found->statuses[at];
        const auto answer = ask_supervisor(found->controls[at], "reload", kAnswerDeadline);
        if (!answer) {
            good = false;
            complain(name_of(status) +
                     ": everything stays as it is: " + printable(answer.error().text()));
            rows.push_back({name_of(status), printable(text_at(status, "policy")), "refused",
                            short_digest(text_at(status, "policy_sha256"))});
            list.push_back({{"container_id", status.value("container_id", "")},
                            {"changed", false},
                            {"error", answer.error().text()}});
            continue;
        }
        tell_of_lacks(status, *answer);
        rows.push_back(row_of(status, *answer));
        list.push_back(*answer);
    }
    const std::string text =
        command.format == Format::kJson
            ? visible_json(list.dump(2, ' ', false, ordered_json::error_handler_t::replace)) + "\n"
            : fitted(table_text({"CONTAINER", "POLICY", "RESULT", "DIGEST"}, rows),
                     terminal_width());
    (void)std::fwrite(text.data(), 1, text.size(), stdout);
    return good ? 0 : 1;
}

Result<int> run_mode(const ModeCommand& command) {
    const auto found = survey(command.settings);
    if (!found) {
        return found.error();
    }
    const auto at = find_container(found->statuses, command.container);
    if (!at) {
        return at.error();
    }
    const ordered_json& status = found->statuses[*at];
    const auto answer =
        ask_supervisor(found->controls[*at], "mode " + command.mode, kAnswerDeadline);
    if (!answer) {
        complain(name_of(status) + ": the mode stays " + printable(text_at(status, "mode")) + ": " +
                 printable(answer.error().text()));
        return 1;
    }
    tell_of_lacks(status, *answer);
    (void)std::printf("%s: %s -> %s\n", name_of(status).c_str(),
                      printable(text_at(status, "mode")).c_str(), command.mode.c_str());
    return 0;
}

}  // namespace execseal
