#include "hook/os/foreground_run.h"

#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "hook/os/exec_strings.h"
#include "hook/os/pidfd.h"
#include "hook/os/scope_exit.h"

namespace execseal {
namespace {

constexpr int kPassedOn[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};

std::vector<std::string> own_environment_and(const std::vector<std::string>& more) {
    std::vector<std::string> all = more;
    for (char** entry = environ; *entry != nullptr; ++entry) {
        const std::string text = *entry;
        const std::string name = text.substr(0, text.find('=') + 1);
        bool replaced = false;
        for (const std::string& one : more) {
            replaced = replaced || one.starts_with(name);
        }
        if (!replaced) {
            all.push_back(text);
        }
    }
    return all;
}

Result<pid_t> start(const std::vector<std::string>& argv,
                    const std::vector<std::string>& environment, const sigset_t& mask) {
    posix_spawnattr_t attributes;
    (void)::posix_spawnattr_init(&attributes);
    const ScopeExit free_attributes{
        [&attributes] { (void)::posix_spawnattr_destroy(&attributes); }};
    (void)::posix_spawnattr_setsigmask(&attributes, &mask);
    (void)::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    const std::vector<std::string> all = own_environment_and(environment);
    pid_t child = 0;
    const int code = ::posix_spawn(&child, argv.front().c_str(), nullptr, &attributes,
                                   exec_strings(argv).data(), exec_strings(all).data());
    return code == 0 ? Result<pid_t>(child) : Error{code, argv.front()};
}

}  // namespace

Result<int> run_in_foreground(const std::vector<std::string>& argv,
                              const std::vector<std::string>& environment) {
    // Ignored, children would be reaped without a word.
    (void)::signal(SIGCHLD, SIG_DFL);
    sigset_t taken;
    (void)::sigemptyset(&taken);
    (void)::sigaddset(&taken, SIGCHLD);
    for (const int signal : kPassedOn) {
        (void)::sigaddset(&taken, signal);
    }
    sigset_t before;
    if (::sigprocmask(SIG_BLOCK, &taken, &before) != 0) {
        return Error{errno, "sigprocmask"};
    }
    const auto child = start(argv, environment, before);
    if (!child) {
        return child.error();
    }
    const auto pidfd = open_pidfd(*child);
    int status = 0;
    for (;;) {
        siginfo_t info{};
        const int signal = ::sigwaitinfo(&taken, &info);
        if (signal == SIGCHLD) {
            if (::waitpid(*child, &status, WNOHANG) == *child) {
                break;
            }
        } else if (signal > 0 && info.si_code != SI_KERNEL && pidfd) {
            (void)send_signal(pidfd->get(), signal);
        }
    }
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace execseal
