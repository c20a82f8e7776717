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
    std::size_t last = 0;  // only so many at first; 0: all
    bool follow = false;
};

// The exit code. With `follow` it only returns when something failed.
Result<int> run_events(const EventsOptions& options);

}  // namespace execseal
