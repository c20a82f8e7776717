#include "hook/agent/agent.h"

#include <poll.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <utility>

#include "config/built_in_rules.h"
#include "config/policy_rules.h"
#include "config/settings.h"
#include "hook/agent/audit_tail.h"
#include "hook/agent/containers.h"
#include "hook/agent/metrics.h"
#include "hook/agent/metrics_server.h"
#include "hook/agent/policy_watch.h"
#include "hook/os/deadline.h"
#include "hook/os/event_loop.h"
#include "hook/os/log.h"
#include "hook/os/service_manager.h"
#include "hook/os/state_dir.h"
#include "hook/os/unix_socket.h"
#include "hook/supervisor/listener.h"

namespace execseal {
namespace {

namespace fs = std::filesystem;
using Clock = EventLoop::Clock;

// How long a scrape may keep the loop from new containers.
constexpr std::chrono::milliseconds kSurveyBudget{200};

RuleVerdicts rule_verdicts(const Policy& policy) {
    RuleVerdicts rules;
    for (const CompiledRule& rule : policy.compiled().rules) {
        rules.emplace_back(rule.id, verdict_name(rule.verdict));
    }
    rules.emplace_back(built_in_rule::kDefault, verdict_name(policy.compiled().default_verdict));
    return rules;
}

class Agent {
  public:
    explicit Agent(Settings settings)
        : settings_(std::move(settings)), manager_(ServiceManager::from_environment()) {}

    Result<> open() {
        auto procfs = open_procfs();
        if (!procfs) {
            return procfs.error();
        }
        procfs_ = std::move(*procfs);
        containers_ = std::make_unique<Containers>(loop_, settings_, manager_, *procfs_);
        for (const int number : {SIGTERM, SIGINT}) {
            if (auto watched = watch_signal(number); !watched) {
                return watched;
            }
        }
        if (auto prepared = prepare_directories(); !prepared) {
            return prepared;
        }
        if (auto listening = open_listener(); !listening) {
            return listening;
        }
        policies_ = std::make_unique<PolicyWatch>(loop_, settings_.policies_dir);
        return open_metrics();
    }

    int serve() {
        say("READY=1\nSTATUS=listening at " + settings_.agent.socket);
        log_info("listening at " + settings_.agent.socket);
        while (!stopping_) {
            if (auto ran = loop_.run_once(next_deadline()); !ran) {
                log_error("event loop: " + ran.error().text());
                return 1;
            }
            run_deadlines();
        }
        say("STOPPING=1");
        return 0;
    }

  private:
    Result<> watch_signal(int number) {
        auto fd = open_signal_fd(number);
        if (!fd) {
            return fd.error();
        }
        loop_.add(fd->get(), POLLIN, [this](short) { stopping_ = true; });
        signals_.push_back(std::move(*fd));
        return Ok{};
    }

    Result<> prepare_directories() {
        std::error_code failed;
        fs::create_directories(fs::path(settings_.agent.socket).parent_path(), failed);
        if (!failed && !settings_.agent.supervisors_cgroup.empty()) {
            fs::create_directories(settings_.agent.supervisors_cgroup, failed);
        }
        if (failed) {
            return Error{failed.value(), "mkdir"};
        }
        // Two agents would take each other's socket away.
        auto lock = occupy_state_dir(settings_.run_dir + "/" + kAgentStateDir);
        if (!lock) {
            return add_context("another agent runs on this node", lock.error());
        }
        lock_ = std::move(*lock);
        return Ok{};
    }

    // Sockets that the service manager has made come first; what it has stored was a listener of a
    // container.
    Result<> open_listener() {
        UniqueFd socket;
        for (HandedFd& handed : take_handed_fds()) {
            if (is_listening_socket(handed.fd.get())) {
                socket = std::move(handed.fd);
            } else if (const auto stored = parse_stored(handed.name)) {
                containers_->adopt(*stored, std::move(handed.fd));
            } else {
                log_warning("a descriptor \"" + handed.name +
                            "\" that is not ours was handed over");
            }
        }
        if (!socket.valid()) {
            auto made = listen_unix(settings_.agent.socket);
            if (!made) {
                return made.error();
            }
            socket = std::move(*made);
        }
        containers_->serve_adopted();
        listener_ =
            Listener::adopt(loop_, std::move(socket),
                            [this](const ContainerProcessState& message, UniqueFd notify_fd) {
                                containers_->take(message, std::move(notify_fd));
                            });
        return Ok{};
    }

    Result<> open_metrics() {
        if (settings_.agent.metrics.empty()) {
            return Ok{};
        }
        if (settings_.audit.file.empty()) {
            return make_error(settings_.path +
                              ": /agent/metrics: expected /audit/file, which they are made from");
        }
        auto tail = AuditTail::open(settings_.audit.file);
        if (!tail) {
            return tail.error();
        }
        tail_ = std::make_unique<AuditTail>(std::move(*tail));
        auto server =
            open_metrics_server(loop_, settings_.agent.metrics, [this] { return metrics_text(); });
        if (!server) {
            return server.error();
        }
        metrics_server_ = std::move(*server);
        return Ok{};
    }

    std::string metrics_text() {
        read_events();
        const ContainersCounters& counters = containers_->counters();
        MetricsGauges gauges;
        gauges.node = survey_node(settings_.run_dir, kSurveyBudget);
        gauges.containers = containers_->size();
        gauges.listeners = counters.listeners;
        gauges.listeners_refused = counters.refused;
        gauges.supervisor_restarts = counters.restarts;
        for (const auto& [name, policy] : policies_->policies()) {
            gauges.policies[name] = policy.has_value();
            metrics_.begin_at_zero(name, policy ? rule_verdicts(*policy) : RuleVerdicts{});
        }
        gauges.policy_reloads = policies_->reloads();
        return metrics_.text(gauges);
    }

    void read_events() {
        auto read = tail_->read([this](std::string_view line) { metrics_.add_line(line); });
        if (!read) {
            log_warning("metrics: " + read.error().text());
        }
    }

    [[nodiscard]] std::optional<Clock::time_point> next_deadline() const {
        std::optional<Clock::time_point> next =
            earliest({listener_->next_deadline(), containers_->next_deadline()});
        if (metrics_server_) {
            next = earliest({next, metrics_server_->next_deadline()});
        }
        if (const auto interval = manager_.watchdog_interval()) {
            next = earliest({next, last_sign_of_life_ + *interval});
        }
        return next;
    }

    void run_deadlines() {
        const auto now = Clock::now();
        listener_->on_deadline(now);
        containers_->on_deadline(now);
        if (metrics_server_) {
            metrics_server_->on_deadline(now);
        }
        if (const auto interval = manager_.watchdog_interval();
            interval && now >= last_sign_of_life_ + *interval) {
            last_sign_of_life_ = now;
            say("WATCHDOG=1");
        }
    }

    void say(const std::string& assignments) const {
        if (auto said = manager_.notify(assignments); !said) {
            log_warning("service manager: " + said.error().text());
        }
    }

    Settings settings_;
    EventLoop loop_;
    ServiceManager manager_;
    std::unique_ptr<Procfs> procfs_;
    std::vector<UniqueFd> signals_;
    UniqueFd lock_;
    std::unique_ptr<Containers> containers_;
    std::unique_ptr<Listener> listener_;
    std::unique_ptr<PolicyWatch> policies_;
    std::unique_ptr<AuditTail> tail_;
    std::unique_ptr<RequestServer> metrics_server_;
    Metrics metrics_;
    Clock::time_point last_sign_of_life_{};
    bool stopping_ = false;
};

Result<int> set_up_and_serve() {
    (void)std::signal(SIGPIPE, SIG_IGN);
    auto settings = load_settings(settings_path());
    if (!settings) {
        return settings.error();
    }
    auto level = log_level_from(settings->log.level);
    if (!level) {
        return add_context(settings->path + ": /log/level", level.error());
    }
    if (auto logging = log_to(settings->log.file, *level, "execseal-agent"); !logging) {
        return logging.error();
    }
    Agent agent(std::move(*settings));
    if (auto opened = agent.open(); !opened) {
        log_error(opened.error().text());
        return opened.error();
    }
    return agent.serve();
}

}  // namespace

int run_agent() {
    const auto code = set_up_and_serve();
    if (!code) {
        (void)std::fprintf(stderr, "execseal-hook agent: %s\n", code.error().text().c_str());
        return 1;
    }
    return *code;
}

}  // namespace execseal
