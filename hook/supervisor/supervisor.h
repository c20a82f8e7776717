// Supervisor: everything that serves one container, on one thread around one event loop.
//
// Takes listener fds from the Listener, reads every notification at once and gives it to Turns,
// which hands forks to ForkTracking and execs to ExecGate; ends when the last listener has hung up.
// One bad notification never ends it: each is answered or found gone. If this process dies, the
// kernel answers ENOSYS to every later fork and exec of the container (its filter refuses another
// listener), tasks that were held go on, and an exec that was answered but not verified is killed
// (EXITKILL).
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "config/plan.h"
#include "config/policy.h"
#include "config/settings.h"
#include "hook/gate/audit.h"
#include "hook/gate/binding.h"
#include "hook/gate/exec_gate.h"
#include "hook/gate/kernel_binding.h"
#include "hook/gate/ptrace_binding.h"
#include "hook/gate/session.h"
#include "hook/gate/turns.h"
#include "hook/launch/launch_document.h"
#include "hook/os/event_loop.h"
#include "hook/os/exit_watch.h"
#include "hook/os/unique_fd.h"
#include "hook/supervisor/control.h"
#include "hook/supervisor/listener.h"
#include "hook/supervisor/policy_files.h"
#include "hook/tasks/cpu_group.h"
#include "hook/tasks/domain.h"
#include "hook/tasks/fork_tracking.h"
#include "hook/tasks/freeze.h"
#include "hook/tasks/strays.h"
#include "hook/tasks/task_table.h"
#include "hook/tasks/tracer.h"

namespace execseal {

struct SupervisorLaunch {
    Plan plan;
    Settings settings;
    Policy policy;
    std::optional<Policy> floor;
    UniqueFd creator;  // pidfd of the runtime that makes the container
    UniqueFd lock;     // of the container's directory
    LaunchTerms terms;
};

class Supervisor {
  public:
    // Sockets listen when this returns.
    static Result<std::unique_ptr<Supervisor>> create(SupervisorLaunch launch);

    // Serves until the container is gone (or never came to be); returns the exit code.
    int serve();

  private:
    explicit Supervisor(SupervisorLaunch launch);
    Result<> open();
    Result<> open_binder();
    [[nodiscard]] ExecBinder& binder() const;
    [[nodiscard]] nlohmann::ordered_json binding_to_json() const;

    void add_session(const ContainerProcessState& state, UniqueFd notify_fd);
    void on_notify_ready(int fd, short events);
    void end_session(int fd);
    void on_notification(Session& session, const Notification& notification);
    // Once the first task of the container is seen: its PID namespace's procfs, then fewer rights.
    void learn_domain(Tid first);
    void keep_first(Tid first);
    // For a successor; an Error where it cannot be written.
    [[nodiscard]] std::string start_path() const;
    // What names and ids mean in the container of a predecessor.
    void resume_names();
    void find_sharers();
    // For who looks after the supervisors.
    void mark_served();
    // After a predecessor's death: what it had received and not answered would wait for ever.
    void restart_calls_in_flight();
    void on_sigchld();
    // Where the settings ask for it, once the container's first program runs: a move may take
    // longer than a runtime's own exec is given.
    void take_cpu_share();
    [[nodiscard]] bool wants_cpu_share() const;
    // Those that were found are killed, but in a mode that only watches.
    void look_for_strays(EventLoop::Clock::time_point now);
    void tell_of(const Stray& stray, bool killed);
    [[nodiscard]] std::optional<EventLoop::Clock::time_point> strays_due() const;
    void run_deadlines();
    [[nodiscard]] std::optional<EventLoop::Clock::time_point> next_deadline();
    [[nodiscard]] bool finished() const;

    nlohmann::ordered_json answer(const std::string& command);
    // The policies as their files are now; nothing changes where one of them is not right.
    nlohmann::ordered_json reload();
    nlohmann::ordered_json switch_mode(Mode mode);
    // For the execs that come from now on; the others keep theirs. `what`: the event that tells.
    nlohmann::ordered_json take_terms(SharedTerms terms, const char* what);
    // Says why everything stays as it is.
    nlohmann::ordered_json refuse_change(const char* what, const std::string& reason);
    [[nodiscard]] nlohmann::ordered_json status() const;
    nlohmann::ordered_json list_tasks();

    SupervisorLaunch launch_;
    EventLoop loop_;
    std::string since_;
    UniqueFd sigchld_;
    bool creator_ended_ = false;
    // No listener has come by then: nobody will send one.
    std::optional<EventLoop::Clock::time_point> arrival_deadline_;
    bool retiring_ = false;
    bool had_session_ = false;
    bool marked_served_ = false;
    std::optional<AuditLog> audit_;
    std::unique_ptr<Procfs> procfs_;
    std::unique_ptr<Ptrace> ptrace_;
    std::unique_ptr<TraceeWait> wait_;
    std::unique_ptr<Tracer> tracer_;
    std::unique_ptr<ExitWatch> exits_;
    std::unique_ptr<TaskTable> tasks_;
    std::optional<CpuGroup> cpu_group_;
    bool has_cpu_share_ = false;  // or it could not be had
    std::unique_ptr<Strays> strays_;
    std::uint64_t strays_found_ = 0;
    std::unique_ptr<Domain> lister_;
    std::unique_ptr<ForkTracking> forks_;
    std::unique_ptr<PtraceBinder> ptrace_binder_;
    std::unique_ptr<KernelBinder> kernel_binder_;  // null: by ptrace alone
    std::string binding_reason_;                   // why, where the settings do not say so
    std::unique_ptr<Freeze> freeze_;
    std::unique_ptr<Turns> turns_;
    std::unique_ptr<ExecGate> gate_;
    std::unique_ptr<Listener> listener_;
    std::unique_ptr<RequestServer> control_;
    std::unique_ptr<PolicyFiles> policy_files_;
    std::string floor_sha256_;
    std::string last_refusal_;         // of a reload that nobody asked for; not told again
    std::map<int, Session> sessions_;  // by notify fd; std::map: references stay valid
};

}  // namespace execseal
