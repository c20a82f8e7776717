#include "hook/cli/recordings.h"

#include <filesystem>
#include <fstream>
#include <iostream>

#include "config/settings.h"
#include "hook/cli/event_filter.h"
#include "hook/cli/progress.h"

namespace execseal {
namespace {

class RecordingReader {
  public:
    RecordingReader(EventFilter filter, bool all, const OnRecordedExec& on_exec)
        : filter_(std::move(filter)), all_(all), on_exec_(on_exec) {}

    void take(std::string_view line) {
        RecordedLine read = read_recorded_line(line);
        switch (read.kind) {
            case LineKind::kExec:
                tell(std::move(read.exec));
                break;
            case LineKind::kSummary:
                counts.summed_up += read.summary.execs;
                for (RecordedExec& example : read.summary.examples) {
                    tell(std::move(example));
                }
                break;
            case LineKind::kOther:
                break;
            case LineKind::kForeign:
                ++counts.foreign;
                break;
        }
    }

    RecordingCounts counts;

  private:
    void tell(RecordedExec exec) {
        if (!all_) {
            Event event;
            event.time = exec.time;
            event.container_id = exec.container_id;
            event.container_name = exec.container_name;
            event.pod = exec.pod;
            if (!filter_.shows(event)) {
                return;
            }
        }
        ++counts.execs;
        on_exec_(std::move(exec));
    }

    EventFilter filter_;
    bool all_;
    const OnRecordedExec& on_exec_;
};

// A last line without its newline is a line, too: the writer may have died in it.
Result<> read_stream(std::istream& stream, std::uint64_t size, const std::string& name,
                     RecordingReader& reader) {
    Progress progress("reading " + name);
    static constexpr std::size_t kChunk = std::size_t{1} << 20U;
    std::string chunk(kChunk, '\0');
    std::string pending;
    std::uint64_t done = 0;
    while (stream) {
        stream.read(chunk.data(), static_cast<std::streamsize>(chunk.size()));
        const auto got = static_cast<std::size_t>(stream.gcount());
        done += got;
        std::size_t start = 0;
        std::size_t searched = pending.size();
        pending.append(chunk, 0, got);
        for (auto end = pending.find('\n', searched); end != std::string::npos;
             end = pending.find('\n', start)) {
            reader.take(std::string_view(pending).substr(start, end - start));
            start = end + 1;
        }
        pending.erase(0, start);
        progress.at(done, size, reader.counts.execs);
    }
    if (stream.bad()) {
        return make_error(name + ": reading it failed");
    }
    if (!pending.empty()) {
        reader.take(pending);
    }
    return Ok{};
}

Result<> read_one(const std::string& file, RecordingReader& reader) {
    if (file == "-") {
        return read_stream(std::cin, 0, "stdin", reader);
    }
    std::error_code code;
    const auto status = std::filesystem::status(file, code);
    if (!std::filesystem::exists(status)) {
        return Error{code.value(), file};
    }
    if (std::filesystem::is_directory(status)) {
        return make_error(file + ": expected a file of events, it is a directory");
    }
    std::ifstream stream(file, std::ios::binary);
    if (!stream) {
        return make_error(file + ": it cannot be opened for reading");
    }
    const std::uint64_t size =
        std::filesystem::is_regular_file(file, code) ? std::filesystem::file_size(file, code) : 0;
    return read_stream(stream, code ? 0 : size, file, reader);
}

}  // namespace

Result<std::string> settings_audit_file(const std::string& settings) {
    const auto loaded = load_settings(settings);
    if (!loaded) {
        return loaded.error();
    }
    if (loaded->audit.file.empty()) {
        return make_error(loaded->path + ": /audit/file: events go to syslog only");
    }
    return loaded->audit.file;
}

Result<RecordingCounts> read_recordings(const RecordingQuery& query,
                                        const OnRecordedExec& on_exec) {
    EventQuery wanted;
    wanted.containers = query.containers;
    wanted.since = query.since;
    auto filter = EventFilter::compile(wanted, std::chrono::system_clock::now());
    if (!filter) {
        return filter.error();
    }
    std::vector<std::string> files = query.files;
    if (files.empty()) {
        auto file = settings_audit_file(query.settings);
        if (!file) {
            return file.error();
        }
        files.push_back(std::move(*file));
    }
    RecordingReader reader(std::move(*filter), query.containers.empty() && query.since.empty(),
                           on_exec);
    for (const std::string& file : files) {
        if (auto read = read_one(file, reader); !read) {
            return read.error();
        }
    }
    return reader.counts;
}

}  // namespace execseal
