// ProcessLister: the threads of the processes that it is told of.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "hook/os/pid_namespace.h"
#include "hook/tasks/task_lister.h"

namespace execseal {

class ProcessLister final : public TaskLister {
  public:
    // `processes` are named by their numbers in our PID namespace: they live, or their numbers mean
    // nobody who matters.
    ProcessLister(std::vector<Tgid> processes, UniqueFd proc)
        : processes_(std::move(processes)), proc_(std::move(proc)) {}
    static Result<std::unique_ptr<ProcessLister>> open(std::vector<Tgid> processes);

    Result<> list_numbers(std::vector<pid_t>& numbers) override;
    [[nodiscard]] std::optional<ListedTask> find(pid_t number) const override;
    Result<std::size_t> count_threads(const ListedTask& leader) override;
    Result<> list_threads(const ListedTask& leader, std::vector<ListedTask>& tasks) override;
    [[nodiscard]] std::string name() const override;

  private:
    std::vector<Tgid> processes_;
    UniqueFd proc_;
    NumberDirectory directory_;
    std::vector<pid_t> threads_;
};

}  // namespace execseal
