// recordings: the execs of audit files, one after the other.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "hook/cli/recorded_exec.h"
#include "hook/os/result.h"

namespace execseal {

struct RecordingQuery {
    std::string settings;                   // path of the settings file
    std::vector<std::string> files;         // "-" is stdin; empty: the settings' audit file
    std::vector<std::string> containers{};  // as for `execseal events`
    std::string since{};
};

struct RecordingCounts {
    std::uint64_t execs = 0;
    std::uint64_t foreign = 0;    // lines that are no events
    std::uint64_t summed_up = 0;  // execs that summaries count; their examples are among `execs`
};

using OnRecordedExec = std::function<void(RecordedExec&& exec)>;

// Each exec of the files that the query asks for, in their order. An Error names the file. Blocks
// as long as a file has no end (a pipe).
Result<RecordingCounts> read_recordings(const RecordingQuery& query, const OnRecordedExec& on_exec);

// The same for many events of few kinds, which are parsed once each: `group` is the same for execs
// that differ in nothing but their time, id, processes and what they took. 0: not remembered, there
// are too many kinds. `exec` is good for the call.
using OnGroupedExec = std::function<void(const RecordedExec& exec, std::size_t group)>;
// Where `on_batch` is given, execs without a group come by it, many at once, so that they can be
// looked at in parallel; all still come in their order.
using OnExecBatch = std::function<void(std::span<const RecordedExec* const> execs)>;
Result<RecordingCounts> read_grouped(const RecordingQuery& query, const OnGroupedExec& on_exec,
                                     const OnExecBatch& on_batch = nullptr);

// The audit file of the settings; an Error where they name none.
Result<std::string> settings_audit_file(const std::string& settings);

}  // namespace execseal
