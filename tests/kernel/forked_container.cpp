#include "tests/kernel/forked_container.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/sched.h>
#include <poll.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <stdexcept>
#include <thread>

#include "hook/os/kernel_constants.h"
#include "hook/os/procfs.h"

namespace execseal::test {
namespace {

constexpr int kPatience = 10'000;  // milliseconds

void notify(scmp_filter_ctx filter, int nr) {
    (void)seccomp_rule_add(filter, SCMP_ACT_NOTIFY, nr, 0);
}

// -1 when the kernel or the library refuses.
int install_filter(NotifiedCalls calls) {
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    (void)seccomp_arch_add(filter, SCMP_ARCH_X86);
    notify(filter, SCMP_SYS(fork));
    notify(filter, SCMP_SYS(vfork));
    notify(filter, SCMP_SYS(clone3));
    (void)seccomp_rule_add(filter, SCMP_ACT_NOTIFY, SCMP_SYS(clone), 1,
                           SCMP_A0(SCMP_CMP_MASKED_EQ, static_cast<scmp_datum_t>(kCloneThread), 0));
    if (calls == NotifiedCalls::kForksAndExecs) {
        notify(filter, SCMP_SYS(execve));
        notify(filter, SCMP_SYS(execveat));
    }
    if (seccomp_load(filter) != 0) {
        return -1;
    }
    return seccomp_notify_fd(filter);
}

void send_fd(int socket, int fd) {
    char byte = 'f';
    iovec data{&byte, 1};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    if (fd >= 0) {
        message.msg_control = control;
        message.msg_controllen = sizeof control;
        cmsghdr* header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int));
        std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
    }
    (void)sendmsg(socket, &message, 0);
}

int receive_fd(int socket) {
    char byte = 0;
    iovec data{&byte, 1};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    if (recvmsg(socket, &message, MSG_CMSG_CLOEXEC) != 1) {
        return -1;
    }
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    if (header == nullptr || header->cmsg_type != SCM_RIGHTS) {
        return -1;
    }
    int fd = -1;
    std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
    return fd;
}

}  // namespace

void Inside::say(char word) const {
    (void)!write(socket_, &word, 1);
}

char Inside::hear() const {
    char word = 0;
    while (true) {
        const ssize_t got = read(socket_, &word, 1);
        if (got == 1) {
            return word;
        }
        if (got == 0 || errno != EINTR) {
            _exit(99);
        }
    }
}

ForkedContainer::ForkedContainer(NotifiedCalls calls, const Body& body, PidNamespace pids) {
    int ends[2] = {-1, -1};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
        throw std::runtime_error("socketpair");
    }
    const unsigned long flags = SIGCHLD | (pids == PidNamespace::kOwn ? CLONE_NEWPID : 0UL);
    pid_ = static_cast<pid_t>(syscall(SYS_clone, flags, nullptr, nullptr, nullptr, nullptr));
    if (pid_ == 0) {
        close(ends[0]);
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)prctl(PR_SET_NAME, "contained");
        sigset_t none;
        sigemptyset(&none);
        (void)pthread_sigmask(SIG_SETMASK, &none, nullptr);
        const Inside inside(ends[1]);
        const int listener = calls == NotifiedCalls::kNone ? -1 : install_filter(calls);
        send_fd(ends[1], listener);
        if (listener >= 0) {
            close(listener);
        }
        (void)inside.hear();  // the test holds the listener by now
        _exit(body(inside));
    }
    close(ends[1]);
    if (pid_ < 0) {
        close(ends[0]);
        throw std::runtime_error("clone: root is needed");
    }
    socket_ = ends[0];
    const int fd = receive_fd(socket_);
    if (calls != NotifiedCalls::kNone) {
        if (fd < 0) {
            throw std::runtime_error("no seccomp listener");
        }
        auto adopted = SeccompListener::adopt(UniqueFd(fd));
        if (!adopted) {
            throw std::runtime_error(adopted.error().text());
        }
        listener_ = std::move(adopted).value();
    }
    say('g');
}

ForkedContainer::~ForkedContainer() {
    if (pid_ > 0) {
        kill(pid_, SIGKILL);
        // A test that failed may have left tracees: unreaped they would keep the namespace's init
        // from ending (zap_pid_ns_processes()).
        int status = 0;
        while (waitpid(pid_, &status, WNOHANG | __WALL) == 0) {
            (void)waitpid(-1, &status, __WCLONE | WNOHANG);
            std::this_thread::yield();
        }
    }
    close(socket_);
}

void ForkedContainer::say(char word) const {
    (void)!send(socket_, &word, 1, MSG_NOSIGNAL);
}

char ForkedContainer::hear() const {
    pollfd watched{socket_, POLLIN, 0};
    char word = 0;
    if (poll(&watched, 1, kPatience) != 1 || read(socket_, &word, 1) != 1) {
        return '\0';
    }
    return word;
}

bool ForkedContainer::has_word() const {
    pollfd watched{socket_, POLLIN, 0};
    return poll(&watched, 1, 0) == 1;
}

int ForkedContainer::wait_end() {
    int status = 0;
    if (pid_ <= 0 || waitpid(pid_, &status, 0) != pid_) {
        return -1;
    }
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void* map_shared(std::size_t size) {
    void* memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        throw std::runtime_error("mmap");
    }
    return memory;
}

bool eventually(const std::function<bool()>& condition) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(kPatience);
    while (!condition()) {
        if (std::chrono::steady_clock::now() > end) {
            return false;
        }
        std::this_thread::yield();
    }
    return true;
}

char state_of(pid_t tid) {
    static const std::unique_ptr<Procfs> kProcfs = open_procfs().value();
    const auto stat = kProcfs->stat(Tid{tid});
    return stat && *stat ? (*stat)->state : '\0';
}

pid_t tracer_of(pid_t tid) {
    static const std::unique_ptr<Procfs> kProcfs = open_procfs().value();
    const auto status = kProcfs->status(Tid{tid});
    return status && *status ? (*status)->tracer.value : 0;
}

}  // namespace execseal::test
