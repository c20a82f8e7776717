// Metrics: what the audit events of this node add up to, as Prometheus text (exposition format
// 0.0.4). Pure.
//
// Labels are called as the fields of an event are. Counters of events have names of policies,
// rules, verdicts and outcomes, which the node's owner wrote; containers stand in what is true now
// of those that run; never a pid or an argument, of which there is no end.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "hook/agent/node_survey.h"

namespace execseal {

// What is not an event but true now.
struct MetricsGauges {
    NodeSurvey node;
    std::size_t containers = 0;  // of the agent's own
    std::uint64_t listeners = 0;
    std::uint64_t listeners_refused = 0;
    std::uint64_t supervisor_restarts = 0;
    std::map<std::string, bool> policies;  // by name: does its file load?
    std::uint64_t policy_reloads = 0;
};

// Cumulative buckets as Prometheus has them.
class Histogram {
  public:
    explicit Histogram(std::span<const double> bounds) : bounds_(bounds) {}
    void observe(double value);
    void write(std::string& text, std::string_view name) const;

  private:
    static constexpr std::size_t kMaxBuckets = 16;
    std::span<const double> bounds_;  // ascending, at most kMaxBuckets
    std::array<std::uint64_t, kMaxBuckets> counts_{};
    std::uint64_t count_ = 0;
    double sum_ = 0;
};

// A rule's id and its verdict as an event has it.
using RuleVerdicts = std::vector<std::pair<std::string, std::string>>;

class Metrics {
  public:
    Metrics();
    // One line of the audit file; what is not an event of ours counts as unreadable.
    void add_line(std::string_view line);
    // What `policy` may come to decide stands in the text as 0 from now on: of a counter that first
    // appears as 1, a scraper sees no increase. Of very many rules only the first are told so.
    void begin_at_zero(const std::string& policy, const RuleVerdicts& rules);
    [[nodiscard]] std::string text(const MetricsGauges& gauges) const;

  private:
    void count(const std::string& policy, const nlohmann::json& decision, std::uint64_t times);
    void add_summary(const nlohmann::json& event);

    // policy, verdict, rule, outcome
    using Decision = std::tuple<std::string, std::string, std::string, std::string>;

    std::map<Decision, std::uint64_t> decisions_;
    std::map<std::string, std::uint64_t> kernel_refusals_;  // by policy
    std::map<std::string, std::uint64_t> races_detected_;
    std::map<std::string, std::uint64_t> raced_;
    std::map<std::string, std::uint64_t> freeze_failures_;
    Histogram latency_;
    Histogram frozen_for_;
    Histogram frozen_tasks_;
    std::uint64_t summarized_ = 0;
    std::uint64_t lost_ = 0;
    std::uint64_t strays_ = 0;
    std::uint64_t unreadable_ = 0;
};

}  // namespace execseal
