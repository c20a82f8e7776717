#include "hook/agent/metrics.h"

#include <gtest/gtest.h>

#include <regex>
#include <sstream>

namespace execseal {
namespace {

std::string event(const std::string& members) {
    return R"({"event":"exec","policy":"web","verdict":"allow","rule":"default","outcome":"executed",)"
           R"("latency_us":300)" +
           members + "}";
}

bool has_line(const std::string& text, const std::string& line) {
    return ("\n" + text).find("\n" + line + "\n") != std::string::npos;
}

TEST(Metrics, CountDecisionsByWhatTheOwnerWrote) {
    Metrics metrics;
    metrics.add_line(event(""));
    metrics.add_line(event(""));
    metrics.add_line(
        R"({"event":"exec","policy":"web","verdict":"deny","rule":"no-wget","outcome":"refused"})");
    metrics.add_line(R"({"event":"start","policy":"web"})");
    const std::string text = metrics.text({});
    EXPECT_TRUE(
        has_line(text,
                 "execseal_decisions_total{policy=\"web\",verdict=\"allow\",rule=\"default\","
                 "outcome=\"executed\"} 2"));
    EXPECT_TRUE(
        has_line(text,
                 "execseal_decisions_total{policy=\"web\",verdict=\"deny\",rule=\"no-wget\","
                 "outcome=\"refused\"} 1"));
    EXPECT_EQ(text.find("reason="), std::string::npos);
    EXPECT_TRUE(has_line(text, "execseal_decision_duration_seconds_count 3"));
    EXPECT_TRUE(has_line(text, "execseal_unreadable_events_total 0"));
}

TEST(Metrics, AMissAlongPathIsNoDenial) {
    Metrics metrics;
    const std::string miss =
        R"("policy":"web","verdict":"deny","rule":"kernel","outcome":"refused","errno":2)";
    metrics.add_line(R"({"event":"exec",)" + miss + "}");
    metrics.add_line(R"({"event":"summary","policy":"web","kinds":[{"count":4,)" + miss + "}]}");
    const std::string text = metrics.text({});
    EXPECT_TRUE(has_line(text, "execseal_kernel_refusals_total{policy=\"web\"} 5"));
    EXPECT_EQ(text.find("execseal_decisions_total{"), std::string::npos) << text;
}

TEST(Metrics, CountersStandThereBeforeTheFirstEvent) {
    Metrics metrics;
    metrics.add_line(R"({"event":"start","policy":"web"})");
    metrics.begin_at_zero("db", {{"no-wget", "deny"}, {"kill-it", "kill"}, {"default", "allow"}});
    const auto zeros = [&] {
        const std::string text = metrics.text({});
        for (const char* const counter :
             {"races_detected", "raced", "freeze_failures", "kernel_refusals"}) {
            for (const char* const policy : {"web", "db"}) {
                EXPECT_TRUE(has_line(text, std::string("execseal_") + counter + "_total{policy=\"" +
                                               policy + "\"} 0"))
                    << text;
            }
        }
        return text;
    };
    const std::string line = R"(execseal_decisions_total{policy="db",)";
    for (const char* const labels : {R"(verdict="deny",rule="no-wget",outcome="refused")",
                                     R"(verdict="kill",rule="kill-it",outcome="killed")",
                                     R"(verdict="allow",rule="default",outcome="executed")"}) {
        EXPECT_TRUE(has_line(zeros(), line + labels + "} 0")) << labels;
    }
    metrics.add_line(
        R"({"event":"exec","policy":"db","verdict":"deny","rule":"no-wget","outcome":"refused"})");
    metrics.begin_at_zero("db", {{"no-wget", "deny"}});
    EXPECT_TRUE(has_line(zeros(), line + R"(verdict="deny",rule="no-wget",outcome="refused"} 1)"));
}

TEST(Metrics, ContainersAreNamedAsElsewhere) {
    MetricsGauges gauges;
    gauges.node.containers.push_back(
        {"shop/front-0/web", "4f3c", "web", "enforce", {{"deny", 3}, {"kernel", 0}}});
    const std::string text = Metrics().text(gauges);
    EXPECT_TRUE(has_line(text, R"(execseal_container_info{container="shop/front-0/web",)"
                               R"(container_id="4f3c",policy="web",mode="enforce"} 1)"))
        << text;
    EXPECT_TRUE(has_line(text, R"(execseal_container_execs_total{container="shop/front-0/web",)"
                               R"(container_id="4f3c",policy="web",verdict="deny"} 3)"));
}

TEST(Metrics, BucketsAreCumulative) {
    Metrics metrics;
    metrics.add_line(event(R"(,"freeze":"pidns","frozen_us":900,"frozen_tasks":3)"));
    metrics.add_line(event(R"(,"freeze":"pidns","frozen_us":20000000,"frozen_tasks":5000)"));
    metrics.add_line(event(R"(,"freeze":"off")"));
    metrics.add_line(event(R"(,"freeze":"failed: traced","frozen_us":0)"));
    const std::string text = metrics.text({});
    EXPECT_TRUE(has_line(text, "execseal_freeze_duration_seconds_bucket{le=\"0.0005\"} 0"));
    EXPECT_TRUE(has_line(text, "execseal_freeze_duration_seconds_bucket{le=\"0.001\"} 1"));
    EXPECT_TRUE(has_line(text, "execseal_freeze_duration_seconds_bucket{le=\"1.0\"} 1"));
    EXPECT_TRUE(has_line(text, "execseal_freeze_duration_seconds_bucket{le=\"+Inf\"} 2"));
    EXPECT_TRUE(has_line(text, "execseal_frozen_tasks_bucket{le=\"5.0\"} 1"));
    EXPECT_TRUE(has_line(text, "execseal_frozen_tasks_sum 5003.0"));
    EXPECT_TRUE(has_line(text, "execseal_freeze_failures_total{policy=\"web\"} 1"));
    EXPECT_TRUE(has_line(text, "execseal_decision_duration_seconds_bucket{le=\"0.00025\"} 0"));
    EXPECT_TRUE(has_line(text, "execseal_decision_duration_seconds_bucket{le=\"0.0005\"} 4"));
}

TEST(Metrics, RacesAndGaugesStandInTheText) {
    Metrics metrics;
    metrics.add_line(event(R"(,"race_detected":{"field":"argv"},"raced":true)"));
    metrics.add_line("no json");
    MetricsGauges gauges;
    gauges.node.supervisors = 7;
    gauges.node.silent = 1;
    gauges.node.pending_execs = 2;
    gauges.policies = {{"web", true}, {"bad", false}};
    const std::string text = metrics.text(gauges);
    EXPECT_TRUE(has_line(text, "execseal_races_detected_total{policy=\"web\"} 1"));
    EXPECT_TRUE(has_line(text, "execseal_raced_total{policy=\"web\"} 1"));
    EXPECT_TRUE(has_line(text, "execseal_unreadable_events_total 1"));
    EXPECT_TRUE(has_line(text, "execseal_supervisors 7"));
    EXPECT_TRUE(has_line(text, "execseal_supervisors_silent 1"));
    EXPECT_TRUE(has_line(text, "execseal_pending_execs 2"));
    EXPECT_TRUE(has_line(text, "execseal_policy_valid{policy=\"bad\"} 0"));
}

TEST(Metrics, WhatWasSummedUpAndWhatWasLostIsCounted) {
    Metrics metrics;
    metrics.add_line(event(""));
    metrics.add_line(
        R"({"event":"summary","policy":"web","count":12,"kinds":[)"
        R"({"count":9,"exe":"/bin/x","rule":"default","verdict":"allow","outcome":"executed"},)"
        R"({"count":3,"exe":"/bin/y","rule":"no-y","verdict":"deny","outcome":"refused","errno":1}]})");
    metrics.add_line(R"({"event":"lost","policy":"web","count":5})");
    metrics.add_line(
        R"({"event":"exec","policy":"web","verdict":"allow","rule":"default","outcome":"pending"})");
    MetricsGauges gauges;
    gauges.node.events_lost = 6;
    const std::string text = metrics.text(gauges);
    EXPECT_TRUE(has_line(
        text,
        R"(execseal_decisions_total{policy="web",verdict="allow",rule="default",outcome="executed"} 10)"));
    EXPECT_TRUE(has_line(
        text,
        R"(execseal_decisions_total{policy="web",verdict="deny",rule="no-y",outcome="refused"} 3)"));
    EXPECT_EQ(text.find("pending\""), std::string::npos) << text;
    EXPECT_TRUE(has_line(text, "execseal_events_summarized_total 12"));
    EXPECT_TRUE(has_line(text, "execseal_events_lost_total 5"));
    EXPECT_TRUE(has_line(text, "execseal_events_lost 6"));
}

// Exposition format 0.0.4: a comment, or NAME{LABELS} VALUE.
TEST(Metrics, EveryLineIsOneThatAScraperReads) {
    Metrics metrics;
    metrics.add_line(
        R"({"event":"exec","policy":"a\"b\\c\nd","verdict":"deny","rule":"r","outcome":"refused"})");
    const std::regex comment("# (HELP|TYPE) [a-z_]+ .+");
    const std::regex sample(
        R"re([a-z_]+(\{[a-z_]+="([^"\\]|\\.)*"(,[a-z_]+="([^"\\]|\\.)*")*\})? [0-9.e+-]+)re");
    std::istringstream lines(metrics.text({}));
    std::size_t count = 0;
    for (std::string line; std::getline(lines, line); ++count) {
        EXPECT_TRUE(std::regex_match(line, comment) || std::regex_match(line, sample)) << line;
    }
    EXPECT_GT(count, 40U);
}

}  // namespace
}  // namespace execseal
