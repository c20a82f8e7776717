// Domain: the tasks of one container, as a TaskLister.
//
// Its PID namespace where it has one to itself; those of the namespace that are in its cgroup where
// it shares one with another container (shareProcessNamespace, kubectl debug, podman's
// --pid=container:X), also where the other comes later; its cgroup where it shares ours. Who was
// seen to be born of its tasks belongs to it in whatever cgroup it is now.
//
// Takes any living task of the container. One thread. A process that was found to be the
// container's is asked again after some seconds only. What the reads may wait for stands where they
// are made.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "hook/os/procfs.h"
#include "hook/tasks/cgroup.h"
#include "hook/tasks/pidns_lister.h"
#include "hook/tasks/task_lister.h"
#include "hook/tasks/task_table.h"

namespace execseal {

class Domain final : public TaskLister {
  public:
    // `table` outlives this. An Error where the container shares our PID namespace and
    // has no cgroup of its own.
    static Result<std::unique_ptr<Domain>> open(Tid member, const std::string& container_id,
                                                Procfs& procfs, const TaskTable& table);

    Result<> list_numbers(std::vector<pid_t>& numbers) override;
    [[nodiscard]] std::optional<ListedTask> find(pid_t number) const override;
    Result<std::size_t> count_threads(const ListedTask& leader) override;
    Result<> list_threads(const ListedTask& leader, std::vector<ListedTask>& tasks) override;
    [[nodiscard]] std::optional<pid_t> number_of(Tid tid) const override;
    [[nodiscard]] bool is_cgroup() const override { return space_ == nullptr; }
    [[nodiscard]] std::string name() const override;

    // Whether it has both a PID namespace that is not ours and a cgroup.
    [[nodiscard]] bool tells_by_both() const { return space_ != nullptr && cgroup_.has_value(); }
    // Looks now; false in doubt.
    [[nodiscard]] bool is_surely_in_cgroup(Tid task) const;

    // Whether it shares its PID namespace: ours, one that another container has made, or its own
    // with somebody whom the last listing has left out.
    [[nodiscard]] bool shares() const { return is_cgroup() || joined_ || crowded_; }

  private:
    // kGone: it may have made another, so that a listing has to name it.
    enum class Whose { kOwn, kForeign, kGone };

    Domain(std::unique_ptr<TaskLister> all, PidnsLister* space, std::optional<Cgroup> cgroup,
           const TaskTable& table);

    Result<Whose> whose(const ListedTask& leader);
    Result<Whose> whose_by_threads(const ListedTask& leader);

    std::unique_ptr<TaskLister> all_;  // of the namespace, or of the cgroup
    PidnsLister* space_;               // the same; null where it is a cgroup
    std::optional<Cgroup> cgroup_;     // nullopt: whoever is in the namespace is the container's
    const TaskTable& table_;
    std::string member_;   // for name()
    bool joined_ = false;  // another has made the namespace
    bool crowded_ = false;
    std::vector<pid_t> own_;  // found to be the container's, by number, ascending
    std::vector<pid_t> still_own_;
    std::vector<pid_t> listed_;
    std::chrono::steady_clock::time_point ask_again_;
    std::vector<ListedTask> threads_;
};

}  // namespace execseal
