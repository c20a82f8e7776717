#include "hook/cli/events.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <deque>

#include "config/settings.h"
#include "hook/cli/progress.h"
#include "hook/os/executable.h"
#include "hook/os/file_follow.h"
#include "hook/os/visible.h"

namespace execseal {
namespace {

class EventPrinter {
  public:
    EventPrinter(const EventsOptions& options, EventFilter filter)
        : options_(options), filter_(std::move(filter)) {}

    // Bytes as they are in the file; whole lines are shown, the rest is kept for later. No line is
    // too long: an exec must not hide behind its own size.
    void take(const std::string& bytes) {
        std::size_t start = 0;
        const std::size_t searched = pending_.size();  // it has no newline
        pending_ += bytes;
        for (auto end = pending_.find('\n', searched); end != std::string::npos;
             end = pending_.find('\n', start)) {
            take_line(std::string_view(pending_).substr(start, end - start));
            start = end + 1;
        }
        pending_.erase(0, start);
    }

    // What was there has been read: from here on nothing is held back.
    void caught_up() {
        holding_ = false;
        for (const std::string& line : held_) {
            show(line);
        }
        held_.clear();
        if (options_.format == Format::kTable) {
            print(fitted(table_.settle(), terminal_width()));
        }
        (void)std::fflush(stdout);
    }

    // Lines that are no events.
    [[nodiscard]] std::size_t foreign() const { return foreign_; }

  private:
    void take_line(std::string_view line) {
        if (line.empty()) {
            return;  // of two writers that ended a torn line
        }
        const auto event = parse_event(line);
        if (!event) {
            ++foreign_;
            return;
        }
        const auto events = expanded(*event);
        if (filter_.shows(*event) ||
            std::any_of(events.begin(), events.end(),
                        [&](const Event& one) { return filter_.shows(one); })) {
            hold_or_show(line);
        }
    }

    void hold_or_show(std::string_view line) {
        if (!holding_ || options_.last == 0) {
            show(line);
            return;
        }
        held_.emplace_back(line);
        if (held_.size() > options_.last) {
            held_.pop_front();
        }
    }

    void show(std::string_view line) {
        if (options_.format == Format::kJson) {
            print(visible_json(std::string(line)) + "\n");
        } else if (const auto event = parse_event(line)) {
            for (const Event& one : expanded(*event)) {
                if (filter_.shows(one)) {
                    print(fitted(table_.add(event_cells(one)), terminal_width()));
                }
            }
        }
    }

    static void print(const std::string& text) {
        (void)std::fwrite(text.data(), 1, text.size(), stdout);
    }

    const EventsOptions& options_;
    EventFilter filter_;
    StreamedTable table_{event_titles()};
    std::string pending_;
    std::deque<std::string> held_;
    bool holding_ = true;
    std::size_t foreign_ = 0;
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

Result<> read_to_the_end(FileFollow& file, EventPrinter& printer) {
    for (;;) {
        const auto bytes = file.read_some();
        if (!bytes) {
            return bytes.error();
        }
        if (bytes->empty()) {
            printer.caught_up();
            return Ok{};
        }
        printer.take(*bytes);
    }
}

}  // namespace

Result<int> run_events(const EventsOptions& options) {
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
    auto file = FileFollow::open(*path);
    if (!file) {
        return file.error().code == ENOENT
                   ? make_error(*path + ": its directory is not there: no container was " +
                                "supervised yet")
                   : add_context(*path, file.error());
    }
    EventPrinter printer(options, std::move(*filter));
    for (;;) {
        if (auto read = read_to_the_end(*file, printer); !read) {
            return read.error();
        }
        if (!options.follow) {
            break;
        }
        if (auto waited = file->wait(); !waited) {
            return waited.error();
        }
    }
    if (printer.foreign() > 0) {
        (void)std::fprintf(stderr, "execseal: %s: %zu lines are no events\n", path->c_str(),
                           printer.foreign());
        return 1;
    }
    return 0;
}

}  // namespace execseal
