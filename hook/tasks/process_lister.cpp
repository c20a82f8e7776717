#include "hook/tasks/process_lister.h"

namespace execseal {

Result<std::unique_ptr<ProcessLister>> ProcessLister::open(std::vector<Tgid> processes) {
    Result<UniqueFd> proc = open_directory("/proc");
    if (!proc) {
        return proc.error();
    }
    return std::make_unique<ProcessLister>(std::move(processes), std::move(proc).value());
}

std::string ProcessLister::name() const {
    std::string text = "processes";
    for (const Tgid process : processes_) {
        text += " " + std::to_string(process.value);
    }
    return text;
}

Result<> ProcessLister::list_numbers(std::vector<pid_t>& numbers) {
    for (const Tgid process : processes_) {
        numbers.push_back(process.value);
    }
    return Ok{};
}

std::optional<ListedTask> ProcessLister::find(pid_t number) const {
    return ListedTask{Tid{number}, Tgid{number}, number};
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
        tasks.push_back({Tid{thread}, leader.process, thread});
    }
    return Ok{};
}

}  // namespace execseal
