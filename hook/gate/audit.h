// Audit: one JSON line a decision, to a file, to syslog, or both; the last stage of every exec.
//
// Takes what was asked, judged and seen; gives a line: strings that are UTF-8 stand as they are,
// others as {"hex": "..."}, secrets as their length and SHA-256. A line is bounded: of the
// arguments and of the variables that decided it has the first 4 KiB, with their number, length and
// SHA-256 where that is not all. With the setting "all" and in mode learn all are kept, up to a
// line of 16 MiB: whatever a kernel takes fits in. Lines and bytes a second are bounded, too: what
// is over the rate is counted by kind and written as one line a second. What cannot be written is
// counted, and told of as soon as there is room. To syslog goes a short form of what is longer than
// a receiver takes (8,000 bytes), a summary as several; there no line is ever cut. A line is one
// write(2) to a descriptor in append mode, so that lines of several supervisors never mix; a
// rotated file is reopened (its inode is compared). Called once the caller has its answer, but for
// exec_first(). One thread.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/exec_facts.h"
#include "config/glob.h"
#include "config/plan.h"
#include "config/settings.h"
#include "hook/gate/event_rate.h"
#include "hook/gate/json_line.h"
#include "hook/gate/judge.h"
#include "hook/gate/secrets.h"
#include "hook/os/byte_io.h"
#include "hook/os/result.h"
#include "hook/os/syslog.h"

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
    std::string id;             // of its lines; empty: none was written yet
    std::string policy_sha256;  // of the policy that judged it; empty: the plan's
};

// How an event calls a view's role, and the role that a name in an event means. One that is not
// known may be any: that the view may replace the program is the strict reading.
const char* view_role_name(ViewRole role);
ViewRole view_role_named(std::string_view name);

struct EventBounds;  // how much of an exec's strings its line has

class AuditLog {
  public:
    using Clock = std::chrono::steady_clock;

    // Opens what `settings` names; its directory is made (0750), the file is 0640. `syslog`: where
    // the node's log daemon listens.
    static Result<AuditLog> open(const AuditSettings& settings, const Plan& plan,
                                 Syslog syslog = Syslog());
    // Globs over the names of the variables that the container's policies look at: an event shows
    // these. An event of mode learn shows all.
    void record_env(const std::vector<std::string>& names);
    // Whether they look at what stands above an exec.
    void record_lineage(bool shown) { shows_lineage_ = shown; }
    // How much the next events show: all, in mode learn.
    void set_mode(Mode mode);

    void exec(const ExecEvent& event) noexcept;
    // With "on_failure": "deny", before the answer that lets the exec happen: its event as far as
    // it is known, outcome "pending"; exec() writes the outcome later under the same id. The Error
    // says why it could not be written: then the exec must not happen. Otherwise does nothing.
    Result<> exec_first(ExecEvent& event) noexcept;
    [[nodiscard]] bool records_first() const {
        return settings_.on_failure == AuditSettings::OnFailure::kDeny;
    }
    // A line about the container as a whole: "start", "end", "domain" with `details` merged in
    // (an object). What was only counted until then is written before it.
    void note(const char* what, const nlohmann::ordered_json& details) noexcept;

    // When counted events are to be written, or a lost one told of; a second at most.
    [[nodiscard]] std::optional<Clock::time_point> next_deadline() const;
    void on_deadline(Clock::time_point now) noexcept;

    // Events that could not be written and never will be; summaries may tell their kinds.
    [[nodiscard]] std::uint64_t lost() const { return lost_; }
    // Events that were counted in a summary instead of being written by themselves.
    [[nodiscard]] std::uint64_t summarized() const { return summarized_; }

  private:
    AuditLog(AuditSettings settings, Secrets secrets, std::string container_members, Syslog syslog)
        : settings_(std::move(settings)),
          secrets_(std::move(secrets)),
          container_members_(std::move(container_members)),
          syslog_(std::move(syslog)),
          rate_(settings_.events_per_second) {}

    // A line's first part: its time, what it tells of, and the container's members.
    [[nodiscard]] std::string opening(const char* what) const;
    // The members of an exec's event that are its own.
    void add_exec(JsonLine& line, const ExecEvent& event, const char* outcome, EventBounds keep,
                  const std::string& id) const;
    [[nodiscard]] std::string exec_line(const ExecEvent& event, const char* outcome,
                                        EventBounds keep, const std::string& id) const;
    // What syslog gets of a line that is too long for it.
    [[nodiscard]] std::string syslog_exec(const ExecEvent& event, const char* outcome,
                                          const std::string& id, const std::string& line) const;
    [[nodiscard]] std::string syslog_note(const char* what, const nlohmann::ordered_json& details,
                                          const std::string& line) const;
    // A line for syslog of members that cannot be long.
    [[nodiscard]] std::string short_opening(const char* what) const;
    Result<> write_exec(const ExecEvent& event, const char* outcome, EventBounds keep,
                        const std::string& id, std::size_t& bytes);
    [[nodiscard]] bool shows_variable(std::string_view entry) const;
    [[nodiscard]] EventKind kind_of(const ExecEvent& event) const;
    std::string next_id();
    void count(const ExecEvent& event, const EventKind& kind, Clock::time_point now);
    void flush(Clock::time_point now);
    // Tells of lost events first, where there are any. `to_syslog`: instead of the line, there.
    Result<> write_lines(const std::string& line, std::span<const std::string> to_syslog);
    Result<> write_line(const std::string& line) { return write_lines(line, {&line, 1}); }
    Result<> append(const std::string& line, std::span<const std::string> to_syslog);
    Result<> send_to_syslog(std::span<const std::string> lines);
    void lose(const Error& error, Clock::time_point now);

    AuditSettings settings_;
    Secrets secrets_;
    std::string
        container_members_;  // `"container":{...},"policy":...,` as text: the same in every line
    std::string short_members_;  // the same, of what cannot be long
    Syslog syslog_;
    bool syslog_fails_ = false;
    std::string policy_sha256_;  // of the plan's policy
    AppendFile file_;
    bool keeps_all_ = false;
    bool shows_all_env_ = false;
    bool shows_lineage_ = false;
    std::vector<Glob> env_names_;
    std::string env_names_text_;  // as a JSON array
    std::string id_prefix_;
    std::uint64_t next_number_ = 1;

    EventRate rate_;
    EventSummary summary_;
    Clock::time_point last_flush_;
    std::uint64_t summarized_ = 0;
    std::uint64_t lost_ = 0;
    std::uint64_t untold_ = 0;  // lost, and no event has told of it yet
    std::string untold_since_;
    std::string untold_reason_;
    std::optional<Clock::time_point> retry_;
};

}  // namespace execseal
