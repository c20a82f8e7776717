// RecordedExec: an exec as one line of the audit file tells it, made ready to be judged again.
//
// Takes a line, gives the facts that the judge takes and what of them the line does not have: a
// shortened event, a secret that was replaced, variables that nobody looked at. Made for a million
// lines: one pass over the text, no tree of values. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/exec_facts.h"
#include "config/policy.h"

namespace execseal {

struct RecordedExec {
    std::string time;  // RFC 3339
    std::string id;    // of the event; empty in old ones
    std::string container_id;
    std::string container_name;
    std::string pod;  // NAMESPACE/NAME, or empty
    std::string policy;
    std::string policy_sha256;
    std::string verdict;
    std::string would_be;
    std::string rule;
    std::string decided_by;
    std::string reason;
    std::string outcome;
    std::string requested;
    int error = 0;
    bool race_detected = false;

    // Absent where the event has none: the exec could not be read, or its target does not exist.
    std::optional<ExecFacts> facts;
    bool arguments_cut = false;       // argv is only the beginning of what it was
    bool programs_unknown = false;    // of views[1] and on only exe is known
    bool names_cut = false;           // of names or cwd_names only the first are there
    bool environment_cut = false;     // of the variables in env_of only the first are there
    bool lineage_missing = true;      // facts->lineage is not what it was,
    bool lineage_cut = false;         // or it is only its beginning
    bool redacted = false;            // secrets were replaced by marks
    std::vector<std::string> env_of;  // globs over the names of the variables that were recorded
};

// Execs that a summary counts without telling them one by one.
struct SummedUp {
    std::uint64_t execs = 0;
    std::vector<RecordedExec> examples;  // one of each kind, where the summary has it
};

enum class LineKind { kExec, kSummary, kOther, kForeign };

struct RecordedLine {
    LineKind kind = LineKind::kForeign;  // kForeign: no event at all
    RecordedExec exec;
    SummedUp summary;
};

RecordedLine read_recorded_line(std::string_view line);

// The parts of a text with marks of secrets in it (hook/gate/secrets.h): what stands before the
// first and behind the last one. nullopt: there is none.
struct AroundSecret {
    std::string_view before;
    std::string_view after;
};
std::optional<AroundSecret> around_secret(std::string_view text);

// Whether the exec was run: not refused, killed or gone.
bool was_run(const RecordedExec& exec);

}  // namespace execseal
