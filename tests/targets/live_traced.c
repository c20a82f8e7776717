// A debugger inside the container. "bystander": it holds another task stopped while we exec.
// "caller": it traces the task that execs, as strace does. Either may be refused by policy, so the
// outcome is printed ("runs" or the errno), and that nobody hangs is what counts.
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

static void bystander(void) {
    int status = 0;
    const pid_t held = live_fork();
    if (held == 0) {
        for (;;) {
            pause();
        }
    }
    live_check(ptrace(PTRACE_SEIZE, held, NULL, NULL) == 0, "seize");
    live_check(ptrace(PTRACE_INTERRUPT, held, NULL, NULL) == 0, "interrupt");
    live_check(waitpid(held, &status, __WALL) == held, "wait");
    printf("exec beside a held task: %s\n", outcome(exec_once()));
    live_check(ptrace(PTRACE_DETACH, held, NULL, NULL) == 0, "detach");
    printf("exec after it was let go: %s\n", outcome(exec_once()));
    kill(held, SIGKILL);
    live_check(live_wait(held) == 128 + SIGKILL, "held");
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
    if (argc == 2 && strcmp(argv[1], "bystander") == 0) {
        bystander();
    } else {
        caller();
    }
    return live_end("traced");
}
