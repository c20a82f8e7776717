#include "hook/tasks/pidns_lister.h"

namespace execseal {

PidnsLister::PidnsLister(PidNamespace space, UniqueFd processes, UniqueFd proc, std::string name)
    : space_(std::move(space)),
      processes_(std::move(processes)),
      proc_(std::move(proc)),
      name_(std::move(name)),
      way_(space_.can_translate() ? ListingWay::kOwnProcfs : ListingWay::kScan) {}

Result<std::unique_ptr<PidnsLister>> PidnsLister::open(Tid member) {
    Result<PidNamespace> space = PidNamespace::open(member);
    if (!space) {
        return space.error();
    }
    Result<UniqueFd> processes = open_listing(space->procfs(), ".");
    Result<UniqueFd> proc = open_directory("/proc");
    if (!processes || !proc) {
        return processes ? proc.error() : processes.error();
    }
    return std::unique_ptr<PidnsLister>(new PidnsLister(
        std::move(space).value(), std::move(processes).value(), std::move(proc).value(),
        "PID namespace of " + std::to_string(member.value)));
}

Result<> PidnsLister::list_numbers(std::vector<pid_t>& numbers) {
    return way_ == ListingWay::kOwnProcfs ? directory_.read(processes_.get(), numbers)
                                          : scan(numbers);
}

std::optional<Tid> PidnsLister::tid_of(pid_t number) const {
    return way_ == ListingWay::kOwnProcfs ? space_.translate(number) : Tid{number};
}

std::optional<ListedTask> PidnsLister::find(pid_t number) const {
    const std::optional<Tid> leader = tid_of(number);
    return leader ? std::optional(ListedTask{*leader, Tgid{leader->value}, number}) : std::nullopt;
}

// FIXME(kernel >= 6.11): remove.
Result<> PidnsLister::scan(std::vector<pid_t>& members) {
    space_.forget_namespaces();
    numbers_.clear();
    if (const Result<bool> root = directory_.list(proc_.get(), ".", numbers_); !root) {
        return root.error();
    }
    for (const pid_t process : numbers_) {
        const Result<bool> inside = space_.contains(Tid{process});
        if (!inside) {
            return inside.error();
        }
        if (*inside) {
            members.push_back(process);
        }
    }
    return Ok{};
}

Result<std::size_t> PidnsLister::count_threads(const ListedTask& leader) {
    return execseal::count_threads(root(), leader.number);
}

Result<> PidnsLister::list_threads(const ListedTask& leader, std::vector<ListedTask>& tasks) {
    numbers_.clear();
    const std::string path = std::to_string(leader.number) + "/task";
    if (const Result<bool> listed = directory_.list(root(), path.c_str(), numbers_); !listed) {
        return listed.error();
    }
    for (const pid_t number : numbers_) {
        if (const std::optional<Tid> tid = tid_of(number)) {
            tasks.push_back({*tid, leader.process, number});
        }
    }
    return Ok{};
}

std::optional<pid_t> PidnsLister::number_of(Tid tid) const {
    return way_ == ListingWay::kOwnProcfs ? space_.number_of(tid) : space_.number_by_status(tid);
}

int PidnsLister::root() const {
    return way_ == ListingWay::kOwnProcfs ? space_.procfs() : proc_.get();
}

}  // namespace execseal
