#include "hook/tasks/strays.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <sstream>

#include "hook/os/file_read.h"
#include "hook/os/log.h"
#include "hook/os/pid_namespace.h"
#include "hook/os/pidfd.h"

namespace execseal {
namespace {

constexpr std::chrono::seconds kEvery{1};
constexpr std::chrono::milliseconds kWhileJoining{20};
// Of the time between two looks so much is spent on looking, at most: 1/kShare.
constexpr int kShare = 100;
constexpr std::size_t kMaxChildren = std::size_t{64} << 10U;
// A comparison is read at the speed of the disk, on a loaded node.
constexpr std::chrono::seconds kComparison{10};

// What the expendable process is asked: whether a task's program is another's, or a descriptor's of
// ours.
struct Question {
    pid_t task = 0;
    pid_t parent = 0;
    pid_t keeper = 0;
    int runtime = -1;  // of the keeper; -1: none
};
constexpr std::byte kSame{1};
constexpr std::byte kDifferent{2};

bool has_same_bytes(const std::string& a, const std::string& b) {
    const auto first = open_own_path(a);
    const auto second = open_own_path(b);
    if (!first || !second) {
        return false;
    }
    const auto of_first = status_of(first->get());
    const auto of_second = status_of(second->get());
    if (!of_first || !of_second || of_first->size != of_second->size) {
        return false;
    }
    if (of_first->id == of_second->id) {
        return true;
    }
    const auto left = open_regular(first->get());
    const auto right = open_regular(second->get());
    if (!left || !right) {
        return false;
    }
    constexpr std::size_t kChunk = std::size_t{64} << 10U;
    std::vector<std::byte> ours(kChunk);
    std::vector<std::byte> theirs(kChunk);
    for (std::uint64_t at = 0; at < of_first->size; at += kChunk) {
        const auto got = read_file_at(left->get(), ours, at);
        const auto wanted = read_file_at(right->get(), theirs, at);
        if (!got || !wanted || *got != *wanted || *got == 0 ||
            std::memcmp(ours.data(), theirs.data(), *got) != 0) {
            return false;
        }
    }
    return true;
}

std::size_t compare(std::span<const std::byte> job, std::span<std::byte> room,
                    std::vector<UniqueFd>& /*fds*/) {
    Question question;
    std::memcpy(&question, job.data(), std::min(job.size(), sizeof question));
    const std::string program = "/proc/" + std::to_string(question.task) + "/exe";
    const bool same =
        (question.parent != 0 &&
         has_same_bytes(program, "/proc/" + std::to_string(question.parent) + "/exe")) ||
        (question.runtime >= 0 &&
         has_same_bytes(program, "/proc/" + std::to_string(question.keeper) + "/fd/" +
                                     std::to_string(question.runtime)));
    room.front() = same ? kSame : kDifferent;
    return 1;
}

std::optional<Expendable> begin_comparison(const Question& question) {
    auto process = Expendable::start(compare, sizeof(std::byte));
    if (!process) {
        log_warning("looking at a joining process: " + process.error().text());
        return std::nullopt;
    }
    if (!process->begin(std::as_bytes(std::span(&question, 1)))) {
        return std::nullopt;
    }
    return std::move(*process);
}

bool has_ended(const TaskStatus& status) {
    return status.state == 'Z' || status.state == 'X';
}

}  // namespace

void Strays::join(Tid first, bool started) {
    if (started) {
        filters_ = 1;  // what it has by now may be more than what the runtime has loaded
        due_ = Clock::time_point{};
        return;
    }
    const auto status = procfs_.status(first);
    if (!status || !*status || (*status)->seccomp_filters <= 0) {
        return;
    }
    filters_ = std::min(filters_.value_or((*status)->seccomp_filters), (*status)->seccomp_filters);
    if (!runtime_.valid()) {
        if (auto program = open_own_path("/proc/" + std::to_string(first.value) + "/exe")) {
            runtime_ = std::move(*program);
        }
    }
    take_children((*status)->tgid);
    due_ = Clock::time_point{};
}

void Strays::take_children(Tgid joining) {
    const std::string tasks = "/proc/" + std::to_string(joining.value) + "/task";
    std::vector<pid_t> threads;
    if (!NumberDirectory().list(AT_FDCWD, tasks.c_str(), threads)) {
        return;
    }
    for (const pid_t thread : threads) {
        // proc_pid_children(5)
        const auto text =
            read_file(tasks + "/" + std::to_string(thread) + "/children", kMaxChildren);
        std::istringstream children(text ? *text : std::string());
        for (pid_t child = 0; children >> child;) {
            const auto status = procfs_.status(Tid{child});
            const auto stat = procfs_.stat(Tid{child});
            if (status && *status && stat && *stat && lacks_filter(**status)) {
                born_[Tgid{child}] = (*stat)->birth;
            }
        }
    }
}

void Strays::add_born(std::vector<Stray>& strays, const Domain& domain) {
    std::erase_if(born_, [&](const auto& born) {
        const auto status = procfs_.status(Tid{born.first.value});
        const auto stat = procfs_.stat(Tid{born.first.value});
        const bool is_it = status && *status && stat && *stat && (*stat)->birth == born.second &&
                           lacks_filter(**status);
        if (is_it) {
            add(strays, {{Tid{born.first.value}, born.first}, **status}, domain,
                "born of a process of the runtime that was joining, before that had the "
                "container's seccomp filter");
        }
        return !is_it;
    });
}

void Strays::add(std::vector<Stray>& strays, const Suspect& suspect, const Domain& domain,
                 std::string reason) {
    const auto stat = procfs_.stat(suspect.task.tid);
    const bool is_new = told_.insert(suspect.status.tgid).second;
    if (!stat || !*stat || (fate_ == StrayFate::kLeft && !is_new)) {
        return;
    }
    const auto exe = procfs_.exe(suspect.task.tid);
    Stray stray;
    stray.process = suspect.status.tgid;
    stray.birth = (*stat)->birth;
    stray.is_new = is_new;
    stray.filters = suspect.status.seccomp_filters;
    stray.number = domain.number_of(suspect.task.tid).value_or(0);
    stray.parent = suspect.status.parent;
    stray.exe = exe && *exe ? **exe : std::string();
    stray.reason = std::move(reason);
    strays.push_back(std::move(stray));
}

bool Strays::lacks_filter(const TaskStatus& status) const {
    return filters_ && !has_ended(status) && status.seccomp_filters >= 0 &&
           status.seccomp_filters < *filters_;
}

void Strays::meet(Tgid process, Clock::time_point now) {
    if (!filters_) {
        return;
    }
    const auto status = procfs_.status(Tid{process.value});
    if (status && *status && lacks_filter(**status)) {
        due_ = std::min(due_.value_or(now), now);
    }
}

std::optional<Strays::Clock::time_point> Strays::next_due() const {
    return filters_ ? due_ : std::nullopt;
}

bool Strays::is_seen_again(const Suspect& suspect) {
    const auto stat = procfs_.stat(Tid{suspect.status.tgid.value});
    if (!stat || !*stat) {
        return false;
    }
    const auto [place, is_new] = seen_.try_emplace(suspect.status.tgid, (*stat)->birth);
    if (!is_new && place->second == (*stat)->birth) {
        return true;
    }
    place->second = (*stat)->birth;
    return false;
}

bool Strays::executes_runtime(const Suspect& suspect, Clock::time_point now) {
    const Tgid process = suspect.status.tgid;
    const auto stat = procfs_.stat(Tid{process.value});
    const auto program = executable_of(process);
    if (!stat || !*stat || !program) {
        return true;  // it is gone, most likely; if not, the next look finds it
    }
    Joiner& joiner = joiners_[process];
    if (joiner.birth != (*stat)->birth || joiner.program != *program) {
        joiner = Joiner{};
        joiner.birth = (*stat)->birth;
        joiner.program = *program;
        joiner.deadline = now + kComparison;
    }
    // Without a program to compare with, a process whose parent has left it is not told from an
    // honest one.
    if (joiner.is_runtime || !runtime_.valid()) {
        return true;
    }
    if (!joiner.comparison) {
        joiner.comparison = begin_comparison(
            {process.value, suspect.status.parent.value, ::getpid(), runtime_.get()});
    }
    const ReplyState state =
        joiner.comparison ? joiner.comparison->wait(now) : ReplyState::kPending;
    if (state == ReplyState::kReady) {
        const auto reply = joiner.comparison->reply();
        joiner.is_runtime = !reply.empty() && reply.front() == kSame;
        joiner.comparison.reset();
        return joiner.is_runtime;
    }
    if (state == ReplyState::kLost) {
        joiner.comparison.reset();
    }
    return now < joiner.deadline;
}

std::string Strays::judge(const Suspect& suspect, const Domain& domain, Clock::time_point now) {
    const Tgid parent = suspect.status.parent;
    // Who joins has its parent outside of the PID namespace. An orphan has the namespace's first
    // process.
    if (parent != Tgid{} && domain.number_of(Tid{parent.value})) {
        return "a child of process " + std::to_string(parent.value) +
               " in the container, without the container's seccomp filter";
    }
    if (!executes_runtime(suspect, now)) {
        return "a process in the container that executes another program than the runtime's, "
               "without the container's seccomp filter";
    }
    return {};
}

Result<std::vector<Stray>> Strays::look(Domain& domain, Clock::time_point now) {
    std::vector<Stray> strays;
    if (!filters_) {
        return strays;
    }
    due_ = now + kEvery;
    std::vector<ListedTask> listed;
    if (const Result<> done = domain.list(listed); !done) {
        return done.error();
    }
    std::unordered_set<Tgid> members;
    std::vector<Suspect> suspects;
    for (const ListedTask& task : listed) {
        auto status = procfs_.status(task.tid);
        if (!status || !*status) {
            continue;
        }
        members.insert((*status)->tgid);
        if (lacks_filter(**status)) {
            suspects.push_back({task, std::move(**status)});
        }
    }
    add_born(strays, domain);
    std::erase_if(told_, [&](Tgid process) {
        return !members.contains(process) && !born_.contains(process);
    });
    std::erase_if(joiners_, [&](const auto& joiner) { return !members.contains(joiner.first); });
    std::erase_if(seen_, [&](const auto& seen) { return !members.contains(seen.first); });
    bool joining = false;
    for (const Suspect& suspect : suspects) {
        if (!domain.is_surely_in_cgroup(suspect.task.tid) || born_.contains(suspect.status.tgid)) {
            continue;
        }
        joining = true;
        std::string reason = judge(suspect, domain, now);
        if (reason.empty()) {
            seen_.erase(suspect.status.tgid);
            continue;
        }
        // It may have got its filter, and executed, while it was looked at.
        const auto still = procfs_.status(suspect.task.tid);
        if (!still || !*still || !lacks_filter(**still) || !is_seen_again(suspect)) {
            continue;
        }
        add(strays, suspect, domain, std::move(reason));
    }
    ++looks_;
    const auto end = Clock::now();
    // One that was found may have made others before it is killed.
    due_ = end + std::max<Clock::duration>(
                     joining || !strays.empty() ? Clock::duration(kWhileJoining) : kEvery,
                     (end - now) * kShare);
    return strays;
}

bool kill_stray(const Stray& stray, Procfs& procfs) {
    const auto pidfd = open_pidfd(stray.process.value);
    if (!pidfd) {
        return false;
    }
    // The number may have come to somebody else, and it may have got its filter.
    const auto status = procfs.status(Tid{stray.process.value});
    const auto stat = procfs.stat(Tid{stray.process.value});
    if (!status || !*status || !stat || !*stat || (*stat)->birth != stray.birth ||
        (*status)->seccomp_filters > stray.filters) {
        return false;
    }
    return send_signal(pidfd->get(), SIGKILL).has_value();
}

}  // namespace execseal
