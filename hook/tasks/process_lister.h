// ProcessLister: the threads of one process, the caller and its siblings.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "hook/os/pid_namespace.h"
#include "hook/tasks/task_lister.h"

namespace execseal {

class ProcessLister final : public TaskLister {
  public:
    ProcessLister(Tgid process, UniqueFd proc) : process_(process), proc_(std::move(proc)) {}
    static Result<std::unique_ptr<ProcessLister>> open(Tgid process);

    Result<> list_numbers(std::vector<pid_t>& numbers) override;
    [[nodiscard]] std::optional<ListedTask> find(pid_t number) const override;
    Result<std::size_t> count_threads(const ListedTask& leader) override;
    Result<> list_threads(const ListedTask& leader, std::vector<ListedTask>& tasks) override;
    [[nodiscard]] std::string name() const override;

  private:
    Tgid process_;
    UniqueFd proc_;
    NumberDirectory directory_;
    std::vector<pid_t> threads_;
};

}  // namespace execseal
