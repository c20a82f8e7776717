#include "hook/cli/event.h"

#include <charconv>

#include "config/errno_names.h"
#include "config/quote.h"

namespace execseal {
namespace {

using nlohmann::ordered_json;

std::string outcome_text(const Event& event) {
    const auto error = event.json.find("errno");
    const std::string times =
        event.json.contains("count") ? " x" + std::to_string(event.count) : std::string();
    if (error == event.json.end() || !error->is_number_integer()) {
        return event.outcome + times;
    }
    return event.outcome + " " + errno_name(error->get<int>()) + times;
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
    if (event.kind == "reload" || event.kind == "mode") {
        const std::string digest = text_at(event.json, "policy_sha256").substr(0, 12);
        const std::string reason = text_at(event.json, "reason");
        return text_at(event.json, "outcome") +
               (reason.empty() ? ": policy " + digest + ", mode " + text_at(event.json, "mode")
                               : ", everything stays as it is: " + reason);
    }
    if (event.kind == "stray") {
        return event.exe + ": " + event.reason;
    }
    if (event.kind == "lost") {
        const auto count = event.json.find("count");
        return (count != event.json.end() ? count->dump() : "?") + " events since " +
               text_at(event.json, "since") + ": " + text_at(event.json, "reason");
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

std::string text_at(const ordered_json& object, const char* key) {
    const auto found = object.find(key);
    return found == object.end() ? "" : bytes_from_json(*found);
}

namespace {

std::optional<Event> event_of(ordered_json line) {
    Event event;
    event.json = std::move(line);
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
    const auto claimed = container->find("claimed");
    event.claimed = claimed != container->end() && claimed->is_boolean() && claimed->get<bool>();
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

}  // namespace

std::optional<Event> parse_event(std::string_view line) {
    return event_of(ordered_json::parse(line, nullptr, false));
}

std::vector<Event> expanded(const Event& event) {
    const auto kinds = event.json.find("kinds");
    if (event.kind != "summary" || kinds == event.json.end() || !kinds->is_array()) {
        return {event};
    }
    std::vector<Event> events;
    for (const ordered_json& kind : *kinds) {
        if (!kind.is_object()) {
            continue;
        }
        const auto first = kind.find("first");
        ordered_json line =
            first != kind.end() && first->is_object() ? *first : ordered_json::object();
        for (const char* const key : {"time", "container", "policy", "annotations"}) {
            if (event.json.contains(key)) {
                line[key] = event.json[key];
            }
        }
        line["event"] = "exec";
        for (const char* const key :
             {"exe", "rule", "verdict", "would_be", "outcome", "errno", "count"}) {
            if (kind.contains(key)) {
                line[key] = kind[key];
            }
        }
        if (auto one = event_of(std::move(line))) {
            const auto count = kind.find("count");
            one->count = count != kind.end() && count->is_number_unsigned()
                             ? count->get<std::uint64_t>()
                             : 1;
            events.push_back(std::move(*one));
        }
    }
    return events;
}

Cells event_titles() {
    return {"TIME", "CONTAINER", "VIA", "VERDICT", "OUTCOME", "RULE", "COMMAND AND REASON"};
}

ContainerNames names_of(const Event& event) {
    return {event.container_id, event.container_name, event.pod};
}

std::string container_text(const Event& event) {
    const std::string name = shown_name(names_of(event));
    return name.empty() ? short_id(event.container_id) : name + (event.claimed ? " (claimed)" : "");
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
