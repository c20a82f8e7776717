#include "hook/os/kernel_probe.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>

#include "hook/os/byte_io.h"
#include "hook/os/pidfd.h"
#include "hook/os/scope_exit.h"
#include "hook/os/seccomp_notify.h"
#include "hook/os/unix_socket.h"

namespace execseal {
namespace {

// getppid(2) is notified, everything else runs.
int load_filter() {
    std::array<sock_filter, 4> program{{
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    }};
    const sock_fprog filter{program.size(), program.data()};
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        return -1;
    }
    return static_cast<int>(
        ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &filter));
}

[[noreturn]] void be_notified(int socket, pid_t parent) {
    const int listener = load_filter();
    if (listener < 0) {
        const int code = errno;
        (void)!::write(socket, &code, sizeof code);
        ::_exit(2);
    }
    const int none = 0;
    const std::string_view bytes(reinterpret_cast<const char*>(&none), sizeof none);
    if (!send_with_fds(socket, bytes, {listener})) {
        ::_exit(2);
    }
    (void)::close(listener);
    ::_exit(::syscall(SYS_getppid) == parent ? 0 : 1);
}

int wait_for(pid_t child) {
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    return status;
}

Result<UniqueFd> receive_listener(int socket) {
    auto received = receive_with_fds(socket, sizeof(int));
    if (!received) {
        return received.error();
    }
    int code = 0;
    if (received->bytes.size() != sizeof code) {
        return make_error("seccomp: the probe's process ended early");
    }
    (void)received->bytes.copy(reinterpret_cast<char*>(&code), sizeof code);
    if (code != 0 || received->fds.size() != 1) {
        return Error{code, "seccomp(SECCOMP_FILTER_FLAG_NEW_LISTENER)"};
    }
    return std::move(received->fds.front());
}

Result<NotifyProbe> answer_one(UniqueFd listener, std::chrono::milliseconds deadline) {
    auto notify = SeccompListener::adopt(std::move(listener));
    if (!notify) {
        return notify.error();
    }
    NotifyProbe probe;
    probe.sync_wake_up = (*notify)->try_sync_wake_up();
    const auto state = (*notify)->poll(deadline);
    if (!state) {
        return state.error();
    }
    if (*state != ListenerState::kReadable) {
        return Error{ETIMEDOUT, "waiting for a notification"};
    }
    const auto received = (*notify)->receive();
    if (!received) {
        return received.error();
    }
    if (!*received) {
        return make_error("seccomp: the notification went away");
    }
    if (auto answered = (*notify)->answer((*received)->id, Answer::go_on()); !answered) {
        return answered.error();
    }
    return probe;
}

}  // namespace

Result<NotifyProbe> probe_user_notification(std::chrono::milliseconds deadline) {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
        return Error{errno, "socketpair"};
    }
    const UniqueFd ours(ends[0]);
    UniqueFd theirs(ends[1]);
    const pid_t parent = ::getpid();
    const pid_t child = ::fork();
    if (child < 0) {
        return Error{errno, "fork"};
    }
    if (child == 0) {
        be_notified(theirs.get(), parent);
    }
    theirs.reset();
    ScopeExit undo{[child] {
        (void)::kill(child, SIGKILL);  // allowed: our own child, not waited for yet
        (void)wait_for(child);
    }};
    auto listener = receive_listener(ours.get());
    if (!listener) {
        return listener.error();
    }
    auto probe = answer_one(std::move(*listener), deadline);
    if (!probe) {
        return probe;
    }
    undo.dismiss();
    const int status = wait_for(child);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        return make_error("seccomp: a call that was answered with CONTINUE did not go on");
    }
    return probe;
}

Result<> probe_ptrace() {
    auto ready = make_pipe();
    if (!ready) {
        return ready.error();
    }
    const pid_t middle = ::fork();
    if (middle < 0) {
        return Error{errno, "fork"};
    }
    if (middle == 0) {
        const pid_t task = ::fork();
        if (task == 0) {
            // Not for ever, should nobody be left to end it.
            (void)::alarm(30);
            (void)::pause();
            ::_exit(0);
        }
        (void)!::write(ready->write.get(), &task, sizeof task);
        ::_exit(0);
    }
    pid_t task = 0;
    const bool told = ::read(ready->read.get(), &task, sizeof task) == sizeof task;
    (void)wait_for(middle);
    if (!told || task <= 0) {
        return make_error("the probe's process did not start");
    }
    auto alive = open_pidfd(task);
    if (!alive) {
        return alive.error();
    }
    // By its pidfd: an orphan's number is free as soon as init has reaped it.
    const ScopeExit undo{[&alive] { (void)send_signal(alive->get(), SIGKILL); }};
    if (::ptrace(PTRACE_SEIZE, task, nullptr, PTRACE_O_EXITKILL) != 0) {
        return Error{errno, "PTRACE_SEIZE"};
    }
    if (::ptrace(PTRACE_INTERRUPT, task, nullptr, nullptr) != 0) {
        return Error{errno, "PTRACE_INTERRUPT"};
    }
    // Comes to an end in any case: at the latest the alarm ends the process.
    int status = 0;
    while (::waitpid(task, &status, __WALL) < 0 && errno == EINTR) {
    }
    const bool stopped = WIFSTOPPED(status);
    (void)::ptrace(PTRACE_DETACH, task, nullptr, nullptr);
    return stopped ? Result<>(Ok{}) : make_error("PTRACE_INTERRUPT: no stop came");
}

}  // namespace execseal
