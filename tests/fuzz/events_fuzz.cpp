// Lines of an audit file, as its readers take them.
#include <nlohmann/json.hpp>

#include "config/json_document.h"
#include "hook/cli/event.h"
#include "hook/cli/event_skim.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace execseal;
    const std::string_view line = fuzz::text_of(data, size);
    const auto parsed = parse_event(line);
    Event skimmed;
    // Who skims does not look at what it skips.
    if (skim_event(line, skimmed) && parse_json(line, "input").has_value()) {
        fuzz::require(parsed.has_value(), "what can be skimmed is an event");
        for (auto member : {&Event::time, &Event::kind, &Event::container_id,
                            &Event::container_name, &Event::pod, &Event::policy, &Event::exe,
                            &Event::via, &Event::verdict, &Event::rule, &Event::outcome}) {
            fuzz::require(skimmed.*member == (*parsed).*member, "and says the same");
        }
    }
    if (parsed) {
        for (const Event& event : expanded(*parsed)) {
            fuzz::require(event_cells(event).size() == event_titles().size(), "a cell a title");
        }
    }
    return 0;
}
