// The domain of a container as a TaskLister: its PID namespace, or its cgroup where it shares ours.
//
// Takes any living task of the container; gives all tasks, nested PID namespaces included, without
// entering it and whatever it hides from its own /proc. A listing is not atomic: who needs all of
// them lists again (freeze.cpp).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "hook/os/pid_namespace.h"
#include "hook/os/procfs.h"
#include "hook/tasks/task_lister.h"

namespace execseal {

// From its own procfs, numbers translated; or for kernels before 6.11 all of our /proc, looked
// through for its members.
enum class ListingWay { kOwnProcfs, kScan };

class PidnsLister final : public TaskLister {
  public:
    static Result<std::unique_ptr<PidnsLister>> open(Tid member);

    Result<> list_numbers(std::vector<pid_t>& numbers) override;
    [[nodiscard]] std::optional<ListedTask> find(pid_t number) const override;
    Result<std::size_t> count_threads(const ListedTask& leader) override;
    Result<> list_threads(const ListedTask& leader, std::vector<ListedTask>& tasks) override;
    [[nodiscard]] std::optional<pid_t> number_of(Tid tid) const override;
    [[nodiscard]] std::string name() const override { return name_; }

    void use(ListingWay way) { way_ = way; }  // for tests
    [[nodiscard]] ListingWay way() const { return way_; }

  private:
    PidnsLister(PidNamespace space, UniqueFd processes, UniqueFd proc, std::string name);

    [[nodiscard]] int root() const;
    [[nodiscard]] std::optional<Tid> tid_of(pid_t number) const;
    Result<> scan(std::vector<pid_t>& members);

    PidNamespace space_;
    UniqueFd processes_;  // the root of its procfs, for reading
    UniqueFd proc_;       // our /proc
    std::string name_;
    ListingWay way_;
    NumberDirectory directory_;
    std::vector<pid_t> numbers_;
};

// The tasks of a cgroup and of all below it.
class CgroupLister final : public TaskLister {
  public:
    static Result<std::unique_ptr<CgroupLister>> open(Tid member);

    Result<> list_numbers(std::vector<pid_t>& numbers) override;
    [[nodiscard]] std::optional<ListedTask> find(pid_t number) const override;
    Result<std::size_t> count_threads(const ListedTask& leader) override;
    Result<> list_threads(const ListedTask& leader, std::vector<ListedTask>& tasks) override;
    [[nodiscard]] bool is_cgroup() const override { return true; }
    [[nodiscard]] std::string name() const override { return name_; }

  private:
    CgroupLister(std::string directory, const char* file, std::string name)
        : directory_(std::move(directory)), file_(file), name_(std::move(name)) {}

    std::string directory_;
    const char* file_;  // "cgroup.threads" (v2) or "tasks" (v1)
    std::string name_;
};

// Which of the two, by the member's PID namespace.
Result<std::unique_ptr<TaskLister>> open_domain(Tid member, Procfs& procfs);

// One process only: the caller and its siblings.
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
