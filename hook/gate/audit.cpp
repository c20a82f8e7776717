#include "hook/gate/audit.h"

#include <unistd.h>

#include <algorithm>
#include <iterator>
#include <limits>
#include <nlohmann/json.hpp>
#include <span>
#include <utility>

#include "config/built_in_rules.h"
#include "config/condition_facts.h"
#include "config/digest.h"
#include "config/quote.h"
#include "hook/os/clock.h"
#include "hook/os/deadline.h"
#include "hook/os/log.h"
#include "hook/os/visible.h"

namespace execseal {

struct EventBounds {
    std::size_t strings;  // of each list, as they are
    std::size_t line;     // of the line up to the list's end, as it is written
};

namespace {

using nlohmann::ordered_json;

// JSON text of an object without its braces, to be put into a longer line.
std::string members_of(const ordered_json& object) {
    const std::string text = object.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
    return text.substr(1, text.size() - 2);
}

// Of a text of ours that quotes a policy or the container: a line stays bounded.
constexpr std::size_t kMostReason = 2048;
constexpr std::size_t kAnyLength = std::numeric_limits<std::size_t>::max();
// AuditSettings: arguments "all", and the mode learn. The kernel takes 6 MiB of arguments and
// environment at most, which are 15 MiB of a line where all are strings of 23 bytes in hex.
constexpr EventBounds kAll{kAnyLength, std::size_t{16} << 20U};
constexpr EventBounds kShort{4096, kAnyLength};
constexpr EventBounds kExample{512, kAnyLength};           // in a summary
constexpr std::size_t kLongRest = std::size_t{64} << 10U;  // of a line of kAll, for what follows
// rsyslog cuts a message at 8 KiB; a datagram cannot have more than some 200 KiB.
constexpr std::size_t kMostSyslog = 8000;
constexpr std::size_t kMostName = 1024;    // of a container; the author may have written it
constexpr std::size_t kMostQuoted = 4096;  // arguments that a reason is searched for
constexpr std::size_t kMostProgram = 256;  // of a program's name in a summary
constexpr std::size_t kUsualLine = 1024;
constexpr std::size_t kManyKinds = 64;  // of a summary, before names that say nothing are left out
constexpr std::chrono::seconds kRetry{1};

// The first bytes, not within a character of UTF-8.
std::string_view first_bytes(std::string_view text, std::size_t most) {
    if (text.size() <= most) {
        return text;
    }
    std::size_t end = most;
    while (end > 0 && most - end < 3 && (static_cast<unsigned char>(text[end]) & 0xc0U) == 0x80) {
        --end;
    }
    return text.substr(0, end);
}

std::string bounded(const std::string& text, std::size_t most) {
    if (text.size() <= most) {
        return text;
    }
    return std::string(first_bytes(text, most)) + "... (" + std::to_string(text.size()) +
           " bytes, sha256 " + sha256_hex(text) + ")";
}

// Of strings with a NUL behind each, as in /proc/PID/cmdline.
void add_cut(JsonLine& line, const std::string& name, std::span<const std::string> strings) {
    Sha256 digest;
    std::size_t bytes = 0;
    for (const std::string& string : strings) {
        digest.add({string.c_str(), string.size() + 1});
        bytes += string.size() + 1;
    }
    line.open_object(name);
    line.number("count", static_cast<std::int64_t>(strings.size()));
    line.number("bytes", static_cast<std::int64_t>(bytes));
    line.text("sha256", std::move(digest).hex());
    line.close_object();
}

// `shown(i)`: the string as it may stand in a log. True when one of them is not as it was.
template <class Shown>
bool add_strings(JsonLine& line, const std::string& name, std::span<const std::string> strings,
                 EventBounds keep, Shown shown) {
    std::size_t left = keep.strings;
    bool changed = false;
    bool cut = false;
    line.open_array(name);
    for (std::size_t i = 0; i < strings.size() && !cut; ++i) {
        const std::string text = shown(i);
        changed = changed || text != strings[i];
        cut = text.size() >= left;
        if (keep.line != kAnyLength) {
            cut = !line.bytes_item_within(text, keep.line);
        } else if (!cut) {
            line.bytes_item(text);
            left -= text.size() + 1;
        } else if (left > 0) {
            line.bytes_item(std::string(first_bytes(text, left)));
        }
    }
    line.close_array();
    if (cut) {
        add_cut(line, name + "_cut", strings);
    }
    return changed;
}

// What a rule that refuses may match besides: bounded as the arguments are, with NAME_cut where
// that is not all.
void add_other_names(JsonLine& line, const std::string& member, std::span<const std::string> names,
                     EventBounds keep) {
    if (!names.empty()) {
        (void)add_strings(line, member, names, keep, [&](std::size_t i) { return names[i]; });
    }
}

// What else is to be known of the program by who judges it again.
void add_names_of(JsonLine& line, const ProgramView& view, EventBounds keep) {
    add_other_names(line, "names", view.names, keep);
    if (!view.loose_link.empty()) {
        line.bytes("loose_link", view.loose_link);
    }
}

// The other programs of the exec, for who judges it again: each argv is `head` and then the last
// `rest` arguments of the program.
bool add_views(JsonLine& line, const ExecFacts& facts, EventBounds keep, const Secrets& secrets) {
    bool changed = false;
    const auto& own = facts.views.front().argv;
    line.open_array("views");
    for (std::size_t i = 1; i < facts.views.size(); ++i) {
        const ProgramView& view = facts.views[i];
        const auto ends =
            std::mismatch(own.rbegin(), own.rend(), view.argv.rbegin(), view.argv.rend());
        const auto rest = static_cast<std::size_t>(ends.first - own.rbegin());
        const std::span head(view.argv.data(), view.argv.size() - rest);
        line.open_object_item();
        line.text("role", view_role_name(view.role));
        changed = add_strings(line, "head", head, keep,
                              [&](std::size_t at) {
                                  return secrets.redact_argument(view.exe, head, at);
                              }) ||
                  changed;
        line.number("rest", static_cast<std::int64_t>(rest));
        add_names_of(line, view, keep);
        line.close_object();
    }
    line.close_array();
    return changed;
}

void add_names(JsonLine& line, const ExecFacts& facts, EventBounds keep) {
    add_names_of(line, facts.views.front(), keep);
    if (facts.views.size() > 1) {
        line.open_array("through");
        for (std::size_t i = 1; i < facts.views.size(); ++i) {
            line.bytes_item(facts.views[i].exe);
        }
        line.close_array();
    }
    line.bytes("requested", facts.requested_path);
    line.bytes("cwd", facts.cwd);
    add_other_names(line, "cwd_names", facts.cwd_names, keep);
    line.text("via", via_name(facts.via));
}

// What stands above it, the nearest first, for who judges it again: as much as fits, each with all
// of its names.
void add_lineage(JsonLine& line, const Lineage& lineage, EventBounds keep) {
    constexpr std::size_t kMost = std::size_t{16} << 10U;
    std::size_t left = std::min(keep.strings, kMost);
    line.number("depth", lineage.depth);
    line.open_array("above");
    const LineageNode* node = lineage.nearest.get();
    for (; node != nullptr; node = node->above.get()) {
        const ExecutedProgram& program = *node->program;
        std::size_t needed = program.exe.size() + 1;
        for (const std::string& name : program.names) {
            needed += name.size() + 1;
        }
        if (needed > left) {
            break;
        }
        left -= needed;
        line.open_object_item();
        line.bytes("exe", program.exe);
        if (!program.names.empty()) {
            line.open_array("names");
            for (const std::string& name : program.names) {
                line.bytes_item(name);
            }
            line.close_array();
        }
        if (!program.proved) {
            line.flag("unproved");
        }
        line.close_object();
    }
    line.close_array();
    if (node != nullptr) {
        line.open_object("above_cut");
        line.number("count", static_cast<std::int64_t>(lineage.nearest->length));
        line.close_object();
    }
    if (!lineage.whole) {
        line.flag("above_unknown");
    }
}

// Where a reason quotes so, in the part that is shown. Each quote in it is looked at once: a search
// through all of a long reason for each argument would be work without a bound.
std::size_t shown_quote(std::string_view reason, std::string_view quote) {
    for (std::size_t at = reason.find('"'); at < kMostReason; at = reason.find('"', at + 1)) {
        if (reason.substr(at).starts_with(quote)) {
            return at;
        }
    }
    return std::string_view::npos;
}

// A reason quotes whole arguments.
std::string shown_reason(const ExecEvent& event, const Secrets& secrets) {
    std::string reason = event.judgement.reason;
    if (!event.facts || reason.find('"') == std::string::npos) {
        return bounded(reason, kMostReason);
    }
    const ProgramView& program = event.facts->views.front();
    for (std::size_t i = 0; i < program.argv.size() && i < kMostQuoted; ++i) {
        const std::string quote = execseal::quoted(program.argv[i]);
        const std::size_t at =
            program.argv[i].empty() ? std::string::npos : shown_quote(reason, quote);
        if (at != std::string::npos) {
            const std::string shown = secrets.redact_argument(program.exe, program.argv, i);
            if (shown != program.argv[i]) {
                reason.replace(at, quote.size(), execseal::quoted(shown));
            }
        }
    }
    return bounded(reason, kMostReason);
}

// A value of a race: "argv[2]" or "env[7]"; what stood before an argument is known from the
// judged ones.
std::string shown_value(const ExecEvent& event, const std::string& value, const Secrets& secrets) {
    std::string shown;
    if (event.gate.race_field.starts_with("env")) {
        shown = secrets.redact_variable(value);
    } else if (event.gate.race_field.starts_with("argv") && event.facts) {
        const ProgramView& program = event.facts->views.front();
        const auto judged =
            std::find(program.argv.begin(), program.argv.end(), event.gate.race_judged);
        std::vector<std::string> pair{judged == program.argv.begin() || judged == program.argv.end()
                                          ? std::string()
                                          : *std::prev(judged),
                                      value};
        shown = secrets.redact_argument(program.exe, pair, 1);
    } else {
        shown = secrets.redact_text(value);
    }
    return bounded(shown, kMostReason);
}

void add_gate(JsonLine& line, const ExecEvent& event, const Secrets& secrets) {
    const GateReport& gate = event.gate;
    if (!gate.freeze.empty()) {
        line.text("freeze", bounded(gate.freeze, kMostReason));
        line.number("frozen_tasks", static_cast<std::int64_t>(gate.frozen_tasks));
        if (gate.unfrozen_tasks > 0) {
            line.number("unfrozen_tasks", static_cast<std::int64_t>(gate.unfrozen_tasks));
        }
        line.number("frozen_us",
                    std::chrono::duration_cast<std::chrono::microseconds>(gate.frozen_for).count());
    }
    if (gate.raced) {
        line.flag("raced");
    }
    if (gate.race_detected) {
        line.open_object("race_detected");
        line.text("field", gate.race_field);
        line.bytes("judged", shown_value(event, gate.race_judged, secrets));
        line.bytes("taken", shown_value(event, gate.race_taken, secrets));
        line.close_object();
    }
}

void add_judgement(JsonLine& line, const ExecEvent& event, const char* outcome,
                   const Secrets& secrets) {
    line.text("verdict", verdict_name(event.judgement.verdict));
    if (event.judgement.softened) {
        line.text("would_be", verdict_name(*event.judgement.softened));
    }
    line.text("rule", event.judgement.rule);
    line.bytes("reason", shown_reason(event, secrets));
    if (!event.judgement.policy.empty()) {
        line.text("decided_by", event.judgement.policy);
    }
    line.text("outcome", outcome);
    if (event.error != 0) {
        line.number("errno", event.error);
    }
    line.number("latency_us",
                std::chrono::duration_cast<std::chrono::microseconds>(event.latency).count());
}

// Of a line with all strings of the exec, whatever bytes they have: room, not a guess.
std::size_t largest_size(const ExecEvent& event) {
    static constexpr std::size_t kHexAndComma = sizeof(R"({"hex":""},)");
    std::size_t bytes = kLongRest;
    for (const auto* const strings : {&event.facts->views.front().argv, &event.facts->env}) {
        for (const std::string& string : *strings) {
            bytes += 2 * string.size() + kHexAndComma;
        }
    }
    return std::min(bytes, kAll.line + kLongRest);
}

// What a reader of syslog has not got.
void add_line_cut(JsonLine& least, const std::string& line) {
    least.open_object("line_cut");
    least.number("bytes", static_cast<std::int64_t>(line.size()));
    least.text("sha256", sha256_hex(line));
    least.close_object();
}

std::string summary_line(const std::string& opening, std::uint64_t events,
                         const std::string& kinds) {
    return opening + ",\"count\":" + std::to_string(events) + ",\"kinds\":[" + kinds + "]}\n";
}

// Several lines, none too long for syslog.
std::vector<std::string> summary_parts(const std::string& opening,
                                       const std::vector<EventSummary::Item>& items) {
    static constexpr std::size_t kMostItems = kMostSyslog - kMostReason;
    std::vector<std::string> parts;
    std::uint64_t events = 0;
    std::string kinds;
    for (const EventSummary::Item& item : items) {
        const std::string& text = item.text.size() <= kMostItems ? item.text : item.without_example;
        if (!kinds.empty() && kinds.size() + text.size() > kMostItems) {
            parts.push_back(summary_line(opening, std::exchange(events, 0), kinds));
            kinds.clear();
        }
        events += item.count;
        kinds += (kinds.empty() ? "" : ",") + text;
    }
    parts.push_back(summary_line(opening, events, kinds));
    return parts;
}

}  // namespace

const char* view_role_name(ViewRole role) {
    switch (role) {
        case ViewRole::kProgram:
            return "program";
        case ViewRole::kInterpreter:
            return "interpreter";
        case ViewRole::kLoader:
            return "loader";
        case ViewRole::kMultiCall:
            return "multi-call";
        case ViewRole::kPossible:
            return "possible";
        case ViewRole::kElfInterpreter:
            return "elf-interpreter";
    }
    return "program";
}

ViewRole view_role_named(std::string_view name) {
    for (const ViewRole role : {ViewRole::kProgram, ViewRole::kInterpreter, ViewRole::kLoader,
                                ViewRole::kMultiCall, ViewRole::kElfInterpreter}) {
        if (name == view_role_name(role)) {
            return role;
        }
    }
    return ViewRole::kPossible;
}

const char* outcome_name(Outcome outcome) {
    switch (outcome) {
        case Outcome::kRefused:
            return "refused";
        case Outcome::kKilled:
            return "killed";
        case Outcome::kExecuted:
            return "executed";
        case Outcome::kFailed:
            return "failed";
        case Outcome::kChecked:
            return "checked";
        case Outcome::kGone:
            return "gone";
    }
    return "refused";
}

Result<AuditLog> AuditLog::open(const AuditSettings& settings, const Plan& plan, Syslog syslog) {
    ordered_json container{{"id", plan.container_id},
                           {"name", bounded(plan.container_name, kMostName)}};
    if (!plan.pod.empty()) {
        container["pod"] = bounded(plan.pod, kMostName);
    }
    if ((!plan.pod.empty() || !plan.container_name.empty()) &&
        !names_are_vouched_for(plan.container_id, plan.bundle)) {
        container["claimed"] = true;
    }
    const ordered_json members{{"container", std::move(container)},
                               {"policy", plan.policy.name},
                               {"annotations", plan.annotations}};
    auto secrets = Secrets::compile(settings.secrets);
    if (!secrets) {
        return add_context("audit: secrets", secrets.error());
    }
    AuditLog log(settings, std::move(*secrets), visible_json(members_of(members)),
                 std::move(syslog));
    log.short_members_ =
        visible_json(members_of({{"container", {{"id", bounded(plan.container_id, kMostProgram)}}},
                                 {"policy", plan.policy.name}}));
    log.set_mode(plan.mode);
    log.policy_sha256_ = plan.policy.sha256;
    static constexpr std::size_t kIdDigits = 10;
    log.id_prefix_ =
        sha256_hex(plan.container_id + " " + std::to_string(::getpid()) + " " + utc_now_text())
            .substr(0, kIdDigits) +
        "-";
    if (!settings.file.empty()) {
        auto file = AppendFile::open(settings.file);
        if (!file) {
            return add_context("audit", file.error());
        }
        log.file_ = std::move(*file);
    }
    return log;
}

void AuditLog::set_mode(Mode mode) {
    shows_all_env_ = mode == Mode::kLearn;
    keeps_all_ = mode == Mode::kLearn || settings_.keep_all;
    env_names_.clear();
    env_names_text_ = shows_all_env_ ? "[\"**\"]" : "";
}

void AuditLog::record_env(const std::vector<std::string>& names) {
    if (shows_all_env_) {
        return;
    }
    env_names_.clear();
    env_names_text_.clear();
    if (names.empty()) {
        return;
    }
    for (const std::string& name : names) {
        if (auto glob = Glob::compile(name)) {
            env_names_.push_back(std::move(*glob));
        }
    }
    env_names_text_ = visible_json(
        ordered_json(names).dump(-1, ' ', false, ordered_json::error_handler_t::replace));
}

bool AuditLog::shows_variable(std::string_view entry) const {
    const std::string_view name = entry.substr(0, entry.find('='));
    return shows_all_env_ || std::any_of(env_names_.begin(), env_names_.end(),
                                         [&](const Glob& glob) { return glob.matches(name); });
}

void AuditLog::add_exec(JsonLine& line, const ExecEvent& event, const char* outcome,
                        EventBounds keep, const std::string& id) const {
    line.number("host_pid", event.host_pid);
    line.number("container_pid", event.container_pid);
    line.number("ppid", event.ppid);
    bool changed = false;
    if (event.facts) {
        const ExecFacts& facts = *event.facts;
        const ProgramView& program = facts.views.front();
        line.number("uid", facts.uid);
        line.number("gid", facts.gid);
        line.bytes("exe", program.exe);
        changed = add_strings(line, "argv", program.argv, keep, [&](std::size_t i) {
            return secrets_.redact_argument(program.exe, program.argv, i);
        });
        add_names(line, facts, keep);
        if (shows_lineage_ || shows_all_env_) {
            add_lineage(line, facts.lineage, keep);
        }
    } else if (!event.requested.empty()) {
        line.bytes("requested", event.requested);
    }
    add_judgement(line, event, outcome, secrets_);
    add_gate(line, event, secrets_);
    if (event.facts && event.facts->views.size() > 1) {
        changed = add_views(line, *event.facts, keep, secrets_) || changed;
    }
    if (event.facts && !env_names_text_.empty()) {
        std::vector<std::string> chosen;
        if (!shows_all_env_) {
            std::copy_if(event.facts->env.begin(), event.facts->env.end(),
                         std::back_inserter(chosen),
                         [&](const std::string& entry) { return shows_variable(entry); });
        }
        const std::span<const std::string> shown(shows_all_env_ ? event.facts->env : chosen);
        line.raw("env_of", env_names_text_);
        changed = add_strings(line, "env", shown, keep,
                              [&](std::size_t i) { return secrets_.redact_variable(shown[i]); }) ||
                  changed;
    }
    if (changed) {
        line.flag("redacted");
    }
    line.text("id", id);
}

std::string AuditLog::exec_line(const ExecEvent& event, const char* outcome, EventBounds keep,
                                const std::string& id) const {
    JsonLine line(opening("exec"));
    line.expect(keep.line != kAnyLength && event.facts ? largest_size(event) : kUsualLine);
    add_exec(line, event, outcome, keep, id);
    const std::string& digest = event.policy_sha256.empty() ? policy_sha256_ : event.policy_sha256;
    if (!digest.empty()) {
        line.text("policy_sha256", digest);
    }
    return std::move(line).end();
}

std::string AuditLog::opening(const char* what) const {
    return "{\"time\":\"" + utc_now_text() + "\",\"event\":\"" + what + "\"," + container_members_;
}

std::string AuditLog::next_id() {
    return id_prefix_ + std::to_string(next_number_++);
}

EventKind AuditLog::kind_of(const ExecEvent& event) const {
    EventKind kind;
    kind.program = event.facts ? event.facts->views.front().exe : event.requested;
    if (kind.program.size() > kMostProgram) {
        kind.program = bounded(kind.program, kMostProgram);
    }
    kind.rule = event.judgement.rule;
    kind.verdict = verdict_name(event.judgement.verdict);
    kind.would_be = event.judgement.softened ? verdict_name(*event.judgement.softened) : "";
    kind.outcome = outcome_name(event.outcome);
    kind.error = event.error;
    return kind;
}

// With a file an event is not lost that syslog does not take.
Result<> AuditLog::append(const std::string& line, std::span<const std::string> to_syslog) {
    Result<> written = Ok{};
    if (line.empty()) {
        return written;
    }
    if (!settings_.file.empty()) {
        written = file_.append(line);
    }
    if (!settings_.syslog) {
        return written;
    }
    const auto sent = send_to_syslog(to_syslog);
    if (settings_.file.empty()) {
        return sent;
    }
    if (!sent && !std::exchange(syslog_fails_, true)) {
        log_warning("audit: syslog does not take events: " + sent.error().text());
    }
    syslog_fails_ = !sent;
    return written;
}

Result<> AuditLog::send_to_syslog(std::span<const std::string> lines) {
    for (const std::string& line : lines) {
        if (auto sent = syslog_.send(std::string_view(line).substr(0, line.size() - 1)); !sent) {
            return sent;
        }
    }
    return Ok{};
}

Result<> AuditLog::write_lines(const std::string& line, std::span<const std::string> to_syslog) {
    if (untold_ > 0) {
        const ordered_json told{
            {"count", untold_}, {"since", untold_since_}, {"reason", untold_reason_}};
        const std::string lost = opening("lost") + "," + members_of(told) + "}\n";
        if (auto written = append(lost, {&lost, 1}); !written) {
            return written;
        }
        log_warning("audit: " + std::to_string(untold_) + " events were lost since " +
                    untold_since_ + "; there is room again");
        untold_ = 0;
        retry_.reset();
    }
    return append(line, to_syslog);
}

Result<> AuditLog::write_exec(const ExecEvent& event, const char* outcome, EventBounds keep,
                              const std::string& id, std::size_t& bytes) {
    const std::string line = exec_line(event, outcome, keep, id);
    bytes = line.size();
    if (!settings_.syslog || line.size() <= kMostSyslog) {
        return write_line(line);
    }
    const std::string to_syslog = syslog_exec(event, outcome, id, line);
    return write_lines(line, {&to_syslog, 1});
}

std::string AuditLog::short_opening(const char* what) const {
    return "{\"time\":\"" + utc_now_text() + "\",\"event\":\"" + what + "\"," + short_members_;
}

std::string AuditLog::syslog_exec(const ExecEvent& event, const char* outcome,
                                  const std::string& id, const std::string& line) const {
    std::string example = exec_line(event, outcome, kExample, id);
    if (example.size() <= kMostSyslog) {
        return example;
    }
    // Names of some thousand bytes each, most likely.
    const EventKind kind = kind_of(event);
    JsonLine least(short_opening("exec"));
    least.number("host_pid", event.host_pid);
    least.number("container_pid", event.container_pid);
    least.bytes("exe", kind.program);
    least.text("verdict", kind.verdict);
    if (!kind.would_be.empty()) {
        least.text("would_be", kind.would_be);
    }
    least.text("rule", kind.rule);
    least.text("outcome", outcome);
    if (event.error != 0) {
        least.number("errno", event.error);
    }
    least.text("id", id);
    add_line_cut(least, line);
    return std::move(least).end();
}

std::string AuditLog::syslog_note(const char* what, const ordered_json& details,
                                  const std::string& line) const {
    JsonLine least(short_opening(what));
    for (const auto& [name, value] : details.items()) {
        const std::string text = value.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
        if (text.size() <= kMostProgram) {
            least.raw(name, visible_json(text));
        }
    }
    add_line_cut(least, line);
    return std::move(least).end();
}

void AuditLog::lose(const Error& error, Clock::time_point now) {
    ++lost_;
    if (untold_++ == 0) {
        untold_since_ = utc_now_text();
        untold_reason_ = error.text();
        log_error("audit: events are lost: " + error.text());
    }
    retry_ = now + kRetry;
}

void AuditLog::count(const ExecEvent& event, const EventKind& kind, Clock::time_point now) {
    std::string example;
    if (!summary_.knows(kind) && now - last_flush_ >= kRetry) {
        JsonLine line("{");
        add_exec(line, event, outcome_name(event.outcome), kExample, next_id());
        example = std::move(line).end();
        example = example.substr(1, example.size() - 3);  // without {, } and newline
    }
    summary_.count(kind, now, std::move(example));
    if (summary_.full()) {
        flush(now);
    }
}

void AuditLog::flush(Clock::time_point now) {
    std::uint64_t events = 0;
    const auto items = summary_.items();
    std::string kinds;
    for (const EventSummary::Item& item : items) {
        events += item.count;
        kinds += (kinds.empty() ? "" : ",") + item.text;
    }
    if (events > 0) {
        const std::string line = summary_line(opening("summary"), events, kinds);
        const auto to_syslog = !settings_.syslog || line.size() <= kMostSyslog
                                   ? std::vector<std::string>{line}
                                   : summary_parts(short_opening("summary"), items);
        if (const auto written = write_lines(line, to_syslog); !written) {
            if (summary_.full()) {
                lost_ += events;  // no room here either
                untold_ += events;
                summary_.clear();
            } else {
                summary_.put_off(now + kRetry);
            }
            return;
        }
        summarized_ += events;
        last_flush_ = now;
    }
    summary_.clear();
}

void AuditLog::exec(const ExecEvent& event) noexcept {
    try {
        const auto now = Clock::now();
        EventKind kind = kind_of(event);
        // A search along PATH, again and again: the first is told, the others are counted.
        const bool missed = event.judgement.rule == built_in_rule::kKernel;
        if (missed && !keeps_all_) {
            if (!summary_.knows(kind) && summary_.kinds() >= kManyKinds) {
                kind.program.clear();
            }
            if (summary_.knows(kind)) {
                summary_.count_known(kind);
                return;
            }
            summary_.open(kind, now);
        }
        if (!event.facts && summary_.kinds() >= kManyKinds) {
            kind.program.clear();
        }
        if (!rate_.has_room(now)) {
            count(event, kind, now);
            return;
        }
        const std::string id = event.id.empty() ? next_id() : event.id;
        std::size_t bytes = 0;
        const auto written =
            write_exec(event, outcome_name(event.outcome), keeps_all_ ? kAll : kShort, id, bytes);
        rate_.pay(bytes);
        if (!written) {
            lose(written.error(), now);
        }
    } catch (const std::exception& failure) {
        log_error(std::string("audit: an event could not be written: ") + failure.what());
    }
}

Result<> AuditLog::exec_first(ExecEvent& event) noexcept {
    if (!records_first()) {
        return Ok{};
    }
    try {
        if (event.id.empty()) {
            event.id = next_id();
        }
        // It stands before the answer in any case: over the rate a short one.
        const EventBounds keep = !rate_.has_room(Clock::now()) ? kExample
                                 : keeps_all_                  ? kAll
                                                               : kShort;
        std::size_t bytes = 0;
        const auto written = write_exec(event, "pending", keep, event.id, bytes);
        rate_.pay_long(bytes);
        return written;
    } catch (const std::exception& failure) {
        return make_error(std::string("audit: ") + failure.what());
    }
}

void AuditLog::note(const char* what, const ordered_json& details) noexcept {
    try {
        const auto now = Clock::now();
        flush(now);
        std::string line = opening(what);
        if (details.is_object() && !details.empty()) {
            line += "," + visible_json(members_of(details));
        }
        line += "}\n";
        const std::string to_syslog = !settings_.syslog || line.size() <= kMostSyslog
                                          ? line
                                          : syslog_note(what, details, line);
        if (const auto written = write_lines(line, {&to_syslog, 1}); !written) {
            lose(written.error(), now);
        }
    } catch (const std::exception& failure) {
        log_error(std::string("audit: a note could not be written: ") + failure.what());
    }
}

std::optional<AuditLog::Clock::time_point> AuditLog::next_deadline() const {
    return earliest({summary_.due(), retry_});
}

void AuditLog::on_deadline(Clock::time_point now) noexcept {
    try {
        if (summary_.due() && *summary_.due() <= now) {
            flush(now);
        }
        if (retry_ && *retry_ <= now) {
            retry_.reset();
            if (untold_ > 0 && !write_line("")) {
                retry_ = now + kRetry;
            }
        }
    } catch (const std::exception& failure) {
        log_error(std::string("audit: a summary could not be written: ") + failure.what());
    }
}

}  // namespace execseal
