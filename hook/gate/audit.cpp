#include "hook/gate/audit.h"

#include <syslog.h>

#include <nlohmann/json.hpp>

#include "config/condition_facts.h"
#include "hook/gate/json_line.h"
#include "hook/os/clock.h"
#include "hook/os/log.h"

namespace execseal {
namespace {

using nlohmann::ordered_json;

// JSON text of an object without its braces, to be put into a longer line.
std::string members_of(const ordered_json& object) {
    const std::string text = object.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
    return text.substr(1, text.size() - 2);
}

void add_facts(JsonLine& line, const ExecFacts& facts) {
    line.number("uid", facts.uid);
    line.number("gid", facts.gid);
    line.bytes("exe", facts.views.front().exe);
    line.open_array("argv");
    for (const auto& argument : facts.views.front().argv) {
        line.bytes_item(argument);
    }
    line.close_array();
    if (!facts.views.front().names.empty()) {
        line.open_array("names");
        for (const auto& name : facts.views.front().names) {
            line.bytes_item(name);
        }
        line.close_array();
    }
    if (facts.views.size() > 1) {
        line.open_array("through");
        for (std::size_t i = 1; i < facts.views.size(); ++i) {
            line.bytes_item(facts.views[i].exe);
        }
        line.close_array();
    }
    line.bytes("requested", facts.requested_path);
    line.bytes("cwd", facts.cwd);
    line.text("via", via_name(facts.via));
}

void add_gate(JsonLine& line, const GateReport& gate) {
    if (!gate.freeze.empty()) {
        line.text("freeze", gate.freeze);
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
        line.bytes("judged", gate.race_judged);
        line.bytes("taken", gate.race_taken);
        line.close_object();
    }
}

void add_event(JsonLine& line, const ExecEvent& event) {
    line.number("host_pid", event.host_pid);
    line.number("container_pid", event.container_pid);
    line.number("ppid", event.ppid);
    if (event.facts) {
        add_facts(line, *event.facts);
    } else if (!event.requested.empty()) {
        line.bytes("requested", event.requested);
    }
    line.text("verdict", verdict_name(event.judgement.verdict));
    if (event.judgement.softened) {
        line.text("would_be", verdict_name(*event.judgement.softened));
    }
    line.text("rule", event.judgement.rule);
    line.bytes("reason", event.judgement.reason);
    if (!event.judgement.policy.empty()) {
        line.text("decided_by", event.judgement.policy);
    }
    line.text("outcome", outcome_name(event.outcome));
    if (event.error != 0) {
        line.number("errno", event.error);
    }
    line.number("latency_us",
                std::chrono::duration_cast<std::chrono::microseconds>(event.latency).count());
    add_gate(line, event.gate);
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

Result<AuditLog> AuditLog::open(const AuditSettings& settings, const Plan& plan) {
    ordered_json container{{"id", plan.container_id}, {"name", plan.container_name}};
    if (!plan.pod.empty()) {
        container["pod"] = plan.pod;
    }
    const ordered_json members{{"container", std::move(container)},
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

std::string AuditLog::opening(const char* what) const {
    return "{\"time\":\"" + utc_now_text() + "\",\"event\":\"" + what + "\"," + container_members_;
}

void AuditLog::exec(const ExecEvent& event) noexcept {
    try {
        JsonLine line(opening("exec"));
        add_event(line, event);
        write_line(std::move(line).end());
    } catch (const std::exception& failure) {
        log_error(std::string("audit: an event could not be written: ") + failure.what());
    }
}

void AuditLog::note(const char* what, const ordered_json& details) noexcept {
    try {
        std::string line = opening(what);
        if (details.is_object() && !details.empty()) {
            line += "," + members_of(details);
        }
        write_line(line + "}\n");
    } catch (const std::exception& failure) {
        log_error(std::string("audit: a note could not be written: ") + failure.what());
    }
}

}  // namespace execseal
