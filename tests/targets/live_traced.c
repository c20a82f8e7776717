// A debugger inside the container. "bystander [UID]": it holds another task stopped, of any user,
// while we exec. "thread": it holds one of the threads of the process that execs. "caller": it
// traces the task that execs, as strace does. Each may be refused by policy, so the outcome is
// printed ("runs" or the errno), and that nobody hangs is what counts.
#include <sys/prctl.h>
#include <sys/ptrace.h>

#include "live.h"

static char* const argv42[] = {"live_exit", "42", NULL};
static char* const no_env[] = {NULL};

static const char* outcome(int code) {
    return code == 42 ? "runs" : code == EACCES || code == EPERM ? "refused" : "hangs or breaks";
}

static int exec_once(void) {
    const pid_t pid = live_fork();
    if (pid == 0) {
        execve("/bin/live_exit", argv42, no_env);
        _exit(errno);
    }
    return live_wait(pid);
}

static void hold(pid_t task) {
    live_check(ptrace(PTRACE_SEIZE, task, NULL, NULL) == 0, "seize");
    live_check(ptrace(PTRACE_INTERRUPT, task, NULL, NULL) == 0, "interrupt");
    live_check(waitpid(task, NULL, __WALL) == task, "wait");
}

// Holds a child of its own, as user `uid`, until it is told to let go.
static void debug_a_child(uid_t uid, int told, int say) {
    char word = 0;
    // Nobody but root may trace one that is not dumpable, and setuid(2) makes it so.
    live_check(uid == 0 || (setuid(uid) == 0 && prctl(PR_SET_DUMPABLE, 1) == 0), "setuid");
    const pid_t held = live_fork();
    if (held == 0) {
        for (;;) {
            pause();
        }
    }
    hold(held);
    live_check(write(say, "h", 1) == 1 && read(told, &word, 1) == 1, "told");
    live_check(ptrace(PTRACE_DETACH, held, NULL, NULL) == 0, "detach");
    kill(held, SIGKILL);
    live_check(live_wait(held) == 128 + SIGKILL, "held");
    fflush(stdout);
    _exit(live_failures);
}

static void bystander(uid_t uid) {
    int orders[2], news[2];
    char word = 0;
    live_check(pipe(orders) == 0 && pipe(news) == 0, "pipe");
    const pid_t debugger = live_fork();
    if (debugger == 0) {
        debug_a_child(uid, orders[0], news[1]);
    }
    live_check(read(news[0], &word, 1) == 1, "held");
    printf("exec beside a held task: %s\n", outcome(exec_once()));
    live_check(write(orders[1], "l", 1) == 1 && live_wait(debugger) == 0, "debugger");
    printf("exec after it was let go: %s\n", outcome(exec_once()));
}

static void* wait_for_end(void* tid) {
    *(volatile pid_t*)tid = (pid_t)syscall(SYS_gettid);
    for (;;) {
        pause();
    }
    return NULL;
}

// A debugger holds one thread, and another thread of that process execs; the debugger reaps the one
// that the exec kills.
static void thread(void) {
    volatile pid_t* tid = live_shared(4096);
    int held[2];
    char word = 0;
    live_check(pipe(held) == 0, "pipe");
    const pid_t pid = live_fork();
    if (pid == 0) {
        live_thread(wait_for_end, (void*)tid);
        live_check(read(held[0], &word, 1) == 1, "held");
        execve("/bin/live_exit", argv42, no_env);
        _exit(errno);
    }
    while (*tid == 0) {
        live_sleep_us(100);
    }
    hold(*tid);
    live_check(write(held[1], "h", 1) == 1, "held");
    // Without this an exec that is refused would leave it held, and waited for.
    int status = 0;
    live_check(waitpid(*tid, &status, __WALL) == *tid, "the thread's end");
    printf("exec beside a held thread: %s\n", outcome(live_wait(pid)));
}

static void caller(void) {
    int status = 0, stops = 0, result = -1;
    const pid_t pid = live_fork();
    if (pid == 0) {
        ptrace(PTRACE_TRACEME, 0, NULL, NULL);
        raise(SIGSTOP);
        execve("/bin/live_exit", argv42, no_env);
        _exit(errno);
    }
    live_check(waitpid(pid, &status, 0) == pid && WIFSTOPPED(status), "first stop");
    while (ptrace(PTRACE_SYSCALL, pid, NULL, NULL) == 0 && waitpid(pid, &status, 0) == pid) {
        if (!WIFSTOPPED(status)) {
            result = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
            break;
        }
        ++stops;
    }
    live_check(stops > 2, "the tracer saw no system calls");
    printf("exec of a traced task: %s\n", outcome(result));
}

int main(int argc, char** argv) {
    if (argc > 1 && strcmp(argv[1], "bystander") == 0) {
        bystander(argc > 2 ? (uid_t)atoi(argv[2]) : 0);
    } else if (argc > 1 && strcmp(argv[1], "thread") == 0) {
        thread();
    } else {
        caller();
    }
    return live_end("traced");
}
