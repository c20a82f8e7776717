// What one decision costs without the kernel: judging by policies of 10, 100 and 1,000 rules, and
// writing its event.
//
// A policy of N rules: an allow for a program and its subcommand each, every tenth a deny by a
// regex over argv that any program could match. The exec that is judged is the last rule's, or
// nobody's.
#include <benchmark/benchmark.h>
#include <unistd.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "config/plan.h"
#include "hook/gate/audit.h"
#include "hook/gate/judge.h"

namespace execseal {
namespace {

Policy policy_of(std::int64_t rules) {
    nlohmann::json policy = {{"apiVersion", "execseal/v1"},
                             {"name", "bench"},
                             {"default", "deny"},
                             {"rules", nlohmann::json::array()}};
    for (std::int64_t i = 0; i < rules; ++i) {
        const std::string number = std::to_string(i);
        if (i % 10 == 9) {
            policy["rules"].push_back(
                {{"id", "refused-" + number},
                 {"verdict", "deny"},
                 {"argv",
                  {{"any", nlohmann::json::array({{{"regex", "--evil-" + number + "=.*"}}})}}}});
        } else {
            policy["rules"].push_back({{"id", "tool-" + number},
                                       {"verdict", "allow"},
                                       {"exe", {"/usr/bin/tool" + number}},
                                       {"argv", {{"prefix", {"run"}}}}});
        }
    }
    policy["rules"].push_back({{"id", "last"}, {"verdict", "allow"}, {"exe", {"/usr/bin/last"}}});
    auto parsed = Policy::parse(policy.dump(), "bench.json");
    if (!parsed) {
        throw std::runtime_error(parsed.error().text());
    }
    return std::move(*parsed);
}

ExecFacts exec_of(const std::string& exe) {
    ExecFacts facts;
    facts.views.push_back(
        {ViewRole::kProgram, exe, {exe, "run", "--fast", "--output=/tmp/result.txt", "input.txt"}});
    facts.requested_path = exe;
    facts.env = {"PATH=/usr/bin:/bin", "HOME=/root", "LANG=C.UTF-8"};
    facts.cwd = "/work";
    return facts;
}

void judge_the_last_rule(benchmark::State& state) {
    const Policy policy = policy_of(state.range(0));
    const ExecFacts facts = exec_of("/usr/bin/last");
    if (judge(policy, facts).rule != "last") {
        throw std::runtime_error("another rule decided");
    }
    for ([[maybe_unused]] const auto turn : state) {
        benchmark::DoNotOptimize(judge(policy, facts));
    }
}
BENCHMARK(judge_the_last_rule)->Arg(10)->Arg(100)->Arg(1000);

void judge_by_default(benchmark::State& state) {
    const Policy policy = policy_of(state.range(0));
    const ExecFacts facts = exec_of("/opt/unknown");
    if (judge(policy, facts).rule != "default") {
        throw std::runtime_error("a rule decided");
    }
    for ([[maybe_unused]] const auto turn : state) {
        benchmark::DoNotOptimize(judge(policy, facts));
    }
}
BENCHMARK(judge_by_default)->Arg(10)->Arg(100)->Arg(1000);

void write_an_event(benchmark::State& state) {
    const auto file =
        std::filesystem::temp_directory_path() / ("judge_bench." + std::to_string(::getpid()));
    Plan plan;
    plan.container_id = "0f5d1a6b8c3e";
    plan.container_name = "web";
    plan.policy.name = "bench";
    AuditSettings settings;
    settings.file = file;
    auto log = AuditLog::open(settings, plan);
    if (!log) {
        throw std::runtime_error(log.error().text());
    }
    ExecEvent event;
    event.facts = exec_of("/usr/bin/last");
    event.judgement = {Verdict::kAllow, 0, "bench", "last", "exe matches /usr/bin/last", {}};
    event.outcome = Outcome::kExecuted;
    event.latency = std::chrono::microseconds(123);
    for ([[maybe_unused]] const auto turn : state) {
        log->exec(event);
    }
    state.SetItemsProcessed(state.iterations());
    std::filesystem::remove(file);
}
BENCHMARK(write_an_event);

}  // namespace
}  // namespace execseal

BENCHMARK_MAIN();
