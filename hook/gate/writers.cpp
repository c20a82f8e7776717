#include "hook/gate/writers.h"

#include <utility>

#include "hook/os/pid_namespace.h"

namespace execseal {

WriterFinder::WriterFinder(const TaskTable& table, bool births_are_known)
    : table_(table), births_are_known_(births_are_known) {
    if (auto proc = open_directory("/proc")) {
        proc_ = std::move(*proc);
    }
}

// Whether a thread of the process runs, besides one that waits: nobody else in its memory could
// make one meanwhile. True in doubt.
bool WriterFinder::runs(Tgid process, Tid asleep) const {
    const auto threads = count_threads(proc_.get(), process.value);
    return !threads || *threads > (asleep.value == process.value ? 1U : 0U);
}

Writers WriterFinder::find(const Caller& caller) const {
    if (caller.process == Tgid{} || (births_are_known_ && caller.in_shared_pages)) {
        return {};
    }
    std::vector<Tgid> others;
    if (births_are_known_) {
        auto sharers = table_.sharers_of(caller.process);
        if (!sharers) {
            return {};
        }
        others = std::move(*sharers);
    }
    Writers writers{Reach::kNobody, {}};
    for (const Tgid other : others) {
        if (runs(other, caller.sleeper)) {
            writers.processes.push_back(other);
        }
    }
    const auto threads = count_threads(proc_.get(), caller.process.value);
    if (!writers.processes.empty() || !threads || *threads > 1) {
        writers.processes.push_back(caller.process);
        writers.reach = Reach::kSome;
    }
    return writers;
}

}  // namespace execseal
