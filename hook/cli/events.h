// `execseal events`: the audit file of the settings, filtered, for a person or for jq.
#pragma once

#include <string>

#include "hook/cli/event_filter.h"
#include "hook/os/result.h"

namespace execseal {

struct EventsOptions {
    std::string settings;  // path of the settings file
    std::string file;      // instead of the settings' audit file
    EventQuery query;
    Format format = Format::kTable;
    std::size_t last = 0;  // only so many at first, found from the end; 0: all
    bool follow = false;   // what is there already is shown where `last` or `since` ask for it
};

// The exit code, 1 where lines were read that are no events. With `follow` it only returns when
// something failed.
Result<int> run_events(const EventsOptions& options);

}  // namespace execseal
