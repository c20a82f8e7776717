// Takes the runtime's joining process (`runc exec`) before it has its filter, and makes it fork:
// the child has no filter, and executes a program of which nobody is asked. Needs CAP_SYS_PTRACE.
// Goes on until it has done that once, says "forked", and sleeps.
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

enum { kEntry = SIGTRAP | 0x80, kFork = SIGTRAP | PTRACE_EVENT_FORK << 8 };

static int has_no_filter(pid_t pid) {
    char path[64], line[256];
    int without = 0;
    snprintf(path, sizeof path, "/proc/%d/status", pid);
    FILE* status = fopen(path, "r");
    while (status != NULL && fgets(line, sizeof line, status) != NULL) {
        without = without || strcmp(line, "Seccomp:\t0\n") == 0;
    }
    if (status != NULL) {
        fclose(status);
    }
    return without;
}

static pid_t find_joining(void) {
    pid_t found = 0;
    DIR* proc = opendir("/proc");
    for (struct dirent* entry; found == 0 && (entry = readdir(proc)) != NULL;) {
        const pid_t pid = atoi(entry->d_name);
        if (pid > 1 && pid != getpid() && has_no_filter(pid)) {
            found = pid;
        }
    }
    closedir(proc);
    return found;
}

// Until a stop of this kind; signals are handed on.
static int run_to(pid_t pid, int wanted) {
    int signal = 0;
    for (int left = 1000; left > 0; --left) {
        int status = 0;
        if (ptrace(PTRACE_SYSCALL, pid, NULL, signal) != 0 ||
            waitpid(pid, &status, __WALL) != pid || !WIFSTOPPED(status)) {
            return 0;
        }
        if (status >> 8 == wanted) {
            return 1;
        }
        const int stop = WSTOPSIG(status);
        signal = status >> 16 != 0 || stop == SIGTRAP || stop == kEntry ? 0 : stop;
    }
    return 0;
}

// At the instruction that has just forked: the child goes back to it with another call.
static int execute(pid_t child, char* const* argv) {
    struct user_regs_struct regs;
    int status = 0;
    if (waitpid(child, &status, __WALL) != child ||
        ptrace(PTRACE_GETREGS, child, NULL, &regs) != 0) {
        return 0;
    }
    const unsigned long base = (regs.rsp - 4096) & ~15UL;
    unsigned long at = base + 256, list[8] = {0};
    for (int i = 0; argv[i] != NULL; ++i) {
        list[i] = at;
        for (size_t part = 0; part <= strlen(argv[i]); part += sizeof(long), at += sizeof(long)) {
            long word = 0;
            strncpy((char*)&word, argv[i] + part, sizeof word);
            ptrace(PTRACE_POKEDATA, child, at, word);
        }
    }
    for (int i = 0; i < 8; ++i) {
        ptrace(PTRACE_POKEDATA, child, base + sizeof(long) * i, list[i]);
    }
    regs.rip -= 2;
    regs.rax = SYS_execve;
    regs.orig_rax = -1;
    regs.rdi = list[0];
    regs.rsi = base;
    regs.rdx = 0;
    return ptrace(PTRACE_SETREGS, child, NULL, &regs) == 0 &&
           ptrace(PTRACE_DETACH, child, NULL, 0) == 0;
}

static int make_it_fork(pid_t pid, char* const* argv) {
    struct user_regs_struct regs, saved;
    unsigned long child = 0;
    int status = 0;
    const long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK;
    if (ptrace(PTRACE_SEIZE, pid, NULL, options) != 0) {
        return 0;
    }
    int done = ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) == 0 &&
               waitpid(pid, &status, __WALL) == pid && WIFSTOPPED(status) && has_no_filter(pid) &&
               run_to(pid, kEntry) && ptrace(PTRACE_GETREGS, pid, NULL, &saved) == 0;
    if (done) {
        regs = saved;
        regs.orig_rax = SYS_fork;
        done = ptrace(PTRACE_SETREGS, pid, NULL, &regs) == 0 && run_to(pid, kFork) &&
               ptrace(PTRACE_GETEVENTMSG, pid, NULL, &child) == 0 && execute((pid_t)child, argv) &&
               run_to(pid, kEntry);
        saved.rip -= 2;  // the call that it was about to make
        saved.rax = saved.orig_rax;
        saved.orig_rax = -1;
        ptrace(PTRACE_SETREGS, pid, NULL, &saved);
    }
    ptrace(PTRACE_DETACH, pid, NULL, 0);
    return done;
}

int main(int argc, char** argv) {
    if (argc < 2) {
        return 2;
    }
    for (int forked = 0; !forked;) {
        const pid_t pid = find_joining();
        forked = pid != 0 && make_it_fork(pid, argv + 1);
    }
    puts("forked");
    fflush(stdout);
    for (;;) {
        waitpid(-1, NULL, 0);
        pause();
    }
}
