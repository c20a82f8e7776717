// What execseal costs, under real runc: the same workload, in interleaved rounds of one run, (a)
// without a policy, (b) under a minimal agent that answers CONTINUE to the same notify set (the
// floor), once plain and once with the kernel's synchronous wake-up, then with the least that
// registering every process, verifying every exec and freezing everybody else meanwhile need
// (gate-*, tests/targets/bare_gate.h and bare_freeze.h), (c) under execseal by default (`writers`),
// with everybody frozen (`pidns`), with verification alone, in audit mode. A target stands beside
// the gate that does the least of the same.
//
//   cost_bench [--rounds N] [--only GROUP,...] [--json FILE] [--plot FILE]
//
// Groups: calls, pause, threads, parallel, script, make, start, memory.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <fstream>
#include <iostream>
#include <map>
#include <memory>

#include "tests/bench/measurements.h"
#include "tests/e2e/agents.h"
#include "tests/e2e/container.h"

namespace execseal::bench {
namespace {

using e2e::Bundle;
using e2e::Container;
using e2e::FloorAgent;
using e2e::Node;
using e2e::Outcome;
using e2e::Runtime;
using e2e::Scratch;
using nlohmann::ordered_json;

constexpr const char* kBare = "bare";
constexpr const char* kFloor = "floor";
constexpr const char* kFloorSync = "floor-sync";
constexpr const char* kGateForks = "gate-forks";
constexpr const char* kGateExecs = "gate-execs";
constexpr const char* kGateVerify = "gate-verify";
constexpr const char* kGateFreeze = "gate-freeze";
constexpr const char* kWriters = "writers";
constexpr const char* kFreeze = "pidns";
constexpr const char* kVerify = "verify";
constexpr const char* kAudit = "audit";

constexpr const char* kLoad = "/bench_load";

const std::vector<std::string> kSetups{kBare,      kFloor,      kFloorSync,  kGateForks,
                                       kGateExecs, kGateVerify, kGateFreeze, kWriters,
                                       kFreeze,    kVerify,     kAudit};
const std::vector<std::string> kGuarded{kWriters, kFreeze, kVerify, kAudit};

// A policy as an operator would write one, that judges arguments.
ordered_json policy(const std::string& name, const char* freeze) {
    return {{"apiVersion", "execseal/v1"},
            {"name", name},
            {"default", "deny"},
            {"protect", {{"freeze", freeze}, {"verify", true}, {"freeze_budget_ms", 10000}}},
            {"rules",
             {{{"id", "denied"}, {"verdict", "deny"}, {"exe", {"/bin/bench_denied"}}},
              {{"id", "no-preload"}, {"verdict", "deny"}, {"env", {{"LD_*", true}}}},
              {{"id", "image"}, {"verdict", "allow"}, {"exe", {"/bin/**", "/usr/**", kLoad}}}}}};
}

struct MinimalAgent {
    explicit MinimalAgent(FloorAgent::Kind kind) : agent(kind, scratch) {}
    Scratch scratch;
    FloorAgent agent;
};

class Bench {
  public:
    Bench() : node_(scratch_), measurements_(kSetups) {
        using Kind = FloorAgent::Kind;
        for (const auto& [setup, kind] :
             {std::pair{kFloor, Kind::kContinue}, std::pair{kFloorSync, Kind::kContinueSync},
              std::pair{kGateForks, Kind::kGateForks}, std::pair{kGateExecs, Kind::kGateExecs},
              std::pair{kGateVerify, Kind::kGateVerify},
              std::pair{kGateFreeze, Kind::kGateFreeze}}) {
            agents_.try_emplace(setup, kind);
        }
        node_.settings()["log"]["level"] = "warning";
        node_.write();
        node_.policy(kWriters, policy(kWriters, "writers"))
            .policy(kFreeze, policy(kFreeze, "pidns"))
            .policy(kVerify, policy(kVerify, "off"));
    }

    // One run of bench_load under a setup; its lines become samples.
    void run_load(const std::string& setup, int turns, const std::vector<std::string>& workloads,
                  e2e::RootFs content = e2e::RootFs::kBusybox) {
        const Outcome outcome = run_under(setup, content, [&](Bundle& bundle) {
            std::vector<std::string> args{kLoad, std::to_string(turns)};
            args.insert(args.end(), workloads.begin(), workloads.end());
            bundle.args(args);
        });
        std::istringstream lines(outcome.out);
        for (std::string line; std::getline(lines, line);) {
            const auto sample = ordered_json::parse(line, nullptr, false);
            if (sample.is_object()) {
                measurements_.add(sample["workload"], setup,
                                  {sample["median_ns"].get<double>() / 1000,
                                   sample["p99_ns"].get<double>() / 1000});
            }
        }
        if (outcome.exit_code != 0) {
            throw std::runtime_error(setup + ": " + outcome.text());
        }
    }

    // From `runc run` to its end, for a program that ends at once.
    void time_start(const std::string& setup) {
        std::chrono::duration<double, std::micro> took{};
        (void)run_under(
            setup, e2e::RootFs::kBusybox,
            [](Bundle& bundle) { bundle.args({"/bin/bench_nothing"}); }, &took);
        measurements_.add("run", setup, {took.count(), took.count()});
    }

    // The container stays; for what is measured from outside.
    std::unique_ptr<Container> keep(int number) {
        Bundle bundle(scratch_.path() / ("kept" + std::to_string(number)));
        bundle.annotation("io.execseal.policy", kWriters).args({"/bin/sleep", "1000"}).write();
        auto container = std::make_unique<Container>(node_.runtime(), bundle, scratch_);
        if (container->create().exit_code != 0 || container->start().exit_code != 0) {
            throw std::runtime_error("container " + std::to_string(number) + " did not start");
        }
        return container;
    }

    [[nodiscard]] Measurements& measurements() { return measurements_; }
    [[nodiscard]] const Node& node() const { return node_; }

  private:
    Outcome run_under(const std::string& setup, e2e::RootFs content,
                      const std::function<void(Bundle&)>& fill,
                      std::chrono::duration<double, std::micro>* took = nullptr) {
        Bundle bundle(scratch_.path() / "bundle", content);
        // The host's /bin is a link into its /usr, which is read-only.
        bundle.program("bench_load", kLoad);
        if (content == e2e::RootFs::kBusybox) {
            bundle.program("bench_nothing").program("bench_nothing", "/bin/bench_denied");
        }
        bundle.env("PATH", "/a:/b:/usr/local/bin:/usr/bin:/bin");
        prepare_script(bundle);
        Runtime runtime{};
        if (const auto agent = agents_.find(setup); agent != agents_.end()) {
            bundle.notify(agent->second.agent.socket());
        } else if (setup != kBare) {
            runtime = node_.runtime();
            bundle.annotation("io.execseal.policy", setup == kAudit ? kWriters : setup);
            if (setup == kAudit) {
                bundle.annotation("io.execseal.mode", "audit");
            }
        }
        fill(bundle);
        bundle.write();
        const auto start = std::chrono::steady_clock::now();
        Outcome outcome = Container(runtime, bundle, scratch_).run(std::chrono::minutes{10});
        if (took != nullptr) {
            *took = std::chrono::steady_clock::now() - start;
        }
        std::filesystem::remove_all(bundle.path());
        return outcome;
    }

    static void prepare_script(Bundle& bundle);

    Scratch scratch_;
    std::map<std::string, MinimalAgent> agents_;
    Node node_;
    Measurements measurements_;
};

// Small commands and nothing else, as a configure script runs them.
constexpr const char* kScript = R"(#!/bin/sh
i=0
while [ $i -lt 40 ]; do
    /bin/echo "checking for $i" >/tmp/conftest
    /bin/sed -e 's/for/whether/' /tmp/conftest >/tmp/conftest.c
    if /bin/grep whether /tmp/conftest.c >/dev/null; then /bin/mv /tmp/conftest.c /tmp/conftest.o; fi
    word=`/bin/head -n 1 /tmp/conftest.o`
    /bin/cat /tmp/conftest.o >/dev/null
    /bin/rm -f /tmp/conftest.o
    /bin/id >/dev/null
    i=$((i + 1))
done
)";

// A C project of 16 files, as make -j2 builds it.
constexpr const char* kMakeScript = R"(#!/bin/sh
set -e
cd /tmp
mkdir -p project && cd project
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do
    printf '#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\nint f%s(int n) { char b[64]; snprintf(b, sizeof b, "%%d", n); return (int)strlen(b) + atoi(b); }\n' $i >f$i.c
done
echo 'int f1(int); int main(void) { return f1(1) == 0; }' >main.c
printf 'objects = $(patsubst %%.c,%%.o,$(wildcard *.c))\nprogram: $(objects)\n\t$(CC) -o $@ $^\n%%.o: %%.c\n\t$(CC) -O1 -c -o $@ $<\n' >Makefile
make -j2 CC=gcc >/dev/null
rm -rf /tmp/project
)";

void Bench::prepare_script(Bundle& bundle) {
    bundle.file("/script.sh", kScript, 0755).file("/make.sh", kMakeScript, 0755);
}

using Groups = std::map<std::string, std::function<void(Bench&, int)>>;

void each_setup(int rounds, const std::vector<std::string>& setups,
                const std::function<void(const std::string&)>& measure) {
    for (int round = 0; round < rounds; ++round) {
        for (const std::string& setup : setups) {
            measure(setup);
        }
        std::cerr << "." << std::flush;
    }
    std::cerr << "\n";
}

// kB of all processes whose command line has `program` in it.
double pss_of(const std::string& program) {
    double sum = 0;
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
        if (!std::ifstream(entry.path() / "cmdline") ||
            e2e::read_file(entry.path() / "cmdline").find(program) != 0) {
            continue;
        }
        std::ifstream rollup(entry.path() / "smaps_rollup");
        for (std::string line; std::getline(rollup, line);) {
            if (line.starts_with("Pss:")) {
                sum += std::stod(line.substr(4));
            }
        }
    }
    return sum;
}

void measure_memory(Bench& bench) {
    constexpr int kMany = 100;
    std::vector<std::unique_ptr<Container>> containers;
    for (const int wanted : {1, kMany}) {
        while (static_cast<int>(containers.size()) < wanted) {
            containers.push_back(bench.keep(static_cast<int>(containers.size())));
        }
        (void)containers.front()->exec({"/bin/true"});
        const double each = pss_of(bench.node().hook()) / wanted;
        std::cout << "memory: " << wanted << " supervisor(s), PSS each " << each / 1024 << " MiB\n";
        bench.measurements().add("pss_kib:" + std::to_string(wanted), kWriters, {each, each});
    }
}

const Groups& groups() {
    static const Groups kGroups{
        {"calls",
         [](Bench& bench, int rounds) {
             each_setup(rounds, kSetups, [&](const std::string& setup) {
                 bench.run_load(
                     setup, 300,
                     {"fork_exit", "fork_exec", "vfork_exec", "spawn_path", "failing_execvp"});
                 // A tenth of a second and more: for the first few milliseconds it depends on
                 // chance on which CPU the kernel starts the threads.
                 bench.run_load(setup, 5000, {"thread_create", "syscall"});
             });
             each_setup(rounds, kGuarded, [&](const std::string& setup) {
                 if (setup != kAudit) {
                     bench.run_load(setup, 300, {"denied_exec"});
                 }
             });
         }},
        {"pause",
         [](Bench& bench, int rounds) {
             each_setup(rounds, kSetups, [&](const std::string& setup) {
                 bench.run_load(setup, 200, {"pause", "interrupted"});
             });
         }},
        {"threads",
         [](Bench& bench, int rounds) {
             each_setup(rounds, kSetups, [&](const std::string& setup) {
                 bench.run_load(setup, 30,
                                {"threads:0", "threads:1", "threads:100", "threads:1000",
                                 "threads:4000", "peers:100", "peers:1000"});
             });
         }},
        {"parallel",
         [](Bench& bench, int rounds) {
             each_setup(rounds, kSetups, [&](const std::string& setup) {
                 bench.run_load(setup, 400, {"parallel:1", "parallel:4", "parallel:16"});
             });
         }},
        {"script",
         [](Bench& bench, int rounds) {
             each_setup(rounds, kSetups,
                        [&](const std::string& setup) { bench.run_load(setup, 3, {"script"}); });
         }},
        {"make",
         [](Bench& bench, int rounds) {
             each_setup(rounds, kSetups, [&](const std::string& setup) {
                 bench.run_load(setup, 2, {"make"}, e2e::RootFs::kHostUsr);
             });
         }},
        {"start",
         [](Bench& bench, int rounds) {
             each_setup(rounds, {kBare, kFloor, kWriters},
                        [&](const std::string& setup) { bench.time_start(setup); });
         }},
        {"memory", [](Bench& bench, int) { measure_memory(bench); }},
    };
    return kGroups;
}

struct Target {
    const char* workload;
    const char* setup;
    const char* floor;
    double at_most;
    const char* bound = nullptr;  // the gate that does the least of what the setup does
};

constexpr Target kTargets[] = {
    {"fork_exit", kWriters, kFloor, 1.40, kGateForks},
    {"thread_create", kWriters, kBare, 1.05},
    {"syscall", kWriters, kBare, 1.05},
    {"fork_exec", kVerify, kFloor, 1.35, kGateVerify},
    {"fork_exec", kWriters, kFloor, 1.45, kGateVerify},
    {"threads:1", kWriters, kFloor, 1.45, kGateVerify},
    {"threads:4000", kWriters, kFloor, 1.45, kGateVerify},
    {"vfork_exec", kWriters, kFloor, 1.60, kGateVerify},
    {"parallel:16", kWriters, kFloor, 1.25, kGateVerify},
    {"script", kWriters, kBare, 1.40, kGateVerify},
    {"make", kWriters, kBare, 1.12, kGateVerify},
    {"failing_execvp", kWriters, kFloor, 2.5, kGateVerify},
};

void print_targets(const Measurements& measurements) {
    for (const Target& target : kTargets) {
        const auto ratio = measurements.ratio(target.workload, target.setup, target.floor);
        if (!ratio) {
            continue;
        }
        std::printf("%-14s %-14s %.3f x %-6s at most %.2f: %s", target.workload, target.setup,
                    *ratio, target.floor, target.at_most,
                    *ratio <= target.at_most ? "met" : "MISSED");
        if (target.bound != nullptr) {
            std::printf(
                "; %s is at %.3f, %s at %.3f x that", target.bound,
                measurements.ratio(target.workload, target.bound, target.floor).value_or(0),
                target.setup,
                measurements.ratio(target.workload, target.setup, target.bound).value_or(0));
        }
        std::printf("\n");
    }
}

int run(int argc, char** argv) {
    const std::vector<std::string> all{"calls",  "pause", "threads", "parallel",
                                       "script", "make",  "start",   "memory"};
    CLI::App app{
        "What execseal costs, against no policy and against an agent that says yes to all"};
    int rounds = 9;
    std::vector<std::string> only = all;
    std::string json;
    std::string plot;
    app.add_option("--rounds", rounds, "rounds a group")->check(CLI::PositiveNumber);
    app.add_option("--only", only, "groups to run")->delimiter(',')->check(CLI::IsMember(all));
    app.add_option("--json", json, "write the measurements to FILE");
    app.add_option("--plot", plot, "draw the cost beside idle threads into FILE, a PNG");
    CLI11_PARSE(app, argc, argv);
    Bench bench;
    for (const std::string& name : only) {
        std::cerr << name << " ";
        groups().at(name)(bench, rounds);
    }
    std::cout << bench.measurements().table();
    print_targets(bench.measurements());
    if (!json.empty()) {
        e2e::write_file(json, bench.measurements().json().dump(2) + "\n");
    }
    if (!plot.empty()) {
        const std::string script = plot + ".gnuplot";
        e2e::write_file(script, bench.measurements().plot(plot));
        const Outcome drawn =
            e2e::run({.argv = {"/usr/bin/gnuplot", script}}, e2e::Scratch().path());
        if (drawn.exit_code != 0) {
            throw std::runtime_error(drawn.text());
        }
        std::filesystem::remove(script);
    }
    return 0;
}

}  // namespace
}  // namespace execseal::bench

int main(int argc, char** argv) {
    try {
        return execseal::bench::run(argc, argv);
    } catch (const std::exception& failure) {
        (void)std::fprintf(stderr, "cost_bench: %s\n", failure.what());
        return 1;
    }
}
