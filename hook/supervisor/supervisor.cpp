#include "hook/supervisor/supervisor.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "config/built_in_rules.h"
#include "config/plan_json.h"
#include "config/policy_rules.h"
#include "hook/gate/json_line.h"
#include "hook/gate/protection.h"
#include "hook/os/clock.h"
#include "hook/os/deadline.h"
#include "hook/os/executable.h"
#include "hook/os/file_read.h"
#include "hook/os/file_replace.h"
#include "hook/os/log.h"
#include "hook/os/privileges.h"
#include "hook/os/state_dir.h"
#include "hook/tasks/freeze.h"
#include "hook/tasks/notified_restart.h"
#include "hook/tasks/supervisors.h"

namespace execseal {
namespace {

using nlohmann::ordered_json;

// A pidfd each; below the common soft limit of 1,024 descriptors.
constexpr std::size_t kWatchedProcesses = 512;

ordered_json protection_to_json(const Protection& protection) {
    return {{"freeze", freeze_scope_name(protection.freeze)}, {"verify", protection.verify}};
}

std::vector<std::string> variables_of(const Policy& policy, const std::optional<Policy>& floor) {
    std::vector<std::string> variables = env_names(policy);
    if (floor) {
        const auto more = env_names(*floor);
        variables.insert(variables.end(), more.begin(), more.end());
    }
    return variables;
}

bool see_lineage(const Policy& policy, const std::optional<Policy>& floor) {
    return policy.sees_lineage() || (floor && floor->sees_lineage());
}

// What the container's filter, which is what it was at its start, does not give to these terms.
std::string lacks_of(const Terms& terms, bool forks_are_notified) {
    std::string lacks;
    if (terms.stops_everybody) {
        lacks = "each exec stops all of its tasks (freeze pidns)";
    }
    if (!forks_are_notified && see_lineage(terms.policy, terms.floor)) {
        lacks += std::string(lacks.empty() ? "" : "; ") +
                 "what stands above an exec is not known (parent, ancestor, depth): rules that "
                 "refuse hold, rules that let pass do not";
    }
    return lacks.empty()
               ? lacks
               : "the container's filter, which cannot change, does not notify forks: " + lacks;
}

// The loader stands beside this program.
Result<BindingPrograms> own_programs(const std::string& run_dir) {
    const auto self = real_path("/proc/self/exe");
    if (!self) {
        return self.error();
    }
    return BindingPrograms::open(run_dir, binding_loader(*self));
}

}  // namespace

Result<std::unique_ptr<Supervisor>> Supervisor::create(SupervisorLaunch launch) {
    std::unique_ptr<Supervisor> supervisor(new Supervisor(std::move(launch)));
    if (auto opened = supervisor->open(); !opened) {
        return opened.error();
    }
    return supervisor;
}

Supervisor::Supervisor(SupervisorLaunch launch)
    : launch_(std::move(launch)), since_(utc_now_text()) {
    if (launch_.terms.arrival) {
        arrival_deadline_ = EventLoop::Clock::now() + *launch_.terms.arrival;
    }
}

Result<> Supervisor::open() {
    const Plan& plan = launch_.plan;
    auto audit = AuditLog::open(launch_.settings.audit, plan);
    if (!audit) {
        return audit.error();
    }
    audit_ = std::move(*audit);
    audit_->record_env(variables_of(launch_.policy, launch_.floor));
    audit_->record_lineage(see_lineage(launch_.policy, launch_.floor));
    floor_sha256_ = plan.floor ? plan.floor->sha256 : "";
    auto procfs = open_procfs();
    if (!procfs) {
        return procfs.error();
    }
    procfs_ = std::move(*procfs);
    ptrace_ = real_ptrace();
    wait_ = real_tracee_wait();
    tracer_ =
        std::make_unique<Tracer>(*ptrace_, *wait_, *procfs_, restart_notified_calls(*ptrace_));
    tracer_->ask_for_supervisors([this](Tid other) { return is_supervisor(other, *procfs_); });
    auto exits = open_exit_watch(kWatchedProcesses);
    if (!exits) {
        return exits.error();
    }
    exits_ = std::move(*exits);
    tasks_ = std::make_unique<TaskTable>(*procfs_, *exits_);
    ForkTrackingLimits limits;
    limits.grace = launch_.settings.deadlines.fork_grace;
    const Policy* const floor = launch_.floor ? &*launch_.floor : nullptr;
    limits.traced_may_fork =
        protection_of(launch_.policy, floor, plan.mode).freeze == FreezeScope::kOff;
    forks_ = std::make_unique<ForkTracking>(*tracer_, *tasks_, *procfs_, limits);
    if (auto opened = open_binder(); !opened) {
        return opened.error();
    }
    freeze_ = std::make_unique<Freeze>(*tracer_, *procfs_, *tasks_);
    strays_ = std::make_unique<Strays>(
        *procfs_, plan.mode == Mode::kEnforce ? StrayFate::kKilled : StrayFate::kLeft);
    turns_ = std::make_unique<Turns>(*forks_);
    gate_ = std::make_unique<ExecGate>(GateContext{loop_, plan, launch_.settings, launch_.policy,
                                                   floor, binder(), *freeze_, *tasks_, *forks_,
                                                   *turns_, *audit_, strays_.get()});

    if (launch_.terms.recover_from == 0) {
        std::error_code ignored;  // of an earlier container of that name
        std::filesystem::remove(start_path(), ignored);
    }
    gate_->tell_start_to([this](const ContainerStart& start) {
        return create_file(start_path(), pack_start(start));
    });

    auto sigchld = open_signal_fd(SIGCHLD);
    if (!sigchld) {
        return sigchld.error();
    }
    sigchld_ = std::move(*sigchld);
    loop_.add(sigchld_.get(), POLLIN, [this](short) { on_sigchld(); });
    const int creator = launch_.creator.get();
    loop_.add(creator, POLLIN, [this, creator](short) {
        creator_ended_ = true;
        loop_.remove(creator);
    });
    auto listener = Listener::open(loop_, plan.listener_path, plan.container_id,
                                   [this](const ContainerProcessState& state, UniqueFd notify_fd) {
                                       add_session(state, std::move(notify_fd));
                                   });
    if (!listener) {
        return listener.error();
    }
    listener_ = std::move(*listener);
    auto control = open_control(loop_, plan.control_path,
                                [this](const std::string& command) { return answer(command); });
    if (!control) {
        return control.error();
    }
    control_ = std::move(*control);
    std::vector<std::string> files{plan.policy.path};
    if (plan.floor) {
        files.push_back(plan.floor->path);
    }
    policy_files_ =
        std::make_unique<PolicyFiles>(loop_, std::move(files), [this] { (void)reload(); });
    // A runtime's own first exec does not wait long (Go's preemption signal cancels it).
    if (auto warm = gate_->warm_up(); !warm) {
        log_warning("the first reader process: " + warm.error().text());
    }
    return Ok{};
}

Result<> Supervisor::open_binder() {
    ptrace_binder_ = std::make_unique<PtraceBinder>(*tracer_, *procfs_, forks_->fs_sharers(),
                                                    launch_.settings.deadlines.remote_read);
    if (launch_.settings.binding != Settings::Binding::kPtrace) {
        auto programs = own_programs(launch_.settings.run_dir);
        if (programs) {
            kernel_binder_ = std::make_unique<KernelBinder>(std::move(*programs), *ptrace_binder_,
                                                            *tracer_, forks_->fs_sharers());
            loop_.add(kernel_binder_->fd(), POLLIN, [this](short) { gate_->on_news(); });
            return Ok{};
        }
        binding_reason_ = programs.error().text();
        if (launch_.settings.binding == Settings::Binding::kKernel) {
            return make_error("\"binding\": \"kernel\" in " + launch_.settings.path +
                              ", and this node cannot: " + binding_reason_);
        }
        log_warning("execs are bound by ptrace: " + binding_reason_);
    }
    if (auto warm = ptrace_binder_->warm_up(); !warm) {
        log_warning("the verification's process: " + warm.error().text());
    }
    return Ok{};
}

ExecBinder& Supervisor::binder() const {
    return kernel_binder_ ? static_cast<ExecBinder&>(*kernel_binder_) : *ptrace_binder_;
}

ordered_json Supervisor::binding_to_json() const {
    ordered_json told{{"by", kernel_binder_ ? "kernel" : "ptrace"}};
    if (!binding_reason_.empty()) {
        told["reason"] = binding_reason_;
    }
    return told;
}

int Supervisor::serve() {
    audit_->note("start", ordered_json{{"mode", mode_name(launch_.plan.mode)},
                                       {"bundle", launch_.plan.bundle},
                                       {"binding", binding_to_json()}});
    int code = 0;
    for (;;) {
        // What is ready is served before the end is considered: a message may have come with the
        // runtime's last breath.
        auto ran = loop_.run_once(finished() ? EventLoop::Clock::now() : next_deadline());
        if (!ran) {
            log_error("event loop: " + ran.error().text());
            code = 1;
            break;
        }
        run_deadlines();
        if (*ran == 0 && finished()) {
            break;
        }
    }
    ordered_json last = status();
    for (const char* const told : {"container_id", "container_name", "pod", "policy"}) {
        last.erase(told);  // each event names them
    }
    audit_->note("end", last);
    cpu_group_.reset();
    control_.reset();
    policy_files_.reset();
    listener_.reset();
    if (code != 0) {
        return code;  // its successor needs what was kept of the container's start
    }
    if (auto removed = remove_state_dir(launch_.plan.container_dir); !removed) {
        log_warning(removed.error().text());
    }
    return code;
}

bool Supervisor::finished() const {
    if (!sessions_.empty()) {
        return false;
    }
    // crun's init holds its connection open until `start` where it sends the descriptor only then.
    const bool nobody_comes =
        creator_ended_ || (arrival_deadline_ && EventLoop::Clock::now() >= *arrival_deadline_);
    return had_session_ || retiring_ || (nobody_comes && listener_->waiting_connections() == 0);
}

void Supervisor::add_session(const ContainerProcessState& state, UniqueFd notify_fd) {
    const int fd = notify_fd.get();
    auto notify = SeccompListener::adopt(std::move(notify_fd));
    if (!notify) {
        log_error("a listener of container " + state.state.id + ": " + notify.error().text());
        return;
    }
    (void)(*notify)->try_sync_wake_up();
    if (auto begun = binder().begin_session(fd); !begun) {
        // Closed with that: each of its execs fails.
        log_error("a listener of container " + state.state.id + ": " + begun.error().text());
        return;
    }
    loop_.add(fd, POLLIN, [this, fd](short events) { on_notify_ready(fd, events); });
    Session session;
    session.notify = std::move(*notify);
    session.kind = had_session_ ? Via::kExec : Via::kEntrypoint;
    // Whose first exec this would be was seen by the predecessor; nobody else gets that standing.
    session.started = state.resumed;
    sessions_.emplace(fd, std::move(session));
    if (launch_.terms.recover_from != 0 && !had_session_) {
        restart_calls_in_flight();
    }
    had_session_ = true;
}

void Supervisor::on_notify_ready(int fd, short events) {
    const auto found = sessions_.find(fd);
    if (found == sessions_.end()) {
        return;
    }
    Session& session = found->second;
    if ((events & POLLIN) == 0) {
        end_session(fd);
        return;
    }
    // One a wake-up: RECV blocks when nothing waits, whatever O_NONBLOCK says, and the loop, which
    // is level-triggered, comes back for more without another question.
    if (std::exchange(session.was_emptied, false)) {
        const auto state = session.notify->poll(std::chrono::milliseconds(0));
        if (!state || *state != ListenerState::kReadable) {
            return;  // what the loop saw is received already
        }
    }
    auto received = session.notify->receive();
    if (!received) {
        log_warning("receiving a notification: " + received.error().text());
    } else if (*received) {
        on_notification(session, **received);
    }
}

void Supervisor::end_session(int fd) {
    loop_.remove(fd);
    turns_->forget(sessions_.at(fd));
    binder().end_session(fd);
    sessions_.erase(fd);
}

void Supervisor::on_notification(Session& session, const Notification& notification) {
    if (!lister_ && notification.tid.value != 0) {
        learn_domain(notification.tid);
        keep_first(notification.tid);
    }
    turns_->on_notification(session, notification);
}

void Supervisor::learn_domain(Tid first) {
    auto lister = Domain::open(first, launch_.plan.container_id, *procfs_, *tasks_);
    if (!lister) {
        log_error("the PID namespace of container " + launch_.plan.container_id + ": " +
                  lister.error().text());
    } else {
        lister_ = std::move(*lister);
        gate_->set_lister(lister_.get());
        if (lister_->shares()) {
            log_warning("container " + launch_.plan.container_id + " shares " +
                        (lister_->is_cgroup() ? "the host's" : "another container's") +
                        " PID namespace: its tasks are those of " + lister_->name());
            audit_->note("domain", ordered_json{{"domain", lister_->name()}});
        }
    }
    if (auto maps = read_id_maps(first); !maps) {
        log_error("the user namespace of container " + launch_.plan.container_id + ": " +
                  maps.error().text());
    } else {
        gate_->set_id_maps(std::move(*maps));
    }
    if (auto kept = keep_supervisor_capabilities(wants_cpu_share() ? KeptRights::kCgroups
                                                                   : KeptRights::kUsual);
        !kept) {
        log_error("dropping capabilities: " + kept.error().text());
    }
    if (lister_) {
        // The runtime's message and the namespaces have been looked at, and are not again.
        forget_start_up_pages();
    }
}

// For `execseal ps`: whether the container is gone that a dead supervisor has left files of.
void Supervisor::keep_first(Tid first) {
    const auto status = procfs_->status(first);
    const Tid process{status && *status ? (*status)->tgid.value : first.value};
    const auto stat = procfs_->stat(process);
    if (!stat || !*stat) {
        return;
    }
    if (auto kept = keep_first_process(launch_.plan.container_dir, {process.value, (*stat)->birth});
        !kept) {
        log_warning(kept.error().text());
    }
}

// A stop cancels the wait for an answer, and the call notifies again when its task goes on
// (seccomp_do_user_notification(), kernel/seccomp.c).
void Supervisor::restart_calls_in_flight() {
    learn_domain(Tid{launch_.terms.recover_from});
    resume_names();
    if (!lister_) {
        return;
    }
    constexpr std::chrono::seconds kBound{1};
    FreezeRequest request;
    request.deadline = EventLoop::Clock::now() + kBound;
    request.unstoppable = Unstoppable::kLeave;  // its call is not restarted, those of others are
    const FreezeReport report = freeze_->freeze(*lister_, request);
    find_sharers();
    if (report.failure != FreezeFailure::kNone) {
        log_warning("restarting the calls in flight: " + report.reason);
        return;
    }
    freeze_->thaw();
    forks_->on_sigchld(EventLoop::Clock::now());
}

std::string Supervisor::start_path() const {
    return launch_.plan.container_dir + std::string(kStartFile);
}

void Supervisor::resume_names() {
    constexpr std::size_t kLimit = 16U << 20U;
    const auto text = read_file(start_path(), kLimit);
    if (!text && text.error().code == ENOENT) {
        // Kept before the first exec is answered: the first process is still the runtime's.
        gate_->learn_root(Tid{launch_.terms.recover_from});
        return;
    }
    auto start = text ? unpack_start(*text) : text.error();
    gate_->resume(start ? std::move(start) : add_context(start_path(), start.error()));
}

// Whom the predecessor had seen to use CLONE_FS.
void Supervisor::find_sharers() {
    constexpr std::chrono::seconds kBound{1};
    std::vector<ListedTask> listed;
    if (const auto done = lister_->list(listed); !done) {
        log_warning("who shares root and working directory: " + done.error().text());
    }
    std::vector<Tgid> processes;
    for (const ListedTask& task : listed) {
        processes.push_back(task.process.value != 0 ? task.process : Tgid{task.tid.value});
    }
    auto sharers = find_all_sharers(processes, kBound);
    if (!sharers) {
        log_warning("who shares root and working directory: " + sharers.error().text());
    }
    forks_->suspect_sharers(sharers ? *sharers : processes);
}

void Supervisor::mark_served() {
    const auto& verdicts = gate_->counters().verdicts;
    if (marked_served_ || launch_.terms.recover_from == 0 ||
        (forks_->counts().born == 0 &&
         std::all_of(verdicts.begin(), verdicts.end(), [](auto count) { return count == 0; }))) {
        return;
    }
    marked_served_ = true;
    if (auto kept = keep_served_mark(launch_.plan.container_dir); !kept) {
        log_warning(kept.error().text());
    }
}

void Supervisor::on_sigchld() {
    (void)drain_signal_fd(sigchld_.get());
    forks_->on_sigchld(EventLoop::Clock::now());
    gate_->on_sigchld();
    tracer_->reap_leaving();
}

std::optional<EventLoop::Clock::time_point> Supervisor::next_deadline() {
    // Once passed it is no deadline any more: what it waits for (a connection's end) is an event.
    const bool awaited =
        arrival_deadline_ && !had_session_ && *arrival_deadline_ > EventLoop::Clock::now();
    return earliest({forks_->next_deadline(), turns_->next_deadline(), gate_->next_deadline(),
                     listener_->next_deadline(), control_->next_deadline(), tasks_->next_due(),
                     audit_->next_deadline(), policy_files_->next_deadline(), strays_due(),
                     awaited ? arrival_deadline_ : std::nullopt});
}

void Supervisor::run_deadlines() {
    const auto now = EventLoop::Clock::now();
    forks_->on_deadline(now);
    turns_->on_deadline();
    gate_->on_deadline(now);
    listener_->on_deadline(now);
    control_->on_deadline(now);
    tasks_->tend(now);
    look_for_strays(now);
    take_cpu_share();
    mark_served();
    audit_->on_deadline(now);
    policy_files_->on_deadline(now);
}

void Supervisor::look_for_strays(EventLoop::Clock::time_point now) {
    for (const Tgid process : tasks_->take_newcomers()) {
        strays_->meet(process, now);
    }
    const auto due = strays_due();
    if (!due || *due > now) {
        return;
    }
    const auto found = strays_->look(*lister_, now);
    if (!found) {
        log_warning("looking for processes without the filter: " + found.error().text());
        return;
    }
    // One that has forked many has them named up to a number a look; all are killed and counted.
    static constexpr std::uint64_t kMostNamed = 16;
    std::uint64_t told = 0;
    for (const Stray& stray : *found) {
        const bool killed = strays_->fate() == StrayFate::kKilled && kill_stray(stray, *procfs_);
        strays_found_ += stray.is_new ? 1 : 0;
        if (stray.is_new && ++told <= kMostNamed) {
            tell_of(stray, killed);
        }
    }
    if (told > kMostNamed) {
        audit_->note("stray", ordered_json{{"count", told - kMostNamed},
                                           {"rule", built_in_rule::kStray},
                                           {"reason", "more such processes, found at one look"}});
    }
}

void Supervisor::tell_of(const Stray& stray, bool killed) {
    log_warning("process " + std::to_string(stray.process.value) + " of container " +
                launch_.plan.container_id + ": " + stray.reason +
                (killed ? "; killed" : "; not killed"));
    audit_->note("stray", ordered_json{{"host_pid", stray.process.value},
                                       {"container_pid", stray.number},
                                       {"ppid", stray.parent.value},
                                       {"exe", bytes_to_json(stray.exe)},
                                       {"verdict", verdict_name(Verdict::kKill)},
                                       {"rule", built_in_rule::kStray},
                                       {"reason", stray.reason},
                                       {"outcome", killed ? "killed" : "left"}});
}

bool Supervisor::wants_cpu_share() const {
    const SupervisorCpu& cpu = launch_.settings.supervisor_cpu;
    // In a group that its launcher chose it stays: on v2 there is only one.
    return launch_.terms.cgroup.empty() && (cpu.weight != 0 || cpu.quota_percent != 0);
}

void Supervisor::take_cpu_share() {
    const SupervisorCpu& cpu = launch_.settings.supervisor_cpu;
    if (has_cpu_share_ || !wants_cpu_share()) {
        return;
    }
    const auto started = std::find_if(sessions_.begin(), sessions_.end(), [](const auto& session) {
        return session.second.started && session.second.leader;
    });
    const pid_t member =
        started != sessions_.end() ? started->second.leader->value : launch_.terms.recover_from;
    if (member == 0) {
        return;
    }
    has_cpu_share_ = true;
    constexpr std::size_t kLimit = std::size_t{1} << 20U;
    const auto theirs = read_file("/proc/" + std::to_string(member) + "/cgroup", kLimit);
    const auto ours = read_file("/proc/self/cgroup", kLimit);
    auto group = theirs && ours ? CpuGroup::make(*theirs, *ours, launch_.plan.container_id, cpu)
                                : Result<CpuGroup>(theirs ? ours.error() : theirs.error());
    if (!group) {
        log_error(group.error().text());
        return;
    }
    cpu_group_ = std::move(*group);
    if (const auto taken = cpu_group_->take(::getpid()); !taken) {
        log_error("supervisor_cpu: " + taken.error().text());
    }
}

std::optional<EventLoop::Clock::time_point> Supervisor::strays_due() const {
    return lister_ && lister_->tells_by_both() ? strays_->next_due() : std::nullopt;
}

ordered_json Supervisor::answer(const std::string& command) {
    if (command == "plan") {
        return plan_to_json(launch_.plan);
    }
    if (command == "status") {
        return status();
    }
    if (command == "tasks") {
        return list_tasks();
    }
    if (command == "reload") {
        last_refusal_.clear();
        return reload();
    }
    for (const Mode mode : {Mode::kEnforce, Mode::kAudit}) {
        if (command == std::string("mode ") + mode_name(mode)) {
            last_refusal_.clear();
            return switch_mode(mode);
        }
    }
    if (command == "retire") {
        retiring_ = sessions_.empty() && listener_->waiting_connections() == 0;
        return {{"retiring", retiring_}, {"container_id", launch_.plan.container_id}};
    }
    return {{"error", "unknown command \"" + command + "\""}};
}

ordered_json Supervisor::reload() {
    const char* const what = "reload";
    auto policy = read_policy_again(launch_.plan.policy);
    if (!policy) {
        return refuse_change(what, policy.error().text());
    }
    std::optional<Policy> floor;
    std::string floor_sha256;
    if (launch_.plan.floor) {
        auto read = read_policy_again(*launch_.plan.floor);
        if (!read) {
            return refuse_change(what, read.error().text());
        }
        floor = std::move(read->policy);
        floor_sha256 = std::move(read->sha256);
    }
    last_refusal_.clear();
    const Terms& now = *gate_->terms();
    if (policy->sha256 == now.policy_sha256 && floor_sha256 == floor_sha256_) {
        return {{"container_id", launch_.plan.container_id},
                {"changed", false},
                {"policy_sha256", now.policy_sha256}};
    }
    floor_sha256_ = std::move(floor_sha256);
    return take_terms(make_terms(std::move(policy->policy), std::move(floor), now.mode,
                                 std::move(policy->sha256), gate_->forks_are_notified()),
                      what);
}

ordered_json Supervisor::switch_mode(Mode mode) {
    const char* const what = "mode";
    const Terms& now = *gate_->terms();
    if (now.mode == mode) {
        return {{"container_id", launch_.plan.container_id},
                {"changed", false},
                {"mode", mode_name(mode)}};
    }
    if (now.mode == Mode::kEnforce) {
        // The node's owner may have thought better of it since this container started.
        const auto settings = load_settings(launch_.settings.path);
        if (!settings) {
            return refuse_change(what, settings.error().text());
        }
        if (!settings->allow_mode_switch) {
            return refuse_change(what, std::string("enforce -> ") + mode_name(mode) +
                                           ": expected \"allow_mode_switch\": true in " +
                                           settings->path);
        }
    }
    return take_terms(
        make_terms(now.policy, now.floor, mode, now.policy_sha256, gate_->forks_are_notified()),
        what);
}

ordered_json Supervisor::take_terms(SharedTerms terms, const char* what) {
    const Terms before = *gate_->terms();
    if (terms->mode != before.mode) {
        audit_->set_mode(terms->mode);
        strays_->set_fate(terms->mode == Mode::kEnforce ? StrayFate::kKilled : StrayFate::kLeft);
    }
    audit_->record_env(variables_of(terms->policy, terms->floor));
    audit_->record_lineage(see_lineage(terms->policy, terms->floor));
    ordered_json told{{"outcome", "changed"},
                      {"mode", mode_name(terms->mode)},
                      {"mode_before", mode_name(before.mode)},
                      {"policy_sha256", terms->policy_sha256},
                      {"policy_sha256_before", before.policy_sha256}};
    if (launch_.plan.floor) {
        launch_.plan.floor->sha256 = floor_sha256_;
        told["floor_sha256"] = floor_sha256_;
    }
    if (std::string lacks = lacks_of(*terms, gate_->forks_are_notified()); !lacks.empty()) {
        told["lacks"] = std::move(lacks);
    }
    launch_.plan.policy.sha256 = terms->policy_sha256;
    gate_->set_terms(std::move(terms));
    if (gate_->terms()->protection.freeze != FreezeScope::kOff && lister_ &&
        before.protection.freeze == FreezeScope::kOff) {
        find_sharers();
    }
    audit_->note(what, told);
    log_info(std::string(what) + ": " + told.dump());
    told["container_id"] = launch_.plan.container_id;
    told["changed"] = true;
    return told;
}

ordered_json Supervisor::refuse_change(const char* what, const std::string& reason) {
    if (reason != last_refusal_) {
        log_error(std::string(what) + " refused, everything stays as it is: " + reason);
        audit_->note(what, ordered_json{{"outcome", "refused"},
                                        {"reason", reason},
                                        {"policy_sha256", gate_->terms()->policy_sha256}});
    }
    last_refusal_ = reason;
    return {{"error", reason}};
}

ordered_json Supervisor::status() const {
    ordered_json status{{"container_id", launch_.plan.container_id},
                        {"container_name", launch_.plan.container_name},
                        {"pod", launch_.plan.pod},
                        {"policy", launch_.plan.policy.name},
                        {"floor", launch_.plan.floor ? ordered_json(launch_.plan.floor->name)
                                                     : ordered_json(nullptr)},
                        {"policy_sha256", gate_->terms()->policy_sha256},
                        {"mode", mode_name(gate_->terms()->mode)},
                        {"protect", protection_to_json(gate_->terms()->protection)},
                        {"binding", binding_to_json()},
                        {"supervisor_pid", ::getpid()},
                        {"listeners", sessions_.size()},
                        {"since", since_}};
    const GateCounters& counters = gate_->counters();
    auto& decisions = status["decisions"] = ordered_json::object();
    for (const auto verdict : {Verdict::kAllow, Verdict::kAudit, Verdict::kDeny, Verdict::kKill}) {
        decisions[verdict_name(verdict)] = counters.verdicts.at(static_cast<std::size_t>(verdict));
    }
    decisions[built_in_rule::kKernel] = counters.kernel_refusals;
    status["pending_execs"] = gate_->pending();
    status["races_detected"] = counters.races_detected;
    status["raced"] = counters.raced;
    status["freezes"] = counters.freezes;
    status["freeze_failures"] = counters.freeze_failures;
    status["strays"] = strays_found_;
    status["stray_looks"] = strays_->looks();
    status["events_summarized"] = audit_->summarized();
    status["events_lost"] = audit_->lost();
    status["tasks"] = tasks_->size();
    status["forks"] = forks_->counts().born;
    return status;
}

ordered_json Supervisor::list_tasks() {
    if (lister_) {
        std::vector<ListedTask> listed;
        if (auto done = lister_->list(listed); done) {
            tasks_->heal(listed, EventLoop::Clock::now());
        }
    }
    auto rows = ordered_json::array();
    for (const TaskRow& row : tasks_->rows()) {
        rows.push_back({{"tid", row.entry.key.tid.value},
                        {"container_pid", row.namespace_ids.empty() ? 0 : row.namespace_ids.back()},
                        {"parent", row.entry.parent.value},
                        {"exe", bytes_to_json(row.exe)},
                        {"registered", task_origin_name(row.entry.origin)},
                        {"since", utc_text(row.entry.since)}});
    }
    return {{"container_id", launch_.plan.container_id},
            {"domain", lister_ ? lister_->name() : ""},
            {"tasks", std::move(rows)}};
}

}  // namespace execseal
