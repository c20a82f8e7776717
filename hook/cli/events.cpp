#include "hook/cli/events.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <deque>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "config/settings.h"
#include "hook/cli/event_skim.h"
#include "hook/cli/progress.h"
#include "hook/os/executable.h"
#include "hook/os/file_follow.h"
#include "hook/os/visible.h"

namespace execseal {
namespace {

// Bytes as they are in the file to whole lines; the rest is kept for later. No line is too long: an
// exec must not hide behind its own size.
class Lines {
  public:
    template <typename OnLine>
    void take(const std::string& bytes, const OnLine& on_line) {
        std::size_t start = 0;
        const std::size_t searched = pending_.size();  // it has no newline
        pending_ += bytes;
        for (auto end = pending_.find('\n', searched); end != std::string::npos;
             end = pending_.find('\n', start)) {
            on_line(std::string_view(pending_).substr(start, end - start));
            start = end + 1;
        }
        pending_.erase(0, start);
    }

  private:
    std::string pending_;
};

class Selection {
  public:
    explicit Selection(const EventFilter& filter) : filter_(filter) {}

    // The event of a line that is to be shown, until the next call.
    const Event* take(std::string_view line) {
        if (line.empty()) {
            return nullptr;  // of two writers that ended a torn line
        }
        if (skim_event(line, skimmed_)) {
            return filter_.shows(skimmed_) ? &skimmed_ : nullptr;
        }
        parsed_ = parse_event(line);
        if (!parsed_) {
            ++foreign_;
            return nullptr;
        }
        const auto events = expanded(*parsed_);
        const bool shown = std::any_of(events.begin(), events.end(),
                                       [&](const Event& one) { return filter_.shows(one); });
        return shown ? &*parsed_ : nullptr;
    }

    // Lines that are no events.
    [[nodiscard]] std::size_t foreign() const { return foreign_; }

  private:
    const EventFilter& filter_;
    Event skimmed_;
    std::optional<Event> parsed_;
    std::size_t foreign_ = 0;
};

class EventPrinter : public EventSink {
  public:
    explicit EventPrinter(Format format) : format_(format) {}

    void show(std::string_view line, const EventFilter& filter) override {
        if (format_ == Format::kJson) {
            print(visible_json(std::string(line)) + "\n");
        } else if (const auto event = parse_event(line)) {
            for (const Event& one : expanded(*event)) {
                if (filter.shows(one)) {
                    print(fitted(table_.add(event_cells(one)), terminal_width()));
                }
            }
        }
    }

    // What was there has been read: from here on nothing is held back.
    void caught_up() override {
        if (format_ == Format::kTable) {
            print(fitted(table_.settle(), terminal_width()));
        }
        (void)std::fflush(stdout);
    }

  private:
    static void print(const std::string& text) {
        (void)std::fwrite(text.data(), 1, text.size(), stdout);
    }

    Format format_;
    StreamedTable table_{event_titles()};
};

Result<std::string> audit_file(const EventsOptions& options) {
    if (!options.file.empty()) {
        return options.file;
    }
    const auto settings = load_settings(options.settings);
    if (!settings) {
        return settings.error();
    }
    if (settings->audit.file.empty()) {
        return make_error(settings->path +
                          ": /audit/file: events go to syslog only (journalctl -t execseal)");
    }
    return settings->audit.file;
}

template <typename OnLine>
Result<> read_to_the_end(FileFollow& file, Lines& lines, const OnLine& on_line) {
    for (;;) {
        const auto bytes = file.read_some();
        if (!bytes) {
            return bytes.error();
        }
        if (bytes->empty()) {
            return Ok{};
        }
        lines.take(*bytes, on_line);
    }
}

Result<FileFollow> open_audit(const std::string& path) {
    auto file = FileFollow::open(path);
    if (file) {
        return file;
    }
    return file.error().code == ENOENT
               ? make_error(path + ": its directory is not there: no container was supervised yet")
               : add_context(path, file.error());
}

// Which containers of the file the words mean that a person gave.
Result<> find_containers(const std::string& path, EventFilter& filter) {
    if (!filter.names_containers()) {
        return Ok{};
    }
    auto file = open_audit(path);
    if (!file) {
        return file.error();
    }
    Selection selection(filter);
    Lines lines;
    std::map<std::string, ContainerNames> seen;
    auto read = read_to_the_end(*file, lines, [&](std::string_view line) {
        if (const Event* const event = selection.take(line)) {
            seen.try_emplace(event->container_id, names_of(*event));
        }
    });
    if (!read) {
        return read;
    }
    std::vector<ContainerNames> containers;
    for (auto& [id, names] : seen) {
        containers.push_back(std::move(names));
    }
    return filter.mean_among(containers);
}

// What stands in the file before there is anything to follow.
Result<> show_past(const EventsOptions& options, FileFollow& file, Lines& lines,
                   const EventFilter& filter, Selection& selection, EventSink& sink) {
    const auto show = [&](std::string_view line) {
        if (selection.take(line) != nullptr) {
            sink.show(line, filter);
        }
    };
    if (options.last == 0 && (!options.follow || options.past || !options.query.since.empty())) {
        return read_to_the_end(file, lines, show);
    }
    std::deque<std::string> last;
    auto read = file.read_backwards([&](std::string_view line) {
        if (options.last > 0 && selection.take(line) != nullptr) {
            last.emplace_front(line);
        }
        return last.size() < options.last;
    });
    for (const std::string& line : last) {
        sink.show(line, filter);
    }
    return read;
}

Result<> show_events(const EventsOptions& options, FileFollow& file, const EventFilter& filter,
                     Selection& selection, EventSink& sink) {
    Lines lines;
    if (auto shown = show_past(options, file, lines, filter, selection, sink); !shown) {
        return shown;
    }
    sink.caught_up();
    while (options.follow) {
        auto read = read_to_the_end(file, lines, [&](std::string_view line) {
            if (selection.take(line) != nullptr) {
                sink.show(line, filter);
            }
        });
        sink.caught_up();
        if (!read) {
            return read;
        }
        if (auto waited = file.wait(); !waited) {
            return waited;
        }
    }
    return Ok{};
}

}  // namespace

Result<int> run_events(const EventsOptions& options) {
    EventPrinter printer(options.format);
    return read_events(options, printer);
}

Result<int> read_events(const EventsOptions& options, EventSink& sink) {
    auto filter = EventFilter::compile(options.query, std::chrono::system_clock::now());
    if (!filter) {
        return filter.error();
    }
    const auto path = audit_file(options);
    if (!path) {
        return path.error();
    }
    if (const auto there = real_path(*path); !options.follow && !there) {
        return there.error().code == ENOENT
                   ? make_error(*path + ": no such file: no container was supervised yet (or it " +
                                "was rotated away; --file names another)")
                   : there.error();
    }
    auto file = open_audit(*path);
    if (!file) {
        return file.error();
    }
    if (auto found = find_containers(*path, *filter); !found) {
        return found.error();
    }
    Selection selection(*filter);
    if (auto shown = show_events(options, *file, *filter, selection, sink); !shown) {
        return shown.error();
    }
    if (selection.foreign() > 0) {
        (void)std::fprintf(stderr, "execseal: %s: %zu lines are no events\n", path->c_str(),
                           selection.foreign());
        return 1;
    }
    return 0;
}

}  // namespace execseal
