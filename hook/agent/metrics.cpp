#include "hook/agent/metrics.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "config/built_in_rules.h"
#include "execseal_version.h"

namespace execseal {
namespace {

using nlohmann::json;

// 50 us is a denial that stops nobody, 100 ms an exec that a person notices.
constexpr std::array kSeconds{0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025,
                              0.005,   0.01,   0.025,   0.05,   0.1,   1.0};
constexpr std::array kTasks{1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0};

using Labels = std::vector<std::pair<std::string_view, std::string_view>>;

std::string escaped(std::string_view value) {
    std::string text;
    for (const char byte : value) {
        if (byte == '\\' || byte == '"') {
            text += '\\';
        }
        text += byte == '\n' ? std::string("\\n") : std::string(1, byte);
    }
    return text;
}

void head(std::string& text, std::string_view name, std::string_view type, std::string_view help) {
    text.append("# HELP ").append(name).append(" ").append(help).append("\n");
    text.append("# TYPE ").append(name).append(" ").append(type).append("\n");
}

void sample(std::string& text, std::string_view name, const Labels& labels,
            std::string_view value) {
    text.append(name);
    char before = '{';
    for (const auto& [key, label] : labels) {
        text += before;
        before = ',';
        text.append(key).append("=\"").append(escaped(label)).append("\"");
    }
    if (!labels.empty()) {
        text += '}';
    }
    text.append(" ").append(value).append("\n");
}

void sample(std::string& text, std::string_view name, const Labels& labels, std::uint64_t value) {
    sample(text, name, labels, std::to_string(value));
}

// Shortest text that reads back as the same number.
std::string number(double value) {
    return json(value).dump();
}

std::string text_at(const json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

double number_at(const json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_number() ? found->get<double>() : 0;
}

void by_policy(std::string& text, std::string_view name, std::string_view help,
               const std::map<std::string, std::uint64_t>& counts) {
    head(text, name, "counter", help);
    for (const auto& [policy, count] : counts) {
        sample(text, name, {{"policy", policy}}, count);
    }
}

// What a rule's verdict comes to where nothing goes wrong.
const char* usual_outcome(std::string_view verdict) {
    if (verdict == "deny") {
        return "refused";
    }
    return verdict == "kill" ? "killed" : "executed";
}

void write_containers(std::string& text, const std::vector<ContainerNow>& containers) {
    head(text, "execseal_container_info", "gauge",
         "A supervised container that runs, as execseal ps and events --container name it.");
    for (const ContainerNow& now : containers) {
        sample(text, "execseal_container_info",
               {{"container", now.name},
                {"container_id", now.id},
                {"policy", now.policy},
                {"mode", now.mode}},
               1);
    }
    head(
        text, "execseal_container_execs_total", "counter",
        "Execs of a container that runs, by verdict; kernel: what the kernel would refuse anyway.");
    for (const ContainerNow& now : containers) {
        for (const auto& [verdict, count] : now.decisions) {
            sample(text, "execseal_container_execs_total",
                   {{"container", now.name},
                    {"container_id", now.id},
                    {"policy", now.policy},
                    {"verdict", verdict}},
                   count);
        }
    }
}

void single(std::string& text, std::string_view name, std::string_view type, std::string_view help,
            std::uint64_t value) {
    head(text, name, type, help);
    sample(text, name, {}, value);
}

}  // namespace

void Histogram::observe(double value) {
    const auto bucket = std::ranges::lower_bound(bounds_, value) - bounds_.begin();
    if (static_cast<std::size_t>(bucket) < bounds_.size()) {
        ++counts_.at(static_cast<std::size_t>(bucket));
    }
    ++count_;
    sum_ += value;
}

void Histogram::write(std::string& text, std::string_view name) const {
    const std::string bucket = std::string(name) + "_bucket";
    std::uint64_t below = 0;
    for (std::size_t i = 0; i < bounds_.size(); ++i) {
        below += counts_.at(i);
        sample(text, bucket, {{"le", number(bounds_[i])}}, below);
    }
    sample(text, bucket, {{"le", "+Inf"}}, count_);
    sample(text, std::string(name) + "_sum", {}, number(sum_));
    sample(text, std::string(name) + "_count", {}, count_);
}

Metrics::Metrics() : latency_(kSeconds), frozen_for_(kSeconds), frozen_tasks_(kTasks) {}

void Metrics::add_line(std::string_view line) {
    if (line.empty()) {
        return;  // of two writers that ended a torn line
    }
    const json event = json::parse(line, nullptr, false);
    if (!event.is_object()) {
        ++unreadable_;
        return;
    }
    const std::string what = text_at(event, "event");
    const std::string policy = text_at(event, "policy");
    if (!policy.empty()) {
        begin_at_zero(policy, {});
    }
    if (what == "summary") {
        add_summary(event);
    } else if (what == "stray") {
        const auto more = static_cast<std::uint64_t>(number_at(event, "count"));
        strays_ += more > 0 ? more : 1;
    } else if (what == "lost") {
        lost_ += static_cast<std::uint64_t>(number_at(event, "count"));
    }
    // One that is pending is told of again.
    if (what != "exec" || text_at(event, "outcome") == "pending") {
        return;
    }
    count(policy, event, 1);
    constexpr double kMicroseconds = 1e-6;
    latency_.observe(number_at(event, "latency_us") * kMicroseconds);
    if (event.contains("race_detected")) {
        ++races_detected_[policy];
    }
    if (event.contains("raced")) {
        ++raced_[policy];
    }
    if (const std::string freeze = text_at(event, "freeze"); freeze.starts_with("failed")) {
        ++freeze_failures_[policy];
    } else if (!freeze.empty() && freeze != "off") {
        frozen_for_.observe(number_at(event, "frozen_us") * kMicroseconds);
        frozen_tasks_.observe(number_at(event, "frozen_tasks"));
    }
}

void Metrics::add_summary(const json& event) {
    const auto kinds = event.find("kinds");
    if (kinds == event.end() || !kinds->is_array()) {
        return;
    }
    for (const json& kind : *kinds) {
        const auto times = static_cast<std::uint64_t>(number_at(kind, "count"));
        count(text_at(event, "policy"), kind, times);
        summarized_ += times;
    }
}

// A search along PATH is no denial of a policy's.
void Metrics::count(const std::string& policy, const json& decision, std::uint64_t times) {
    const std::string rule = text_at(decision, "rule");
    if (rule == built_in_rule::kKernel) {
        kernel_refusals_[policy] += times;
        return;
    }
    decisions_[{policy, text_at(decision, "verdict"), rule, text_at(decision, "outcome")}] += times;
}

void Metrics::begin_at_zero(const std::string& policy, const RuleVerdicts& rules) {
    static constexpr std::size_t kMostRules = 200;
    for (auto* const counts : {&kernel_refusals_, &races_detected_, &raced_, &freeze_failures_}) {
        counts->try_emplace(policy);
    }
    for (const auto& [rule, verdict] : std::span(rules).first(std::min(rules.size(), kMostRules))) {
        decisions_.try_emplace({policy, verdict, rule, usual_outcome(verdict)});
    }
}

std::string Metrics::text(const MetricsGauges& gauges) const {
    std::string text;
    head(text, "execseal_build_info", "gauge", "The agent's version.");
    sample(text, "execseal_build_info", {{"version", kVersion}}, 1);
    head(text, "execseal_decisions_total", "counter",
         "Execs since the agent started, by the container's policy, verdict, rule and outcome.");
    for (const auto& [decision, count] : decisions_) {
        const auto& [policy, verdict, rule, outcome] = decision;
        sample(text, "execseal_decisions_total",
               {{"policy", policy}, {"verdict", verdict}, {"rule", rule}, {"outcome", outcome}},
               count);
    }
    by_policy(text, "execseal_kernel_refusals_total",
              "Execs that the kernel would refuse anyway: misses of a search along PATH.",
              kernel_refusals_);
    by_policy(text, "execseal_races_detected_total",
              "Execs killed since the kernel took what was not judged.", races_detected_);
    by_policy(text, "execseal_raced_total",
              "Execs whose arguments changed before the freeze, and were judged again.", raced_);
    by_policy(text, "execseal_freeze_failures_total", "Freezes that could not be completed.",
              freeze_failures_);
    head(text, "execseal_decision_duration_seconds", "histogram",
         "From the notification to the answer.");
    latency_.write(text, "execseal_decision_duration_seconds");
    head(text, "execseal_freeze_duration_seconds", "histogram",
         "How long a container's tasks stood still for an exec.");
    frozen_for_.write(text, "execseal_freeze_duration_seconds");
    head(text, "execseal_frozen_tasks", "histogram", "Tasks that stood still for an exec.");
    frozen_tasks_.write(text, "execseal_frozen_tasks");
    single(text, "execseal_supervisors", "gauge", "Supervisors alive on this node.",
           gauges.node.supervisors);
    single(text, "execseal_supervisors_silent", "gauge",
           "Supervisors alive that did not answer this scrape in time.", gauges.node.silent);
    write_containers(text, gauges.node.containers);
    single(text, "execseal_pending_execs", "gauge",
           "Execs that were notified and are not over: being read, waiting for a freeze, answered "
           "and not yet verified.",
           gauges.node.pending_execs);
    single(text, "execseal_agent_containers", "gauge", "Containers that the agent looks after.",
           gauges.containers);
    single(text, "execseal_agent_listeners_total", "counter",
           "Listeners that runtimes handed over.", gauges.listeners);
    single(text, "execseal_agent_refused_total", "counter",
           "Listeners closed since no supervisor could be had for them.", gauges.listeners_refused);
    single(text, "execseal_agent_supervisor_restarts_total", "counter",
           "Supervisors that followed one that died.", gauges.supervisor_restarts);
    head(text, "execseal_policy_valid", "gauge", "Does the policy's file load?");
    for (const auto& [policy, valid] : gauges.policies) {
        sample(text, "execseal_policy_valid", {{"policy", policy}}, valid ? 1 : 0);
    }
    single(text, "execseal_policy_reloads_total", "counter",
           "Changes of the policies' directory that the agent noticed.", gauges.policy_reloads);
    single(text, "execseal_strays_total", "counter",
           "Processes that were found in a container without its seccomp filter.", strays_);
    single(text, "execseal_events_summarized_total", "counter",
           "Execs that were counted in a summary instead of having an event of their own; the "
           "histograms do not have them.",
           summarized_);
    single(text, "execseal_events_lost_total", "counter",
           "Events that could not be written, as told of once there was room again.", lost_);
    single(text, "execseal_events_lost", "gauge",
           "Events that the supervisors alive could not write.", gauges.node.events_lost);
    single(text, "execseal_unreadable_events_total", "counter",
           "Lines of the audit file that are no events.", unreadable_);
    return text;
}

}  // namespace execseal
