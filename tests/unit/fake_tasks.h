// FakeTasks: a machine with the tasks that a test lays out, behind the seams of ptrace, wait and
// /proc. It keeps the kernel's rules that the tracer and the freeze rely on, and CHECKs those that
// they must keep (no detach of a task that runs, no second seize).
#pragma once

#include <unistd.h>

#include <cerrno>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "hook/os/check.h"
#include "hook/os/procfs.h"
#include "hook/os/ptrace.h"

namespace execseal {

struct FakeTask {
    Tgid process;
    Tgid parent{1};
    char state = 'S';
    Tid tracer;
    PtraceOptions options;  // of its tracer
    bool stopped = false;   // a stop was given to its tracer
    bool may_be_traced = true;
    int busy_seizes = 0;      // so many more find an exec of its process on its way; -1: all
    int passing_tracers = 0;  // that let go as soon as we look who they are
    std::deque<Stop> stops;   // that nobody has waited for yet
    int interrupts = 0;
    std::vector<int> detached_with;  // the signal of each detach
    // What an interrupt does to it; by default it stops.
    std::function<void(FakeTask&)> when_interrupted = [](FakeTask& task) {
        task.stops.emplace_back(stop::Trap{});
    };
};

class FakeTasks final : public Ptrace, public TraceeWait, public Procfs {
  public:
    FakeTask& add(pid_t tid, pid_t process, pid_t parent = 1) {
        FakeTask& task = tasks[Tid{tid}];
        task = FakeTask{};
        task.process = Tgid{process};
        task.parent = Tgid{parent};
        return task;
    }
    FakeTask& at(pid_t tid) { return tasks.at(Tid{tid}); }
    // Born attached: the child of a tracee with `births`, which has the event still to tell.
    void give_birth(FakeTask& creator, pid_t child, pid_t process, stop::EventKind kind) {
        creator.stops.emplace_back(stop::Event{kind, static_cast<std::uint64_t>(child)});
        const PtraceOptions options = creator.options;
        FakeTask& born = add(child, process);
        born.tracer = self();
        born.options = options;
        born.stops.emplace_back(stop::Trap{});
    }
    static Tid self() { return Tid{::gettid()}; }
    [[nodiscard]] std::size_t traced() const {
        std::size_t count = 0;
        for (const auto& [tid, task] : tasks) {
            count += task.tracer == self() ? 1 : 0;
        }
        return count;
    }

    Result<SeizeReach> seize(Tid tid, const PtraceOptions& options) override {
        const auto found = tasks.find(tid);
        if (found == tasks.end()) {
            return SeizeReach::kGone;
        }
        FakeTask& task = found->second;
        ++seizes;
        if (task.busy_seizes != 0) {
            task.busy_seizes -= task.busy_seizes > 0 ? 1 : 0;
            return SeizeReach::kBusy;
        }
        if (task.passing_tracers > 0) {
            --task.passing_tracers;
            return SeizeReach::kRefused;
        }
        if (task.tracer != Tid{} || !task.may_be_traced || task.state == 'Z') {
            return SeizeReach::kRefused;
        }
        task.tracer = self();
        task.options = options;
        return SeizeReach::kDone;
    }
    Result<PtraceReach> interrupt(Tid tid) override {
        FakeTask* task = tracee(tid);
        if (task == nullptr) {
            return PtraceReach::kGone;
        }
        ++task->interrupts;
        // A copy: it may end the task.
        const auto reaction = task->when_interrupted;
        reaction(*task);
        return PtraceReach::kDone;
    }
    Result<PtraceReach> detach(Tid tid, int signal) override {
        FakeTask* task = tracee(tid);
        if (task == nullptr) {
            return PtraceReach::kGone;
        }
        CHECK(task->stopped);
        task->stopped = false;
        task->tracer = Tid{};
        task->detached_with.push_back(signal);
        detached.push_back(tid);
        return PtraceReach::kDone;
    }
    Result<PtraceReach> resume(Tid tid, int /*signal*/) override {
        FakeTask* task = tracee(tid);
        if (task == nullptr) {
            return PtraceReach::kGone;
        }
        CHECK(task->stopped);
        task->stopped = false;
        return PtraceReach::kDone;
    }
    Result<std::optional<std::uint64_t>> event_message(Tid tid) override {
        const auto found = messages_.find(tid);
        return found == messages_.end() ? std::nullopt : std::optional(found->second);
    }
    Result<std::optional<SyscallState>> current_syscall(Tid /*tid*/) override {
        return std::optional<SyscallState>(SyscallState{});
    }
    Result<std::optional<RemoteAddr>> stack_pointer(Tid /*tid*/) override {
        return std::optional<RemoteAddr>();
    }
    Result<PtraceReach> set_syscall_result(Tid /*tid*/, std::int64_t /*value*/) override {
        return PtraceReach::kDone;
    }
    Result<PtraceReach> kill(Tid tid) override {
        FakeTask* task = tracee(tid);
        if (task == nullptr) {
            return PtraceReach::kGone;
        }
        task->stops = {stop::Killed{9}};
        return PtraceReach::kDone;
    }

    Result<std::optional<Stop>> try_wait(Tid tid) override {
        FakeTask* task = tracee(tid);
        if (task == nullptr) {
            return std::optional<Stop>(stop::Gone{});
        }
        if (task->stops.empty()) {
            return std::optional<Stop>();
        }
        return std::optional<Stop>(take_stop(tid, *task));
    }
    Result<AnyNews> try_wait_any() override {
        AnyNews news;
        news.kind = AnyNews::Kind::kNoTracee;
        for (auto& [tid, task] : tasks) {
            if (task.tracer != self()) {
                continue;
            }
            news.kind = AnyNews::Kind::kNothing;
            if (!task.stops.empty()) {
                news.kind = AnyNews::Kind::kStop;
                news.tid = tid;
                news.what = take_stop(tid, task);
                break;
            }
        }
        return news;
    }
    // Never blocks: where nothing has come the alarm ticks at once.
    Result<std::optional<Stop>> wait(Tid tid) override {
        CHECK(armed_);
        ++ticks;
        if (before_tick) {
            before_tick();
        }
        return try_wait(tid);
    }
    Result<> arm(std::chrono::microseconds /*slice*/) override {
        armed_ = true;
        return Ok{};
    }
    void disarm() override { armed_ = false; }

    Result<std::optional<TaskStat>> stat(Tid tid) override {
        const auto found = tasks.find(tid);
        if (found == tasks.end()) {
            return std::optional<TaskStat>();
        }
        const FakeTask& task = found->second;
        return std::optional(
            TaskStat{task.state, task.parent, static_cast<std::uint64_t>(tid.value)});
    }
    Result<std::optional<TaskStatus>> status(Tid tid) override {
        const auto found = tasks.find(tid);
        if (found == tasks.end()) {
            return std::optional<TaskStatus>();
        }
        TaskStatus status;
        status.state = found->second.state;
        status.tgid = found->second.process;
        status.parent = found->second.parent;
        status.tracer = found->second.tracer;
        return std::optional(std::move(status));
    }
    Result<std::optional<NamespaceId>> pid_namespace(Tid /*tid*/) override {
        return std::optional(NamespaceId{});
    }
    Result<std::optional<std::string>> exe(Tid /*tid*/) override {
        return std::optional<std::string>();
    }

    std::map<Tid, FakeTask> tasks;
    std::vector<Tid> detached;  // in their order
    int ticks = 0;
    int seizes = 0;
    std::function<void()> before_tick;

  private:
    FakeTask* tracee(Tid tid) {
        const auto found = tasks.find(tid);
        return found != tasks.end() && found->second.tracer == self() ? &found->second : nullptr;
    }
    Stop take_stop(Tid tid, FakeTask& task) {
        const Stop taken = task.stops.front();
        task.stops.pop_front();
        if (is_end(taken)) {
            tasks.erase(tid);
            return taken;
        }
        task.stopped = true;
        if (const auto* event = std::get_if<stop::Event>(&taken)) {
            messages_[tid] = event->message;
        }
        return taken;
    }

    bool armed_ = false;
    std::map<Tid, std::uint64_t> messages_;
};

}  // namespace execseal
