#include "hook/cli/event.h"

#include <charconv>

#include "config/errno_names.h"
#include "config/quote.h"

namespace execseal {
namespace {

using nlohmann::ordered_json;

std::string text_at(const ordered_json& object, const char* key) {
    const auto found = object.find(key);
    return found == object.end() ? "" : bytes_from_json(*found);
}

std::string outcome_text(const Event& event) {
    const auto error = event.json.find("errno");
    if (error == event.json.end() || !error->is_number_integer()) {
        return event.outcome;
    }
    return event.outcome + " " + errno_name(error->get<int>());
}

// What is worth a person's time in an exec that went as the policy wants it: nothing.
std::string why(const Event& event) {
    if (const auto race = event.json.find("race_detected");
        race != event.json.end() && race->is_object()) {
        return "race detected, " + text_at(*race, "field") + ": judged " +
               execseal::quoted(text_at(*race, "judged")) + ", taken " +
               execseal::quoted(text_at(*race, "taken"));  // not std::quoted
    }
    if (event.verdict == "allow") {
        return event.json.value("raced", false) ? "raced, judged again" : "";
    }
    const std::string prefix = "rule " + event.rule + ": ";
    std::string reason = event.reason;
    if (reason.starts_with(prefix)) {
        reason.erase(0, prefix.size());
    }
    if (event.decided_by != event.policy && !event.decided_by.empty()) {
        reason += " (floor " + event.decided_by + ")";
    }
    return reason;
}

std::string note_text(const Event& event) {
    if (event.kind == "start") {
        return "policy " + event.policy + ", mode " + text_at(event.json, "mode");
    }
    std::string text;
    const auto decisions = event.json.find("decisions");
    if (decisions != event.json.end() && decisions->is_object()) {
        for (const auto& [verdict, count] : decisions->items()) {
            text += (text.empty() ? "" : ", ") + count.dump() + " " + verdict;
        }
    }
    return text;
}

}  // namespace

std::string bytes_from_json(const ordered_json& value) {
    if (value.is_string()) {
        return value.get<std::string>();
    }
    std::string bytes;
    if (!value.is_object() || !value.contains("hex") || !value["hex"].is_string()) {
        return bytes;
    }
    const auto& hex = value["hex"].get_ref<const std::string&>();
    for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
        unsigned byte = 0;
        (void)std::from_chars(hex.data() + i, hex.data() + i + 2, byte, 16);
        bytes += static_cast<char>(byte);
    }
    return bytes;
}

std::optional<Event> parse_event(std::string_view line) {
    Event event;
    event.json = ordered_json::parse(line, nullptr, false);
    if (!event.json.is_object()) {
        return std::nullopt;
    }
    const ordered_json& json = event.json;
    event.time = text_at(json, "time");
    event.kind = text_at(json, "event");
    const auto container = json.find("container");
    if (event.time.empty() || event.kind.empty() || container == json.end() ||
        !container->is_object()) {
        return std::nullopt;
    }
    event.container_id = text_at(*container, "id");
    event.container_name = text_at(*container, "name");
    event.pod = text_at(*container, "pod");
    event.policy = text_at(json, "policy");
    event.exe = text_at(json, json.contains("exe") ? "exe" : "requested");
    if (const auto argv = json.find("argv"); argv != json.end() && argv->is_array()) {
        for (const auto& argument : *argv) {
            event.argv.push_back(bytes_from_json(argument));
        }
    }
    event.via = text_at(json, "via");
    event.verdict = text_at(json, "verdict");
    event.rule = text_at(json, "rule");
    event.decided_by = text_at(json, "decided_by");
    event.reason = text_at(json, "reason");
    event.outcome = text_at(json, "outcome");
    return event;
}

Cells event_titles() {
    return {"TIME", "CONTAINER", "VIA", "VERDICT", "OUTCOME", "RULE", "COMMAND AND REASON"};
}

ContainerNames names_of(const Event& event) {
    return {event.container_id, event.container_name, event.pod};
}

std::string container_text(const Event& event) {
    const std::string name = shown_name(names_of(event));
    return name.empty() ? short_id(event.container_id) : name;
}

Cells event_cells(const Event& event) {
    const std::string container = container_text(event);
    if (event.kind != "exec") {
        return {short_time(event.time),     container, "-", "-", printable(event.kind), "-",
                printable(note_text(event))};
    }
    const std::string reason = why(event);
    return {
        short_time(event.time),
        container,
        event.via.empty() ? "-" : printable(event.via),
        printable(event.verdict),
        printable(outcome_text(event)),
        printable(event.rule),
        command_text(event.exe, event.argv) + (reason.empty() ? "" : "   # " + printable(reason))};
}

}  // namespace execseal
