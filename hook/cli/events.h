// `execseal events`: the audit file of the settings, filtered, for a person or for jq.
#pragma once

#include <string>
#include <string_view>

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
    bool past = false;     // or this
};

// Where the events that a filter shows go.
class EventSink {
  public:
    EventSink() = default;
    EventSink(const EventSink&) = delete;
    EventSink& operator=(const EventSink&) = delete;
    EventSink(EventSink&&) = delete;
    EventSink& operator=(EventSink&&) = delete;
    virtual ~EventSink() = default;

    // A line of the file that `filter` shows.
    virtual void show(std::string_view line, const EventFilter& filter) = 0;
    // What was there has been read.
    virtual void caught_up() = 0;
};

// Reads as run_events() does; `options.format` means nothing here.
Result<int> read_events(const EventsOptions& options, EventSink& sink);

// The exit code, 1 where lines were read that are no events. With `follow` it only returns when
// something failed.
Result<int> run_events(const EventsOptions& options);

}  // namespace execseal
