// Audit: one JSON line a decision, to a file, to syslog, or both; the last stage of every exec.
//
// Takes what was asked, judged and seen; gives a line that loses nothing: strings that are UTF-8
// stand as they are, others as
// {"hex": "..."}. Never blocks an exec: it is called once the caller has its answer. A line is one
// write(2) to a descriptor in append mode, so that lines of several supervisors never mix; a
// rotated file is reopened (its inode is compared).
#pragma once

#include <sys/types.h>

#include <chrono>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "config/exec_facts.h"
#include "config/plan.h"
#include "config/settings.h"
#include "hook/gate/judge.h"
#include "hook/os/byte_io.h"
#include "hook/os/result.h"

namespace execseal {

// What became of the exec after the verdict.
enum class Outcome {
    kRefused,   // answered with an errno
    kKilled,    // the caller was killed, by verdict or because the verification found a difference
    kExecuted,  // the new program runs
    kFailed,    // allowed, but the kernel's own execve failed (errno says how)
    kChecked,   // execveat with AT_EXECVE_CHECK: the kernel only says that it would
    kGone,      // the caller ended, or a signal made it ask anew, before anything was decided
};
const char* outcome_name(Outcome outcome);

// What the freeze and the verification did, for the reader of an event.
struct GateReport {
    bool raced = false;  // the arguments changed between the two reads, and were judged again
    bool race_detected = false;  // what the kernel took differs from what was judged
    std::string race_field;      // argv, env or exe
    std::string race_judged;     // both as short readable text
    std::string race_taken;
    std::string freeze;  // "pidns", "siblings", "off", "failed: WHY", "given-up: WHY"; empty: no
                         // freeze was needed
    std::size_t frozen_tasks = 0;
    std::size_t unfrozen_tasks = 0;  // that could not be stopped, see Unstoppable
    std::chrono::nanoseconds frozen_for{0};
};

struct ExecEvent {
    pid_t host_pid = 0;
    pid_t container_pid = 0;
    pid_t ppid = 0;
    std::optional<ExecFacts> facts;  // absent when not all of it could be read or resolved
    std::string requested;  // the path asked for, where that much is known but `facts` is absent
    Judgement judgement;
    Outcome outcome = Outcome::kRefused;
    int error = 0;                        // of kRefused and kFailed, positive
    std::chrono::nanoseconds latency{0};  // from the notification's receipt to the answer
    GateReport gate;
};

class AuditLog {
  public:
    // Opens what `settings` names; its directory is made (0750), the file is 0640.
    static Result<AuditLog> open(const AuditSettings& settings, const Plan& plan);

    void exec(const ExecEvent& event) noexcept;
    // A line about the container as a whole: "start", "end", "error", ... with `details` merged in
    // (an object).
    void note(const char* what, const nlohmann::ordered_json& details) noexcept;

  private:
    AuditLog(AuditSettings settings, std::string container_members)
        : settings_(std::move(settings)), container_members_(std::move(container_members)) {}

    // A line's first part: its time, what it tells of, and the container's members.
    [[nodiscard]] std::string opening(const char* what) const;
    void write_line(const std::string& line) noexcept;

    AuditSettings settings_;
    std::string
        container_members_;  // `"container":{...},"policy":...,` as text: the same in every line
    AppendFile file_;
};

}  // namespace execseal
