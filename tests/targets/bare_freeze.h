// What a freeze adds to bare_gate.h: the least that it asks of the kernel to hold every task of the
// container's PID namespace but the caller, from before the second reading of its arguments until
// the kernel has taken them. The agent does nothing else meanwhile, so it may block.
//
// No more of a safe agent than bare_gate.h: who waits in the notify queue is taken to stand still,
// who cannot be seized is left out, and a caller must be the first thread of its process. The
// container has a PID namespace of its own. Linux 6.17.
#pragma once

#include <dirent.h>
#include <errno.h>
#include <linux/openat2.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/time.h>

#include "bare_gate.h"

#ifndef NS_GET_PID_FROM_PIDNS  // include/uapi/linux/nsfs.h, Linux 6.11
#define NS_GET_PID_FROM_PIDNS _IOR(0xb7, 0x6, int)
#endif

enum {
    kFreezeTasks = 1 << 16,
    kFreezeTick = 300,     // us: so long a wait blocks until somebody asks why
    kFreezePatience = 16,  // ticks, for a task in uninterruptible sleep
};

// The PID namespace of a container: opened at its first exec, all 0 before.
struct freeze_domain {
    int pidns;      // translates its numbers to ours
    int mount;      // a procfs of it, without anything but the processes
    int processes;  // its root, for reading
};

struct frozen {
    pid_t pid;
    int status;       // of its stop or its end; 0: neither yet
    bool is_sibling;  // of the caller
};

static struct frozen frozen[kFreezeTasks];
static int frozen_count;
static unsigned freeze_number;  // counts the freezes
// In which freeze a task was seen, by our number, and in which all threads of a process were, by
// the number in its namespace.
static unsigned freeze_saw[kGatePids], freeze_saw_all_of[kGatePids];

// ---- time -------------------------------------------------------------------------------------

static bool freeze_ticking;

static void freeze_on_tick(int signal) {
    (void)signal;  // it interrupts waitpid(2)
}

static void freeze_start(void) {
    const struct sigaction action = {.sa_handler = freeze_on_tick};
    sigaction(SIGALRM, &action, NULL);
}

static void freeze_tick(int us) {
    const struct itimerval timer = {{0, us}, {0, us}};
    setitimer(ITIMER_REAL, &timer, NULL);
    freeze_ticking = us != 0;
}

// As waitpid(2), but 0 after a tick without news.
static pid_t freeze_wait(pid_t pid, int* status) {
    // Most stop as soon as they get this CPU: starting and stopping the timer costs more.
    for (int turn = 0; turn < 2 && !freeze_ticking; ++turn) {
        const pid_t at_once = waitpid(pid, status, __WALL | WNOHANG);
        if (at_once != 0) {
            return at_once;
        }
        if (turn == 0) {
            sched_yield();
        }
    }
    if (!freeze_ticking) {
        freeze_tick(kFreezeTick);
    }
    const pid_t got = waitpid(pid, status, __WALL);
    return got < 0 && errno == EINTR ? 0 : got;
}

// ---- the tasks of the namespace ---------------------------------------------------------------

static void freeze_open(struct freeze_domain* domain, pid_t member) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/ns/pid", member);
    domain->pidns = open(path, O_RDONLY | O_CLOEXEC);
    const int context = (int)syscall(SYS_fsopen, "proc", FSOPEN_CLOEXEC);
    syscall(SYS_fsconfig, context, FSCONFIG_SET_STRING, "subset", "pid", 0);
    syscall(SYS_fsconfig, context, FSCONFIG_SET_FD, "pidns", NULL, domain->pidns);
    syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
    domain->mount = (int)syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC, MOUNT_ATTR_RDONLY);
    close(context);
    domain->processes = openat(domain->mount, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (domain->processes < 0) {
        perror("floor_agent: a procfs of the container's PID namespace");
        exit(1);
    }
}

static void freeze_close(struct freeze_domain* domain) {
    if (domain->processes != 0) {
        close(domain->processes);
        close(domain->mount);
        close(domain->pidns);
    }
}

static int freeze_read_numbers(int directory, pid_t* numbers) {
    static _Alignas(struct dirent64) char buffer[1 << 17];
    int count = 0;
    ssize_t size = 0;
    while ((size = getdents64(directory, buffer, sizeof buffer)) > 0) {
        for (ssize_t at = 0; at < size;) {
            const struct dirent64* entry = (const struct dirent64*)(buffer + at);
            const int number = atoi(entry->d_name);
            if (number > 0 && count < kFreezeTasks) {
                numbers[count++] = number;
            }
            at += entry->d_reclen;
        }
    }
    return count;
}

// True if it was not known.
static bool freeze_take(pid_t pid, bool is_sibling) {
    if (pid <= 0 || freeze_saw[pid] == freeze_number) {
        return false;
    }
    freeze_saw[pid] = freeze_number;
    // EPERM: still ours, from a fork whose event has not come; or a zombie, which nobody can
    // interrupt.
    const bool seized = ptrace(PTRACE_SEIZE, pid, NULL, kGateBirths) == 0;
    const bool interrupted = ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) == 0;
    if ((seized || interrupted) && frozen_count < kFreezeTasks) {
        frozen[frozen_count++] = (struct frozen){.pid = pid, .is_sibling = is_sibling};
    }
    return true;
}

// By the links of its task directory: fewer calls than reading it. 0: it is gone.
static int freeze_count_threads(const struct freeze_domain* domain, const char* directory) {
    struct stat info;
    return fstatat(domain->mount, directory, &info, 0) == 0 ? (int)info.st_nlink - 2 : 0;
}

static pid_t freeze_translate(const struct freeze_domain* domain, pid_t number) {
    return ioctl(domain->pidns, NS_GET_PID_FROM_PIDNS, number);
}

// True if anything about it was new.
static bool freeze_take_process(const struct freeze_domain* domain, pid_t number, pid_t caller) {
    static pid_t threads[kFreezeTasks];
    if (freeze_saw_all_of[number] == freeze_number) {
        return false;
    }
    char path[32];
    snprintf(path, sizeof path, "%d/task", number);
    const pid_t leader = freeze_translate(domain, number);
    bool news = freeze_take(leader, false);
    int known = 1;
    // Once its only thread is seized, another one is born attached.
    int count = freeze_count_threads(domain, path);
    if (count > 1) {
        const int directory = openat(domain->mount, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        known = freeze_read_numbers(directory, threads);
        close(directory);
        for (int i = 0; i < known; ++i) {
            news |= freeze_take(freeze_translate(domain, threads[i]), leader == caller);
        }
        count = freeze_count_threads(domain, path);
    }
    if (count == known) {
        freeze_saw_all_of[number] = freeze_number;
    }
    return news || count != known;
}

// ---- all stand still --------------------------------------------------------------------------

static char freeze_state_of(pid_t pid) {
    char text[256];
    snprintf(text, sizeof text, "/proc/%d/stat", pid);
    const int fd = open(text, O_RDONLY | O_CLOEXEC);
    const ssize_t size = read(fd, text, sizeof text - 1);
    close(fd);
    text[size > 0 ? size : 0] = '\0';
    const char* name_end = strrchr(text, ')');
    return name_end ? name_end[2] : 'Z';
}

// Until it has stopped or ended, or cannot before somebody else does something: a vfork parent
// before its child has execed, a leader that has ended before its threads do. Such a one is left
// with the interrupt pending.
static void freeze_await(struct frozen* task, pid_t caller) {
    const pid_t child = gate_vfork_child[task->pid];
    if (child != 0 && (child == caller || freeze_state_of(task->pid) == 'D')) {
        return;
    }
    int patience = kFreezePatience;
    while (freeze_wait(task->pid, &task->status) == 0) {
        const char state = freeze_state_of(task->pid);
        if (state == 'Z' || (state == 'D' && (child != 0 || --patience == 0))) {
            return;
        }
    }
    // Born stopped, and perhaps a thread of a process that counts as complete.
    const pid_t born = WIFSTOPPED(task->status) ? gate_born(task->pid, task->status) : 0;
    if (born != 0 && freeze_saw[born] != freeze_number && frozen_count < kFreezeTasks) {
        freeze_saw[born] = freeze_number;
        frozen[frozen_count++] = (struct frozen){.pid = born};
    }
}

static void freeze(const struct freeze_domain* domain, pid_t caller,
                   const struct seccomp_notif* waiting, int waiting_count) {
    static pid_t processes[kFreezeTasks];
    ++freeze_number;
    frozen_count = 0;
    freeze_saw[caller] = freeze_number;
    for (int i = 0; i < waiting_count; ++i) {
        freeze_saw[waiting[i].pid] = freeze_number;
    }
    int awaited = 0;
    for (bool news = true; news;) {
        news = false;
        lseek(domain->processes, 0, SEEK_SET);
        const int count = freeze_read_numbers(domain->processes, processes);
        for (int i = 0; i < count; ++i) {
            news |= freeze_take_process(domain, processes[i], caller);
        }
        for (; awaited < frozen_count; ++awaited) {
            freeze_await(&frozen[awaited], caller);
        }
    }
}

static void freeze_thaw(void) {
    if (freeze_ticking) {
        freeze_tick(0);
    }
    for (int i = 0; i < frozen_count; ++i) {
        // Who has not stopped so far will: gate_serve() lets it go then.
        if (WIFSTOPPED(frozen[i].status)) {
            gate_detach(frozen[i].pid, frozen[i].status);
        }
    }
}

// ---- one exec ---------------------------------------------------------------------------------

// So that a search along PATH stops nobody. Relative names and /proc/self are left to the kernel.
static bool freeze_finds_no(const char* file, pid_t caller) {
    char path[64];
    struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT};
    if (file[0] != '/' || strncmp(file, "/proc/", 6) == 0) {
        return false;
    }
    snprintf(path, sizeof path, "/proc/%d/root", caller);
    const int root = open(path, O_PATH | O_CLOEXEC);
    const int found = (int)syscall(SYS_openat2, root, file, &how, sizeof how);
    const bool missing = found < 0 && errno == ENOENT;
    close(root);
    if (found >= 0) {
        close(found);
    }
    return missing;
}

// Instead of gate_admit(). 0: all but the caller stand still, and freeze_hold() must follow the
// answer; else what the exec is to be refused with. `waiting`: who is in the notify queue.
static int freeze_admit(struct freeze_domain* domain, const struct seccomp_notif* request,
                        const struct seccomp_notif* waiting, int waiting_count) {
    static struct gate_exec again;
    struct gate_exec* const first = &gate_execs[0];
    const pid_t caller = (pid_t)request->pid;
    int error = EACCES;
    if (domain->processes == 0) {
        freeze_open(domain, caller);
    }
    gate_open_memory(caller);
    if (gate_read_exec(request->data.args, first)) {
        error = freeze_finds_no(first->bytes, caller) ? ENOENT : 0;
    }
    if (error == 0) {
        freeze(domain, caller, waiting, waiting_count);
        if (gate_read_exec(request->data.args, &again) && again.path == first->path &&
            again.argv == first->argv && again.env == first->env &&
            memcmp(again.bytes, first->bytes, first->path + first->argv + first->env) == 0) {
            first->pid = caller;
            gate_arm(caller);
        } else {
            error = EACCES;
            freeze_thaw();
        }
    }
    close(gate_memory.fd);
    return error;
}

// From the answer to the thaw: until the caller has stopped in its new image, or in its old one
// because the exec has failed or a signal has made it back out.
static void freeze_hold(pid_t caller) {
    int status = 0;
    for (int ticks = 0; freeze_wait(caller, &status) == 0; ++ticks) {
        if (ticks > 0) {
            ptrace(PTRACE_INTERRUPT, caller, NULL, NULL);
        }
        // The exec of a threaded process waits until its other threads are reaped: de_thread(),
        // fs/exec.c.
        for (int i = 0; i < frozen_count; ++i) {
            if (frozen[i].is_sibling) {
                waitpid(frozen[i].pid, &frozen[i].status, __WALL | WNOHANG);
            }
        }
    }
    gate_look(caller, status, kGateFreeze);
    gate_execs[0].pid = 0;
    freeze_thaw();
}
