// Event: one line of the audit file, read back.
//
// Takes a line that a supervisor wrote (or anything else: the file is only text), gives its fields
// as bytes. Strings that were written as {"hex": "..."} are bytes again.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hook/cli/container_names.h"
#include "hook/cli/table.h"

namespace execseal {

// NOLINTNEXTLINE(bugprone-exception-escape): nlohmann declares no move noexcept; none throws
struct Event {
    nlohmann::ordered_json json;
    std::string time;  // RFC 3339
    std::string kind;  // exec, start, end
    std::string container_id;
    std::string container_name;
    std::string pod;       // NAMESPACE/NAME, or empty
    bool claimed = false;  // name and pod are what the container's author says
    std::string policy;
    // Of an exec; empty where the event has no such field.
    std::string exe;
    std::vector<std::string> argv;
    std::string via;
    std::string verdict;
    std::string rule;
    std::string decided_by;
    std::string reason;
    std::string outcome;
    std::uint64_t count = 1;  // of a kind in a summary: so many execs
};

// nullopt: not an event.
std::optional<Event> parse_event(std::string_view line);

// A summary as one event of kind "exec" for each of its kinds, with the fields of its example; any
// other event as it is.
std::vector<Event> expanded(const Event& event);

// What audit wrote for a byte string; empty for anything else.
std::string bytes_from_json(const nlohmann::ordered_json& value);
// The same of an object's member; empty where there is none.
std::string text_at(const nlohmann::ordered_json& object, const char* key);

// An event in the table of `execseal events`: as many cells as there are titles.
Cells event_titles();
ContainerNames names_of(const Event& event);
// Its shown_name(), else the beginning of its id: what EventFilter takes for a container.
std::string container_text(const Event& event);
Cells event_cells(const Event& event);

}  // namespace execseal
