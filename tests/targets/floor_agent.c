// floor_agent SOCKET [--judge] [--sync-wakeup] [--gate=forks|execs|verify|freeze]: the least agent
// that can serve a container's seccomp notifications. One thread, no policy, no log; every
// notification costs poll + RECV + SEND.
//
// Plain, it says CONTINUE to everything: the floor that execseal's costs are measured against.
// With --judge it also looks at the caller before it says CONTINUE, in the racy way of agents that
// read and let go; the attacks must win against it, or they prove nothing. With --gate it also does
// what bare_gate.h says, with --gate=freeze bare_freeze.h, too. Not part of the product.
//
// Prints "READY" when the socket listens. Dies with its parent.
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "bare_freeze.h"

#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS  // Linux 6.6
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, __u64)
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP (1UL << 0)
#endif

enum { kMaxPeers = 64, kMaxState = 1 << 20, kMaxWaiting = 256 };

// A connection of the runtime until its state message is complete (then `fd` is closed and `notify`
// served), or a notification fd being served (`fd` is -1).
struct peer {
    int fd;
    int notify;
    size_t received;
    int depth;
    bool in_string, escaped, complete;
    struct freeze_domain domain;
};

static struct peer peers[kMaxPeers];
// [0] is the listening socket, [1] what SIGCHLD is read from (-1 without a gate).
enum { kFirstPeer = 2 };
static struct pollfd polled[kMaxPeers + kFirstPeer];
static int peer_count;
static bool judging, sync_wakeup;
static enum gate_steps gate;

static void die(const char* what) {
    perror(what);
    exit(1);
}

// The end of the message is complete JSON: the runtime may keep the connection open for the
// container's whole life (runc before 1.2.7).
static void scan_json(struct peer* peer, const char* text, size_t size) {
    for (size_t i = 0; i < size && !peer->complete; ++i) {
        const char c = text[i];
        if (peer->in_string) {
            if (peer->escaped) {
                peer->escaped = false;
            } else if (c == '\\') {
                peer->escaped = true;
            } else if (c == '"') {
                peer->in_string = false;
            }
        } else if (c == '"') {
            peer->in_string = true;
        } else if (c == '{') {
            ++peer->depth;
        } else if (c == '}') {
            peer->complete = --peer->depth == 0;
        }
    }
}

static void drop(int index) {
    if (peers[index].fd >= 0) {
        close(peers[index].fd);
    }
    if (peers[index].notify >= 0) {
        close(peers[index].notify);
    }
    freeze_close(&peers[index].domain);
    --peer_count;
    peers[index] = peers[peer_count];
    polled[index + kFirstPeer] = polled[peer_count + kFirstPeer];
}

static void accept_peer(int listener) {
    const int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0) {
        return;
    }
    if (peer_count == kMaxPeers) {
        close(fd);
        return;
    }
    peers[peer_count] = (struct peer){.fd = fd, .notify = -1};
    polled[kFirstPeer + peer_count++] = (struct pollfd){.fd = fd, .events = POLLIN};
}

static void receive_state(int index) {
    struct peer* peer = &peers[index];
    static char text[1 << 16];
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(4 * sizeof(int))];
    } control;
    struct iovec iov = {text, sizeof text};
    struct msghdr message = {.msg_iov = &iov,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control};
    const ssize_t size = recvmsg(peer->fd, &message, MSG_CMSG_CLOEXEC);
    if (size < 0 && errno == EINTR) {
        return;
    }
    for (struct cmsghdr* c = CMSG_FIRSTHDR(&message); size > 0 && c; c = CMSG_NXTHDR(&message, c)) {
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS && peer->notify < 0) {
            memcpy(&peer->notify, CMSG_DATA(c), sizeof(int));
        }
    }
    if (size <= 0 || (peer->received += (size_t)size) > kMaxState) {
        drop(index);
        return;
    }
    scan_json(peer, text, (size_t)size);
    if (peer->complete) {
        close(peer->fd);
        peer->fd = -1;
        if (peer->notify < 0) {
            drop(index);
            return;
        }
        if (sync_wakeup) {
            (void)ioctl(peer->notify, SECCOMP_IOCTL_NOTIF_SET_FLAGS,
                        SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP);
        }
        polled[index + kFirstPeer].fd = peer->notify;
    }
}

// ---- the naive judge --------------------------------------------------------------------------

static bool read_remote(pid_t pid, uint64_t address, void* to, size_t size) {
    struct iovec local = {to, size};
    struct iovec remote = {(void*)(uintptr_t)address, size};
    return process_vm_readv(pid, &local, 1, &remote, 1, 0) == (ssize_t)size;
}

// A string of at most 4095 bytes; cut at the end of the last page that could be read.
static bool read_string(pid_t pid, uint64_t address, char text[4096]) {
    const size_t first = 4096 - (address & 4095);
    struct iovec local = {text, 4095};
    struct iovec remote[2] = {{(void*)(uintptr_t)address, first},
                              {(void*)(uintptr_t)(address + first), 4095 - first}};
    const ssize_t got = process_vm_readv(pid, &local, 1, remote, first < 4095 ? 2 : 1, 0);
    text[got > 0 ? got : 0] = '\0';
    return got > 0;
}

static const char* base_name(const char* path) {
    const char* slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

// The file that /proc shows behind `path`: the evil witness, or a script with evil in its first
// line?
static bool is_evil_file(const char* path, pid_t pid) {
    char evil[64];
    char start[64] = "";
    struct stat file, bad;
    snprintf(evil, sizeof evil, "/proc/%d/root/bin/witness-evil", pid);
    if (stat(evil, &bad) != 0 || stat(path, &file) != 0) {
        return false;
    }
    const int script = open(path, O_RDONLY | O_CLOEXEC);
    const bool is_script = read(script, start, sizeof start - 1) > 0 && start[0] == '#';
    close(script);
    return (file.st_ino == bad.st_ino && file.st_dev == bad.st_dev) ||
           (is_script && strstr(start, "evil"));
}

static bool names_evil_program(pid_t pid, int dirfd, const char* path) {
    char seen[8192];
    if (strstr(path, "evil")) {
        return true;
    }
    if (path[0] == '\0') {
        snprintf(seen, sizeof seen, "/proc/%d/fd/%d", pid, dirfd);
    } else if (strncmp(path, "/proc/self/", 11) == 0) {
        snprintf(seen, sizeof seen, "/proc/%d/%s", pid, path + 11);
    } else if (path[0] == '/') {
        snprintf(seen, sizeof seen, "/proc/%d/root%s", pid, path);
    } else {
        snprintf(seen, sizeof seen, "/proc/%d/cwd/%s", pid, path);
    }
    char link[4096];
    const ssize_t size = readlink(seen, link, sizeof link - 1);
    if (size > 0) {
        link[size] = '\0';
        if (path[0] != '\0' && link[0] == '/') {  // a link of the container's own
            return strstr(link, "evil") != NULL;
        }
    }
    return is_evil_file(seen, pid);
}

static bool list_has_evil(pid_t pid, uint64_t list, size_t width) {
    for (int i = 0; i < 1024; ++i) {
        uint64_t address = 0;
        char text[4096];
        if (!read_remote(pid, list + (uint64_t)i * width, &address, width) || address == 0) {
            return false;
        }
        if (read_string(pid, address, text) && strstr(text, "evil")) {
            return true;
        }
    }
    return false;
}

// The names under which the attacks run a witness.
static bool is_witness(const char* path) {
    return strncmp(base_name(path), "witness", 7) == 0 || path[0] == '\0' ||
           strncmp(path, "/proc/self/fd/", 14) == 0 || strcmp(path, "/tmp/program") == 0;
}

// Only a witness (see race.h) is judged: it may run as "witness good" with no evil in sight.
static bool naive_allows(const struct seccomp_notif* request) {
    const struct seccomp_data* data = &request->data;
    const bool compat = data->arch != AUDIT_ARCH_X86_64;
    const size_t width = compat ? 4 : 8;
    const bool at = data->nr == (compat ? 358 : __NR_execveat);
    if (!at && data->nr != (compat ? 11 : __NR_execve)) {
        return true;
    }
    const pid_t pid = (pid_t)request->pid;
    const __u64* args = at ? data->args + 1 : data->args;
    char path[4096] = "";
    uint64_t second = 0;
    char word[4096] = "";
    if (!read_string(pid, args[0], path) && !at) {
        return true;
    }
    if (!is_witness(path)) {
        return true;
    }
    if (!read_remote(pid, args[1] + width, &second, width) || !read_string(pid, second, word)) {
        return false;
    }
    return strcmp(word, "good") == 0 && !list_has_evil(pid, args[2], width) &&
           !names_evil_program(pid, at ? (int)data->args[0] : AT_FDCWD, path);
}

// ---- serving ----------------------------------------------------------------------------------

static struct seccomp_notif* request;
static struct seccomp_notif_resp* response;
static struct seccomp_notif_sizes sizes;

static bool receive(int notify) {
    memset(request, 0, sizes.seccomp_notif);
    // ENOENT and EINTR: the caller went away or was interrupted; it comes again or it is gone.
    return ioctl(notify, SECCOMP_IOCTL_NOTIF_RECV, request) == 0;
}

// error 0: CONTINUE
static void answer(int notify, __u64 id, int error) {
    memset(response, 0, sizes.seccomp_notif_resp);
    response->id = id;
    response->error = -error;
    response->flags = error == 0 ? SECCOMP_USER_NOTIF_FLAG_CONTINUE : 0;
    (void)ioctl(notify, SECCOMP_IOCTL_NOTIF_SEND, response);
}

static void serve(int notify) {
    if (receive(notify)) {
        const bool allowed = (!judging || naive_allows(request)) && gate_admit(request, gate);
        answer(notify, request->id, allowed ? 0 : EACCES);
    }
}

// One exec at a time, and nothing else while it holds the others. Who comes before it begins waits
// its turn; who comes later is interrupted, and comes again.
static void serve_in_turn(struct peer* peer) {
    static struct seccomp_notif waiting[kMaxWaiting];
    struct pollfd more = {.fd = peer->notify, .events = POLLIN};
    int count = 0;
    if (receive(peer->notify)) {
        waiting[count++] = *request;
    }
    while (count > 0) {
        const struct seccomp_notif turn = waiting[0];
        const bool is_exec = turn.data.nr == __NR_execve;
        memmove(waiting, waiting + 1, (size_t)--count * sizeof turn);
        while (is_exec && count < kMaxWaiting && poll(&more, 1, 0) == 1 && more.revents & POLLIN) {
            if (receive(peer->notify)) {
                waiting[count++] = *request;
            }
        }
        int error = 0;
        if (is_exec) {
            error = freeze_admit(&peer->domain, &turn, waiting, count);
        } else {
            (void)gate_admit(&turn, gate);
        }
        answer(peer->notify, turn.id, error);
        if (is_exec && error == 0) {
            freeze_hold((pid_t)turn.pid);
        }
    }
}

static int listen_at(const char* path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path) {
        fprintf(stderr, "floor_agent: socket path too long: %s\n", path);
        exit(2);
    }
    strcpy(address.sun_path, path);
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr*)&address, sizeof address) != 0 ||
        listen(fd, 16) != 0) {
        die(path);
    }
    return fd;
}

int main(int argc, char** argv) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (argc < 2) {
        fprintf(stderr,
                "usage: floor_agent SOCKET [--judge] [--sync-wakeup] "
                "[--gate=forks|execs|verify|freeze]\n");
        return 2;
    }
    for (int i = 2; i < argc; ++i) {
        judging |= strcmp(argv[i], "--judge") == 0;
        sync_wakeup |= strcmp(argv[i], "--sync-wakeup") == 0;
        gate = strcmp(argv[i], "--gate=forks") == 0    ? kGateForks
               : strcmp(argv[i], "--gate=execs") == 0  ? kGateExecs
               : strcmp(argv[i], "--gate=verify") == 0 ? kGateVerify
               : strcmp(argv[i], "--gate=freeze") == 0 ? kGateFreeze
                                                       : gate;
    }
    freeze_start();
    if (syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes) != 0) {
        die("seccomp_get_notif_sizes");
    }
    // The kernel's structures may be larger than those of our headers, never smaller for us.
    if (sizes.seccomp_notif < sizeof *request) {
        sizes.seccomp_notif = sizeof *request;
    }
    if (sizes.seccomp_notif_resp < sizeof *response) {
        sizes.seccomp_notif_resp = sizeof *response;
    }
    request = calloc(1, sizes.seccomp_notif);
    response = calloc(1, sizes.seccomp_notif_resp);
    polled[0] = (struct pollfd){.fd = listen_at(argv[1]), .events = POLLIN};
    polled[1] = (struct pollfd){.fd = gate == kGateOff ? -1 : gate_start(), .events = POLLIN};
    puts("READY");
    fflush(stdout);
    for (;;) {
        if (poll(polled, (nfds_t)peer_count + kFirstPeer, -1) < 0) {
            continue;
        }
        for (int i = peer_count - 1; i >= 0; --i) {
            const short events = polled[i + kFirstPeer].revents;
            if (events == 0) {
                continue;
            }
            if (peers[i].fd >= 0) {
                receive_state(i);
            } else if (events & POLLIN && gate == kGateFreeze) {
                serve_in_turn(&peers[i]);
            } else if (events & POLLIN) {
                serve(peers[i].notify);
            } else {
                drop(i);  // POLLHUP: the last task of the filter is gone
            }
        }
        if (polled[1].revents) {
            gate_serve(polled[1].fd, gate);
        }
        if (polled[0].revents) {
            accept_peer(polled[0].fd);
        }
    }
}
