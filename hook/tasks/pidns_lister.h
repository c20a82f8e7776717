// PidnsLister: the tasks of a PID namespace, nested ones included, from outside.
//
// Takes any living task of it; does not enter it, and sees what it hides from its own /proc. A
// listing is not atomic: who needs all tasks lists again (freeze.cpp).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "hook/os/pid_namespace.h"
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

}  // namespace execseal
