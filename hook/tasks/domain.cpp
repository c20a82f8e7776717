#include "hook/tasks/domain.h"

#include <unistd.h>

#include <algorithm>

#include "hook/os/file_read.h"
#include "hook/tasks/cgroup_lister.h"

namespace execseal {
namespace {

constexpr std::chrono::seconds kAskAgain{2};

constexpr std::size_t kGroupsLimit = std::size_t{1} << 20;

// Of /proc/TID/cgroup; nullopt: the task is gone. Before Linux 6.8 it takes cgroup_mutex
// (proc_cgroup_show()), which a container can keep only where it may move tasks between groups of
// the cpuset controller (their mm's lock is taken under it); such a one stops every runtime of the
// node as well, and no bound of ours would help: the wait is not killable. Since then RCU.
Result<std::optional<std::string>> groups_of(Tid tid) {
    Result<std::string> text =
        read_file("/proc/" + std::to_string(tid.value) + "/cgroup", kGroupsLimit);
    if (!text) {
        const int error = text.error().code;
        return error == ENOENT || error == ESRCH ? Result<std::optional<std::string>>(std::nullopt)
                                                 : text.error();
    }
    return std::optional(std::move(*text));
}

// Whether it is the first process of its PID namespace, or a thread of that.
Result<bool> is_first(Tid member, Procfs& procfs) {
    const Result<std::optional<TaskStatus>> status = procfs.status(member);
    if (!status) {
        return status.error();
    }
    return *status && !(*status)->namespace_tgids.empty() && (*status)->namespace_tgids.back() == 1;
}

}  // namespace

Domain::Domain(std::unique_ptr<TaskLister> all, PidnsLister* space, std::optional<Cgroup> cgroup,
               const TaskTable& table)
    : all_(std::move(all)), space_(space), cgroup_(std::move(cgroup)), table_(table) {}

Result<std::unique_ptr<Domain>> Domain::open(Tid member, const std::string& container_id,
                                             Procfs& procfs, const TaskTable& table) {
    const Tid self{::getpid()};
    const Result<std::optional<NamespaceId>> theirs = procfs.pid_namespace(member);
    const Result<std::optional<NamespaceId>> ours = procfs.pid_namespace(self);
    if (!theirs || !ours) {
        return theirs ? ours.error() : theirs.error();
    }
    const Result<std::optional<std::string>> groups = groups_of(member);
    const Result<std::optional<std::string>> our_groups = groups_of(self);
    if (!groups || !our_groups) {
        return groups ? our_groups.error() : groups.error();
    }
    if (!*theirs || !*ours || !*groups || !*our_groups) {
        return make_error("domain of task " + std::to_string(member.value) + ": the task is gone");
    }
    std::optional<Cgroup> cgroup = Cgroup::choose(**groups, **our_groups, container_id);
    const std::string of_member = " of " + std::to_string(member.value);
    if (**theirs == **ours) {
        if (!cgroup) {
            return make_error("/proc/" + std::to_string(member.value) +
                              "/cgroup: the container shares our PID namespace and has no cgroup "
                              "of its own; its tasks cannot be told from others");
        }
        Result<std::unique_ptr<CgroupLister>> lister = CgroupLister::open(*cgroup);
        if (!lister) {
            return lister.error();
        }
        std::unique_ptr<Domain> domain(
            new Domain(std::move(lister).value(), nullptr, std::move(cgroup), table));
        domain->member_ = of_member;
        return domain;
    }
    const Result<bool> first = is_first(member, procfs);
    if (!first) {
        return first.error();
    }
    Result<std::unique_ptr<PidnsLister>> space = PidnsLister::open(member);
    if (!space) {
        return space.error();
    }
    PidnsLister* const lister = space->get();
    std::unique_ptr<Domain> domain(
        new Domain(std::move(space).value(), lister, std::move(cgroup), table));
    domain->joined_ = !*first;
    domain->member_ = of_member;
    return domain;
}

std::string Domain::name() const {
    if (space_ == nullptr) {
        return all_->name() + member_;
    }
    return shares() && cgroup_ ? "cgroup " + cgroup_->path() + " in the " + all_->name()
                               : all_->name();
}

bool Domain::is_surely_in_cgroup(Tid task) const {
    const Result<std::optional<std::string>> groups = groups_of(task);
    return cgroup_ && groups && *groups &&
           cgroup_->membership(**groups) == Cgroup::Membership::kInside;
}

std::optional<ListedTask> Domain::find(pid_t number) const {
    return all_->find(number);
}

Result<std::size_t> Domain::count_threads(const ListedTask& leader) {
    return all_->count_threads(leader);
}

Result<> Domain::list_threads(const ListedTask& leader, std::vector<ListedTask>& tasks) {
    return all_->list_threads(leader, tasks);
}

std::optional<pid_t> Domain::number_of(Tid tid) const {
    return all_->number_of(tid);
}

Result<> Domain::list_numbers(std::vector<pid_t>& numbers) {
    if (space_ == nullptr || !cgroup_) {
        return all_->list_numbers(numbers);
    }
    listed_.clear();
    if (Result<> listed = all_->list_numbers(listed_); !listed) {
        return listed;
    }
    std::sort(listed_.begin(), listed_.end());  // procfs gives them so
    // A number may have come to a process of another container meanwhile.
    const auto now = std::chrono::steady_clock::now();
    if (now >= ask_again_) {
        ask_again_ = now + kAskAgain;
        own_.clear();
    }
    still_own_.clear();
    crowded_ = false;
    auto known = own_.cbegin();
    for (const pid_t number : listed_) {
        known = std::find_if(known, own_.cend(), [&](pid_t other) { return other >= number; });
        if (known != own_.cend() && *known == number) {
            still_own_.push_back(number);
            numbers.push_back(number);
            continue;
        }
        const std::optional<ListedTask> task = all_->find(number);
        const Result<Whose> found = task ? whose(*task) : Result<Whose>(Whose::kGone);
        if (!found) {
            return found.error();
        }
        if (*found == Whose::kOwn) {
            still_own_.push_back(number);
        }
        if (*found == Whose::kForeign) {
            crowded_ = true;
        } else {
            numbers.push_back(number);
        }
    }
    own_.swap(still_own_);
    return Ok{};
}

Result<Domain::Whose> Domain::whose(const ListedTask& leader) {
    if (const TaskEntry* entry = table_.find(leader.process);
        entry != nullptr && entry->origin != TaskOrigin::kListing) {
        return Whose::kOwn;
    }
    const Result<std::optional<std::string>> groups = groups_of(leader.tid);
    if (!groups) {
        return groups.error();
    }
    if (!*groups) {
        return Whose::kGone;
    }
    switch (cgroup_->membership(**groups)) {
        case Cgroup::Membership::kInside:
            return Whose::kOwn;
        case Cgroup::Membership::kOutside:
            return Whose::kForeign;
        case Cgroup::Membership::kRootOrExiting:
            break;
    }
    return whose_by_threads(leader);
}

// A first thread that has ended tells nothing; its process goes on in the others.
Result<Domain::Whose> Domain::whose_by_threads(const ListedTask& leader) {
    threads_.clear();
    if (const Result<> listed = all_->list_threads(leader, threads_); !listed) {
        return listed.error();
    }
    bool alive = false;
    for (const ListedTask& thread : threads_) {
        const Result<std::optional<std::string>> groups = groups_of(thread.tid);
        if (!groups) {
            return groups.error();
        }
        if (*groups && cgroup_->membership(**groups) == Cgroup::Membership::kInside) {
            return Whose::kOwn;
        }
        alive = alive || groups->has_value();
    }
    return alive ? Whose::kForeign : Whose::kGone;
}

}  // namespace execseal
