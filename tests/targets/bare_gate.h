// The least that the kernel asks of an agent that registers every new process and verifies every
// exec: the calls that cannot be left out, and nothing else. One process, no policy, no names of
// files, no event, no failure handled, x86-64 only. What it costs over the floor is what no
// implementation can save; it proves nothing about safety.
#pragma once

#include <fcntl.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

// Each step adds to the one before: fork events; exec events; the bytes before and after an exec;
// everybody else of the container held meanwhile (bare_freeze.h).
enum gate_steps { kGateOff, kGateForks, kGateExecs, kGateVerify, kGateFreeze };

enum {
    kGateExecsAtOnce = 64,
    kGateBytes = 1 << 16,
    kGatePages = 16,
    kGatePage = 4096,
    kGatePids = 1 << 22,  // PID_MAX_LIMIT, include/linux/threads.h
    kGateBirths = PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE,
};

// What a caller was seen to ask for: the sizes of path, argv and environment, then all their
// strings, each with its NUL.
struct gate_exec {
    pid_t pid;
    size_t path, argv, env;
    char bytes[kGateBytes];
};

static struct gate_exec gate_execs[kGateExecsAtOnce];
// By the number of a task whose last event was a vfork: the child.
static pid_t gate_vfork_child[kGatePids];

static int gate_start(void) {
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child, NULL);
    return signalfd(-1, &child, SFD_NONBLOCK | SFD_CLOEXEC);
}

static struct gate_exec* gate_exec_of(pid_t pid) {
    for (int i = 0; i < kGateExecsAtOnce; ++i) {
        if (gate_execs[i].pid == pid) {
            return &gate_execs[i];
        }
    }
    return NULL;
}

// ---- before the exec: /proc/PID/mem, a page at a time -----------------------------------------

struct gate_memory {
    int fd, count;
    uint64_t at[kGatePages];
    char page[kGatePages][kGatePage];
};

static struct gate_memory gate_memory;

static const char* gate_bytes_at(uint64_t address, size_t* size) {
    const uint64_t page = address & ~(uint64_t)(kGatePage - 1);
    int i = 0;
    while (i < gate_memory.count && gate_memory.at[i] != page) {
        ++i;
    }
    if (i == gate_memory.count) {
        if (i == kGatePages ||
            pread(gate_memory.fd, gate_memory.page[i], kGatePage, (off_t)page) != kGatePage) {
            return NULL;
        }
        gate_memory.at[gate_memory.count++] = page;
    }
    *size = kGatePage - (address - page);
    return gate_memory.page[i] + (address - page);
}

static bool gate_read_string(uint64_t address, char* out, size_t room, size_t* used) {
    for (;;) {
        size_t size = 0;
        const char* there = gate_bytes_at(address, &size);
        if (!there) {
            return false;
        }
        const char* nul = memchr(there, 0, size);
        const size_t taken = nul ? (size_t)(nul - there) + 1 : size;
        if (*used + taken > room) {
            return false;
        }
        memcpy(out + *used, there, taken);
        *used += taken;
        if (nul) {
            return true;
        }
        address += taken;
    }
}

static bool gate_read_list(uint64_t list, char* out, size_t room, size_t* used) {
    for (;; list += 8) {
        size_t size = 0;
        uint64_t pointer = 0;
        const char* there = gate_bytes_at(list, &size);
        if (!there || size < sizeof pointer) {
            return false;
        }
        memcpy(&pointer, there, sizeof pointer);
        if (pointer == 0) {
            return true;
        }
        if (!gate_read_string(pointer, out, room, used)) {
            return false;
        }
    }
}

static void gate_open_memory(pid_t pid) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/mem", pid);
    gate_memory.fd = open(path, O_RDONLY | O_CLOEXEC);
}

static bool gate_read_exec(const __u64* args, struct gate_exec* exec) {
    size_t used = 0;
    gate_memory.count = 0;
    if (!gate_read_string(args[0], exec->bytes, kGateBytes, &used)) {
        return false;
    }
    exec->path = used;
    if (!gate_read_list(args[1], exec->bytes, kGateBytes, &used)) {
        return false;
    }
    exec->argv = used - exec->path;
    if (!gate_read_list(args[2], exec->bytes, kGateBytes, &used)) {
        return false;
    }
    exec->env = used - exec->path - exec->argv;
    return true;
}

// ---- after it: what the kernel took -----------------------------------------------------------

static bool gate_took(pid_t pid, const char* file, const char* judged, size_t size) {
    static char taken[kGateBytes + 1];
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", pid, file);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    const ssize_t got = read(fd, taken, size + 1);
    close(fd);
    return got == (ssize_t)size && memcmp(taken, judged, size) == 0;
}

static bool gate_verify(pid_t pid) {
    struct gate_exec* exec = gate_exec_of(pid);
    struct stat file;
    char exe[64];
    snprintf(exe, sizeof exe, "/proc/%d/exe", pid);
    const bool same = exec && stat(exe, &file) == 0 &&
                      gate_took(pid, "cmdline", exec->bytes + exec->path, exec->argv) &&
                      gate_took(pid, "environ", exec->bytes + exec->path + exec->argv, exec->env);
    if (exec) {
        exec->pid = 0;
    }
    return same;
}

// ---- the gate ---------------------------------------------------------------------------------

static void gate_arm(pid_t caller) {
    ptrace(PTRACE_SEIZE, caller, NULL, PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL);
}

// Between RECV and SEND. False: the call is to be refused.
static bool gate_admit(const struct seccomp_notif* request, enum gate_steps steps) {
    const pid_t pid = (pid_t)request->pid;
    const bool is_exec = request->data.nr == __NR_execve;
    if (steps == kGateOff || (is_exec && steps == kGateForks)) {
        return true;
    }
    // EPERM below: still ours, from a call that failed.
    if (!is_exec) {
        ptrace(PTRACE_SEIZE, pid, NULL, kGateBirths);
        return true;
    }
    if (steps == kGateVerify) {
        // Its own, when its last exec failed, or a free one.
        struct gate_exec* exec = gate_exec_of(pid);
        exec = exec ? exec : gate_exec_of(0);
        gate_open_memory(pid);
        const bool whole = exec && gate_read_exec(request->data.args, exec);
        close(gate_memory.fd);
        if (!whole) {
            return false;
        }
        exec->pid = pid;
    }
    gate_arm(pid);
    return true;
}

// The child that this stop tells of, 0 where it tells of none.
static pid_t gate_born(pid_t parent, int status) {
    const int event = status >> 16;
    unsigned long child = 0;
    if (event == PTRACE_EVENT_FORK || event == PTRACE_EVENT_VFORK || event == PTRACE_EVENT_CLONE) {
        ptrace(PTRACE_GETEVENTMSG, parent, NULL, &child);
    }
    gate_vfork_child[parent] = event == PTRACE_EVENT_VFORK ? (pid_t)child : 0;
    return (pid_t)child;
}

// From a stop; a signal that it is about is delivered.
static void gate_detach(pid_t pid, int status) {
    ptrace(PTRACE_DETACH, pid, NULL, status >> 16 == 0 ? WSTOPSIG(status) : 0);
}

static void gate_look(pid_t pid, int status, enum gate_steps steps) {
    if (!WIFSTOPPED(status)) {
        return;
    }
    const pid_t child = gate_born(pid, status);
    if (child != 0) {
        waitpid(child, NULL, __WALL);
        ptrace(PTRACE_DETACH, child, NULL, NULL);
    }
    if (status >> 16 == PTRACE_EVENT_EXEC && steps >= kGateVerify && !gate_verify(pid)) {
        kill(pid, SIGKILL);
    }
    gate_detach(pid, status);
}

static void gate_serve(int signals, enum gate_steps steps) {
    struct signalfd_siginfo info;
    int status = 0;
    pid_t pid = 0;
    (void)!read(signals, &info, sizeof info);
    while ((pid = waitpid(-1, &status, __WALL | WNOHANG)) > 0) {
        gate_look(pid, status, steps);
    }
}
