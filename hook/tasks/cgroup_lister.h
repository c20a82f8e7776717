// CgroupLister: the processes of a cgroup and of all below it, with all of their threads.
//
// Of a container that shares our PID namespace. Needs the hierarchy mounted where we are.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "hook/os/pid_namespace.h"
#include "hook/tasks/cgroup.h"
#include "hook/tasks/task_lister.h"

namespace execseal {

class CgroupLister final : public TaskLister {
  public:
    static Result<std::unique_ptr<CgroupLister>> open(const Cgroup& cgroup);

    Result<> list_numbers(std::vector<pid_t>& numbers) override;
    [[nodiscard]] std::optional<ListedTask> find(pid_t number) const override;
    Result<std::size_t> count_threads(const ListedTask& leader) override;
    Result<> list_threads(const ListedTask& leader, std::vector<ListedTask>& tasks) override;
    [[nodiscard]] bool is_cgroup() const override { return true; }
    [[nodiscard]] std::string name() const override { return name_; }

  private:
    CgroupLister(std::string directory, UniqueFd proc, std::string name)
        : directory_(std::move(directory)), proc_(std::move(proc)), name_(std::move(name)) {}

    std::string directory_;
    UniqueFd proc_;
    std::string name_;
    NumberDirectory threads_;
    std::vector<pid_t> numbers_;
};

}  // namespace execseal
