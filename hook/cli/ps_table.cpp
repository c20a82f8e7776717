#include "hook/cli/ps_table.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "hook/cli/container_names.h"
#include "hook/cli/event.h"
#include "hook/cli/table.h"

namespace execseal {
namespace {

using nlohmann::ordered_json;

// A supervisor of another version may leave a field out.
std::string field(const ordered_json& object, const char* key) {
    const auto found = object.find(key);
    if (found == object.end() || found->is_null()) {
        return "-";
    }
    if (found->is_number() || found->is_boolean()) {
        return found->dump();
    }
    const std::string text = bytes_from_json(*found);
    return text.empty() ? "-" : shell_word(text);
}

std::uint64_t number(const ordered_json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_number_unsigned() ? found->get<std::uint64_t>() : 0;
}

std::string protect_text(const ordered_json& status) {
    const auto protect = status.find("protect");
    if (protect == status.end() || !protect->is_object()) {
        return "-";
    }
    const auto verify = protect->find("verify");
    const bool verifies = verify != protect->end() && verify->is_boolean() && verify->get<bool>();
    const auto binding = status.find("binding");
    const bool in_kernel =
        binding != status.end() && binding->is_object() && field(*binding, "by") == "kernel";
    return field(*protect, "freeze") + (!verifies ? "" : in_kernel ? "+verify@kernel" : "+verify");
}

std::string policy_text(const ordered_json& status) {
    const std::string floor = field(status, "floor");
    return field(status, "policy") + (floor == "-" ? "" : "+" + floor);
}

}  // namespace

ContainerNames names_of(const ordered_json& status) {
    return {text_at(status, "container_id"), text_at(status, "container_name"),
            text_at(status, "pod")};
}

std::string containers_text(const std::vector<ordered_json>& statuses) {
    std::vector<Cells> rows;
    const bool lost = std::any_of(statuses.begin(), statuses.end(), [](const ordered_json& status) {
        return number(status, "events_lost") > 0;
    });
    for (const ordered_json& status : statuses) {
        const ordered_json decisions =
            status.contains("decisions") && status["decisions"].is_object()
                ? status["decisions"]
                : ordered_json::object();
        const std::uint64_t refused = number(decisions, "deny") + number(decisions, "kill");
        const std::uint64_t run = number(decisions, "allow") + number(decisions, "audit");
        const std::string name = shown_name(names_of(status));
        rows.push_back({short_id(field(status, "container_id")), name.empty() ? "-" : name,
                        policy_text(status), field(status, "mode"), protect_text(status),
                        field(status, "tasks"), field(status, "supervisor_pid"),
                        short_time(field(status, "since")), std::to_string(run),
                        std::to_string(refused), field(status, "races_detected")});
        if (lost) {
            rows.back().push_back(std::to_string(number(status, "events_lost")));
        }
    }
    Cells titles{"ID",         "NAME",  "POLICY",  "MODE",    "PROTECT", "TASKS",
                 "SUPERVISOR", "SINCE", "ALLOWED", "REFUSED", "RACES"};
    if (lost) {
        titles.emplace_back("LOST EVENTS");
    }
    return table_text(titles, rows);
}

std::string tasks_text(const ordered_json& tasks) {
    std::vector<Cells> rows;
    const auto list = tasks.find("tasks");
    if (list != tasks.end() && list->is_array()) {
        for (const ordered_json& task : *list) {
            rows.push_back({field(task, "tid"), field(task, "container_pid"), field(task, "parent"),
                            field(task, "registered"), short_time(field(task, "since")),
                            field(task, "exe")});
        }
    }
    return table_text({"TID", "CONTAINER PID", "PARENT", "REGISTERED", "SINCE", "EXE"}, rows);
}

Result<std::size_t> find_container(const std::vector<ordered_json>& statuses,
                                   const std::string& wanted) {
    std::vector<ContainerNames> containers;
    for (const ordered_json& status : statuses) {
        containers.push_back(names_of(status));
    }
    return choose_container(containers, wanted);
}

}  // namespace execseal
