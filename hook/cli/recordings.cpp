#include "hook/cli/recordings.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <system_error>
#include <unordered_map>

#include "config/settings.h"
#include "hook/cli/event_filter.h"
#include "hook/cli/parallel.h"
#include "hook/cli/progress.h"

namespace execseal {
namespace {

// What follows `member` ("\"id\":\"") up to `end`; a string in a line never has such a member in
// it, its quotes have a backslash before them.
struct Part {
    std::size_t start = std::string_view::npos;
    std::size_t size = 0;
};
Part part_of(std::string_view line, std::string_view member, char end, std::size_t from) {
    const std::size_t at = line.find(member, from);
    if (at == std::string_view::npos) {
        return {};
    }
    const std::size_t start = at + member.size();
    const std::size_t stop = std::min(line.find(end, start), line.size());
    return {start, stop - start};
}

// The execs that were seen, by their line without what says nothing about a decision.
class KnownExecs {
  public:
    struct Known {
        std::size_t group = 0;  // 0: not one of them
        RecordedExec* exec = nullptr;
    };

    // Of an exec's line as supervisors write them; others are never known.
    Known find(std::string_view line) {
        key_.clear();
        if (!pays() && ++passed_ % kSample != 0) {
            return {};
        }
        time_ = part_of(line, kTime, '"', 0);
        if (!line.starts_with(kTime) || !line.substr(time_.start + time_.size).starts_with(kExec)) {
            return {};
        }
        std::size_t at = time_.start;
        const auto next = [&](std::string_view member, char end) {
            const Part part = part_of(line, member, end, at);
            at = part.start == std::string_view::npos ? at : part.start;
            return part;
        };
        // In the order of a supervisor's line.
        const Part host = next(R"("host_pid":)", ',');
        const Part container = next(R"("container_pid":)", ',');
        const Part parent = next(R"("ppid":)", ',');
        const Part latency = next(R"("latency_us":)", ',');
        const Part frozen = next(R"("frozen_us":)", ',');
        id_ = next(R"("id":")", '"');
        std::size_t from = time_.start + time_.size;
        for (const Part& part : {host, container, parent, latency, frozen, id_}) {
            if (part.start != std::string_view::npos && part.start >= from) {
                key_.append(line, from, part.start - from);
                from = part.start + part.size;
            }
        }
        key_.append(line, from);
        const auto found = groups_.find(key_);
        if (found == groups_.end()) {
            return {};
        }
        RecordedExec& exec = execs_[found->second - 1];
        exec.time.assign(line, time_.start, time_.size);
        if (id_.start != std::string_view::npos) {
            exec.id.assign(line, id_.start, id_.size);
        }
        ++found_;
        return {found->second, &exec};
    }

    // Of the line that find() did not know. Group 0: there are too many already.
    Known remember(RecordedExec& exec) {
        if (key_.empty() || execs_.size() >= kMostKinds || bytes_ >= kMostBytes || !pays()) {
            return {0, &exec};
        }
        bytes_ += key_.size() * 3;
        execs_.push_back(std::move(exec));
        groups_.emplace(key_, execs_.size());
        return {execs_.size(), &execs_.back()};
    }

    // Whether most of what is remembered was asked for again.
    [[nodiscard]] bool pays() const { return execs_.size() < kTrial || found_ * 2 > execs_.size(); }

  private:
    static constexpr std::size_t kTrial = 1024;
    static constexpr std::size_t kSample = 32;  // lines of which one is looked up all the same
    static constexpr std::string_view kTime = R"({"time":")";
    static constexpr std::string_view kExec = R"(","event":"exec",)";
    static constexpr std::size_t kMostKinds = 50'000;
    static constexpr std::size_t kMostBytes = std::size_t{256} << 20U;

    std::string key_;
    Part time_;
    Part id_;
    std::unordered_map<std::string, std::size_t> groups_;
    std::vector<RecordedExec> execs_;
    std::size_t bytes_ = 0;
    std::size_t found_ = 0;
    std::size_t passed_ = 0;
};

class RecordingReader {
  public:
    RecordingReader(EventFilter filter, bool all, const OnRecordedExec& on_exec,
                    const OnGroupedExec& on_grouped, const OnExecBatch& on_batch)
        : filter_(std::move(filter)),
          all_(all),
          on_exec_(on_exec),
          on_grouped_(on_grouped),
          on_batch_(on_batch) {}

    void take(const std::vector<std::string_view>& lines) {
        // Where most lines were seen before, reading the others is little work.
        if (lines.size() > 1 && (!on_grouped_ || !known_.pays())) {
            read_.resize(lines.size());
            in_parallel(lines.size(),
                        [&](std::size_t i) { read_[i] = read_recorded_line(lines[i]); });
            for (std::size_t i = 0; i < lines.size(); ++i) {
                if (!take_known(lines[i])) {
                    take_read(read_[i]);
                }
            }
        } else {
            for (const std::string_view line : lines) {
                if (!take_known(line)) {
                    RecordedLine read = read_recorded_line(line);
                    take_read(read);
                    tell_batch();
                }
            }
        }
        tell_batch();
    }

    RecordingCounts counts;

  private:
    bool take_known(std::string_view line) {
        if (!on_grouped_) {
            return false;
        }
        const auto known = known_.find(line);
        if (known.group == 0) {
            return false;
        }
        tell_grouped(*known.exec, known.group);
        return true;
    }

    // What is told in batches stays where it is until tell_batch().
    void take_read(RecordedLine& read) {
        switch (read.kind) {
            case LineKind::kExec:
                tell_first(read.exec);
                break;
            case LineKind::kSummary:
                counts.summed_up += read.summary.execs;
                for (RecordedExec& example : read.summary.examples) {
                    tell(example);
                }
                break;
            case LineKind::kOther:
                break;
            case LineKind::kForeign:
                ++counts.foreign;
                break;
        }
    }

    [[nodiscard]] bool shows(const RecordedExec& exec) const {
        if (all_) {
            return true;
        }
        Event event;
        event.time = exec.time;
        event.container_id = exec.container_id;
        event.container_name = exec.container_name;
        event.pod = exec.pod;
        return filter_.shows(event);
    }

    // Of its kind.
    void tell_first(RecordedExec& exec) {
        const auto known = on_grouped_ ? known_.remember(exec) : KnownExecs::Known{};
        if (known.group == 0) {
            tell(exec);
        } else {
            tell_grouped(*known.exec, known.group);
        }
    }

    void tell_grouped(const RecordedExec& exec, std::size_t group) {
        if (shows(exec)) {
            tell_batch();
            ++counts.execs;
            on_grouped_(exec, group);
        }
    }

    void tell(RecordedExec& exec) {
        if (!shows(exec)) {
            return;
        }
        ++counts.execs;
        if (on_batch_) {
            batch_.push_back(&exec);
        } else if (on_grouped_) {
            on_grouped_(exec, 0);
        } else {
            on_exec_(std::move(exec));
        }
    }

    void tell_batch() {
        if (!batch_.empty()) {
            on_batch_(batch_);
            batch_.clear();
        }
    }

    EventFilter filter_;
    bool all_;
    const OnRecordedExec& on_exec_;
    const OnGroupedExec& on_grouped_;
    const OnExecBatch& on_batch_;
    KnownExecs known_;
    std::vector<RecordedLine> read_;
    std::vector<const RecordedExec*> batch_;  // to be told, in this order
};

// A last line without its newline is a line, too: the writer may have died in it.
Result<> read_stream(std::istream& stream, std::uint64_t size, const std::string& name,
                     RecordingReader& reader) {
    Progress progress("reading " + name);
    static constexpr std::size_t kChunk = std::size_t{1} << 19U;
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
        std::vector<std::string_view> lines;
        for (auto end = pending.find('\n', searched); end != std::string::npos;
             end = pending.find('\n', start)) {
            lines.push_back(std::string_view(pending).substr(start, end - start));
            start = end + 1;
        }
        reader.take(lines);
        pending.erase(0, start);
        progress.at(done, size, reader.counts.execs);
    }
    if (stream.bad()) {
        return make_error(name + ": reading it failed");
    }
    if (!pending.empty()) {
        reader.take({pending});
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

namespace {

Result<RecordingCounts> read_all(const RecordingQuery& query, const OnRecordedExec& on_exec,
                                 const OnGroupedExec& on_grouped, const OnExecBatch& on_batch) {
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
                           on_exec, on_grouped, on_batch);
    for (const std::string& file : files) {
        if (auto read = read_one(file, reader); !read) {
            return read.error();
        }
    }
    return reader.counts;
}

}  // namespace

Result<RecordingCounts> read_recordings(const RecordingQuery& query,
                                        const OnRecordedExec& on_exec) {
    return read_all(query, on_exec, nullptr, nullptr);
}

Result<RecordingCounts> read_grouped(const RecordingQuery& query, const OnGroupedExec& on_exec,
                                     const OnExecBatch& on_batch) {
    return read_all(query, nullptr, on_exec, on_batch);
}

}  // namespace execseal
