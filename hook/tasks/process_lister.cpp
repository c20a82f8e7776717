#include "hook/tasks/process_lister.h"

namespace execseal {

Result<std::unique_ptr<ProcessLister>> ProcessLister::open(Tgid process) {
    Result<UniqueFd> proc = open_directory("/proc");
    if (!proc) {
        return proc.error();
    }
    return std::make_unique<ProcessLister>(process, std::move(proc).value());
}

std::string ProcessLister::name() const {
    return "process " + std::to_string(process_.value);
}

Result<> ProcessLister::list_numbers(std::vector<pid_t>& numbers) {
    numbers.push_back(process_.value);
    return Ok{};
}

std::optional<ListedTask> ProcessLister::find(pid_t number) const {
    return ListedTask{Tid{number}, process_, number};
}

Result<std::size_t> ProcessLister::count_threads(const ListedTask& leader) {
    return execseal::count_threads(proc_.get(), leader.number);
}

Result<> ProcessLister::list_threads(const ListedTask& leader, std::vector<ListedTask>& tasks) {
    threads_.clear();
    const std::string path = std::to_string(leader.number) + "/task";
    if (const Result<bool> listed = directory_.list(proc_.get(), path.c_str(), threads_); !listed) {
        return listed.error();
    }
    for (const pid_t thread : threads_) {
        tasks.push_back({Tid{thread}, process_, thread});
    }
    return Ok{};
}

}  // namespace execseal
