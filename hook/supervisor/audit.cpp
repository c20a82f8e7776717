#include "hook/supervisor/audit.h"

#include <syslog.h>

#include <nlohmann/json.hpp>

#include "hook/os/clock.h"
#include "hook/os/log.h"

namespace execseal {
namespace {

using nlohmann::ordered_json;

const char* via_name(Via via) {
    switch (via) {
        case Via::kChild:
            return "child";
        case Via::kEntrypoint:
            return "entrypoint";
        case Via::kExec:
            return "exec";
    }
    return "child";
}

bool is_utf8(const std::string& bytes) {
    try {
        (void)ordered_json(bytes).dump();
        return true;
    } catch (const ordered_json::exception&) {
        return false;
    }
}

// JSON text of an object without its braces, to be put into a longer line.
std::string members_of(const ordered_json& object, ordered_json::error_handler_t invalid_utf8 =
                                                       ordered_json::error_handler_t::replace) {
    const std::string text = object.dump(-1, ' ', false, invalid_utf8);
    return text.substr(1, text.size() - 2);
}

// How bytes that may be any become JSON.
using BytesToJson = ordered_json (*)(const std::string&);

ordered_json bytes_as_text(const std::string& bytes) {
    return bytes;
}

void add_facts(ordered_json& line, const ExecFacts& facts, BytesToJson to_json) {
    line["uid"] = facts.uid;
    line["gid"] = facts.gid;
    line["exe"] = to_json(facts.views.front().exe);
    auto& argv = line["argv"] = ordered_json::array();
    for (const auto& argument : facts.views.front().argv) {
        argv.push_back(to_json(argument));
    }
    if (facts.views.size() > 1) {
        auto& through = line["through"] = ordered_json::array();
        for (std::size_t i = 1; i < facts.views.size(); ++i) {
            through.push_back(to_json(facts.views[i].exe));
        }
    }
    line["requested"] = to_json(facts.requested_path);
    line["cwd"] = to_json(facts.cwd);
    line["via"] = via_name(facts.via);
}

void add_gate(ordered_json& line, const GateReport& gate, BytesToJson to_json) {
    if (!gate.freeze.empty()) {
        line["freeze"] = gate.freeze;
        line["frozen_tasks"] = gate.frozen_tasks;
        line["frozen_us"] =
            std::chrono::duration_cast<std::chrono::microseconds>(gate.frozen_for).count();
    }
    if (gate.raced) {
        line["raced"] = true;
    }
    if (gate.race_detected) {
        line["race_detected"] = {{"field", gate.race_field},
                                 {"judged", to_json(gate.race_judged)},
                                 {"taken", to_json(gate.race_taken)}};
    }
}

ordered_json members_of_event(const ExecEvent& event, BytesToJson to_json) {
    ordered_json line;
    line["host_pid"] = event.host_pid;
    line["container_pid"] = event.container_pid;
    line["ppid"] = event.ppid;
    if (event.facts) {
        add_facts(line, *event.facts, to_json);
    } else if (!event.requested.empty()) {
        line["requested"] = to_json(event.requested);
    }
    line["verdict"] = verdict_name(event.judgement.verdict);
    if (event.judgement.softened) {
        line["would_be"] = verdict_name(*event.judgement.softened);
    }
    line["rule"] = event.judgement.rule;
    line["reason"] = to_json(event.judgement.reason);
    if (!event.judgement.policy.empty()) {
        line["decided_by"] = event.judgement.policy;
    }
    line["outcome"] = outcome_name(event.outcome);
    if (event.error != 0) {
        line["errno"] = event.error;
    }
    line["latency_us"] =
        std::chrono::duration_cast<std::chrono::microseconds>(event.latency).count();
    add_gate(line, event.gate, to_json);
    return line;
}

// To ask of each string whether it is text costs as much as to write it, and nearly all are.
std::string event_text(const ExecEvent& event) {
    try {
        return members_of(members_of_event(event, bytes_as_text),
                          ordered_json::error_handler_t::strict);
    } catch (const ordered_json::exception&) {
        return members_of(members_of_event(event, bytes_to_json));
    }
}

}  // namespace

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

ordered_json bytes_to_json(const std::string& bytes) {
    if (is_utf8(bytes)) {
        return bytes;
    }
    static constexpr char kDigits[] = "0123456789abcdef";
    std::string hex;
    hex.reserve(bytes.size() * 2);
    for (const char byte : bytes) {
        const auto value = static_cast<unsigned char>(byte);
        hex += kDigits[value >> 4U];
        hex += kDigits[value & 15U];
    }
    return {{"hex", hex}};
}

Result<AuditLog> AuditLog::open(const AuditSettings& settings, const Plan& plan) {
    const ordered_json members{
        {"container", {{"id", plan.container_id}, {"name", plan.container_name}}},
        {"policy", plan.policy.name},
        {"annotations", plan.annotations}};
    AuditLog log(settings, members_of(members));
    if (!settings.file.empty()) {
        auto file = AppendFile::open(settings.file);
        if (!file) {
            return add_context("audit", file.error());
        }
        log.file_ = std::move(*file);
    }
    if (settings.syslog) {
        ::openlog("execseal", LOG_PID | LOG_NDELAY, LOG_AUTHPRIV);
    }
    return log;
}

void AuditLog::write_line(const std::string& line) noexcept {
    if (!settings_.file.empty()) {
        if (auto written = file_.append(line); !written) {
            log_error("audit: " + written.error().text());
        }
    }
    if (settings_.syslog) {
        ::syslog(LOG_NOTICE, "%.*s", static_cast<int>(line.size() - 1), line.c_str());
    }
}

void AuditLog::exec(const ExecEvent& event) noexcept {
    try {
        write_line("{\"time\":\"" + utc_now_text() + "\",\"event\":\"exec\"," + container_members_ +
                   "," + event_text(event) + "}\n");
    } catch (const std::exception& failure) {
        log_error(std::string("audit: an event could not be written: ") + failure.what());
    }
}

void AuditLog::note(const char* what, const ordered_json& details) noexcept {
    try {
        std::string line =
            "{\"time\":\"" + utc_now_text() + "\",\"event\":\"" + what + "\"," + container_members_;
        if (details.is_object() && !details.empty()) {
            line += "," + members_of(details);
        }
        write_line(line + "}\n");
    } catch (const std::exception& failure) {
        log_error(std::string("audit: a note could not be written: ") + failure.what());
    }
}

}  // namespace execseal
