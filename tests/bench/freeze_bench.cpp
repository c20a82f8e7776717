// What a freeze of a container costs beside a bare SEIZE + INTERRUPT + wait + DETACH of each task.
//
//   freeze_bench [ROUNDS [PROCESSES THREADS]]
// The two alternate on the same tasks; medians in microseconds a task.
#include <pthread.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <iomanip>
#include <iostream>
#include <stdexcept>
#include <string>
#include <vector>

#include "hook/tasks/freeze.h"
#include "hook/tasks/notified_restart.h"
#include "hook/tasks/pidns_lister.h"
#include "tests/kernel/forked_container.h"

namespace execseal {
namespace {

using Clock = std::chrono::steady_clock;
using test::ForkedContainer;
using test::Inside;
using test::NotifiedCalls;

void* sleeper(void*) {
    while (true) {
        pause();
    }
}

int populate(int processes, int threads, const Inside& inside) {
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 65536);
    for (int p = 0; p < processes; ++p) {
        if (p > 0 && fork() != 0) {
            continue;
        }
        for (int t = 1; t < threads; ++t) {
            pthread_t thread{};
            if (pthread_create(&thread, &small, sleeper, nullptr) != 0) {
                _exit(1);
            }
        }
        if (p > 0) {
            inside.say('p');
            sleeper(nullptr);
        }
    }
    inside.say('r');
    return inside.hear();
}

double bare(const std::vector<ListedTask>& tasks, Tid caller) {
    const auto start = Clock::now();
    for (const ListedTask& task : tasks) {
        if (task.tid != caller) {
            (void)::ptrace(PTRACE_SEIZE, task.tid.value, 0, 0);
        }
    }
    for (const ListedTask& task : tasks) {
        if (task.tid != caller) {
            (void)::ptrace(PTRACE_INTERRUPT, task.tid.value, 0, 0);
        }
    }
    for (const ListedTask& task : tasks) {
        int status = 0;
        if (task.tid != caller) {
            (void)::waitpid(task.tid.value, &status, __WALL);
        }
    }
    for (const ListedTask& task : tasks) {
        if (task.tid != caller) {
            (void)::ptrace(PTRACE_DETACH, task.tid.value, 0, 0);
        }
    }
    const std::chrono::duration<double, std::micro> took = Clock::now() - start;
    return took.count() / static_cast<double>(tasks.size());
}

void list_all(TaskLister& lister, std::vector<ListedTask>& tasks) {
    std::vector<ListedTask> leaders;
    (void)lister.list(leaders);
    for (const ListedTask& leader : leaders) {
        if (lister.count_threads(leader).value() == 1) {
            tasks.push_back(leader);
        } else {
            (void)lister.list_threads(leader, tasks);
        }
    }
}

double median(std::vector<double>& values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

void measure(int processes, int threads, int rounds) {
    ForkedContainer container(NotifiedCalls::kNone, [=](const Inside& inside) {
        return populate(processes, threads, inside);
    });
    for (int words = 0; words < processes; ++words) {
        if (container.hear() == '\0') {
            throw std::runtime_error("the tasks could not be made");
        }
    }
    const auto ptrace = real_ptrace();
    const auto wait = real_tracee_wait();
    const auto procfs = open_procfs().value();
    const auto exits = open_exit_watch(8192).value();
    Tracer tracer(*ptrace, *wait, *procfs, restart_notified_calls(*ptrace));
    TaskTable table(*procfs, *exits);
    Freeze freeze(tracer, *procfs, table);
    const auto lister = PidnsLister::open(container.init()).value();
    std::vector<ListedTask> tasks;
    list_all(*lister, tasks);
    std::vector<double> bares;
    std::vector<double> freezes;
    std::vector<double> listings;
    int passes = 0;
    for (int round = 0; round < rounds; ++round) {
        bares.push_back(bare(tasks, container.init()));
        FreezeRequest request;
        request.caller = container.init();
        const auto start = Clock::now();
        request.deadline = start + std::chrono::seconds(5);
        const FreezeReport report = freeze.freeze(*lister, request);
        freeze.thaw();
        const std::chrono::duration<double, std::micro> took = Clock::now() - start;
        if (report.failure != FreezeFailure::kNone || report.held + 1 != tasks.size()) {
            throw std::runtime_error("freeze: " + report.reason + ", held " +
                                     std::to_string(report.held) + " of " +
                                     std::to_string(tasks.size()));
        }
        while (tracer.attached() != 0) {
            tracer.reap_leaving();
        }
        passes = report.passes;
        freezes.push_back(took.count() / static_cast<double>(tasks.size()));
        const auto listing = Clock::now();
        std::vector<ListedTask> again;
        list_all(*lister, again);
        const std::chrono::duration<double, std::micro> listed = Clock::now() - listing;
        listings.push_back(listed.count() / static_cast<double>(tasks.size()));
    }
    const double floor = median(bares);
    const double cost = median(freezes);
    std::cout << std::fixed << std::setprecision(2) << std::setw(5) << processes << " x "
              << std::setw(4) << threads << " threads: bare " << std::setw(6) << floor
              << "  freeze " << std::setw(6) << cost << " us/task  ratio " << cost / floor << "  ("
              << passes << " passes, one listing " << median(listings) << ")" << std::endl;
}

void run(const std::vector<std::string>& arguments) {
    const int rounds = arguments.empty() ? 21 : std::stoi(arguments[0]);
    if (arguments.size() > 2) {
        measure(std::stoi(arguments[1]), std::stoi(arguments[2]), rounds);
        return;
    }
    for (const auto& [processes, threads] : {std::pair{1, 10},
                                             {1, 100},
                                             {1, 1000},
                                             {1, 4000},
                                             {10, 1},
                                             {100, 1},
                                             {1000, 1},
                                             {20, 50}}) {
        measure(processes, threads, rounds);
    }
}

}  // namespace
}  // namespace execseal

int main(int argc, char** argv) {
    try {
        execseal::run({argv + (argc > 0 ? 1 : 0), argv + argc});
        return 0;
    } catch (const std::exception& failure) {
        (void)std::fprintf(stderr, "freeze_bench: %s\n", failure.what());
        return 1;
    }
}
