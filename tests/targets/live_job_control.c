// Stopped processes stay stopped and running ones run, whoever execs beside them; stop, continue
// and kill are seen by the parent in their order; a caller that is stopped or killed while its exec
// is decided neither hangs nor runs away.
#include "live.h"

enum { kExecs = 40 };

static int exec_once(void) {
    char* argv[] = {"live_exit", "42", NULL};
    char* envp[] = {NULL};
    const pid_t pid = live_fork();
    if (pid == 0) {
        execve("/bin/live_exit", argv, envp);
        _exit(errno);
    }
    return live_wait(pid);
}

static char state_of(pid_t pid) {
    char path[64], line[512] = "";
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    (void)!read(file, line, sizeof line - 1);
    close(file);
    const char* end = strrchr(line, ')');
    return end ? end[2] : '?';
}

// A tracer that lets a stopped task go makes the kernel wake it to stop it again
// (ptrace_unlink()): for a moment its state is 't' or 'R', though none of its program runs.
static char settled_state_of(pid_t pid) {
    char state = state_of(pid);
    for (int i = 0; i < 10000 && state != 'T'; ++i) {
        live_sleep_us(100);
        state = state_of(pid);
    }
    return state;
}

static void a_stopped_process_stays_stopped(void) {
    volatile unsigned long* progress = live_shared(4096);
    int status = 0, good = 0;
    const pid_t pid = live_fork();
    if (pid == 0) {
        setpgid(0, 0);  // SIGTSTP does not stop the members of an orphaned process group
        for (;;) {
            ++*progress;
            sched_yield();
        }
    }
    live_check(live_progress(progress, 10), "it runs");
    kill(pid, SIGSTOP);
    live_check(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status) &&
                   WSTOPSIG(status) == SIGSTOP,
               "stop is reported: %x", status);
    const unsigned long before = *progress;
    for (int i = 0; i < kExecs; ++i) {
        good += exec_once() == 42;
    }
    live_check(*progress == before, "it ran while it was stopped");
    printf("stopped: state %c, %d of %d execs beside it\n", settled_state_of(pid), good, kExecs);
    live_check(waitpid(pid, &status, WNOHANG | WUNTRACED | WCONTINUED) == 0, "a stray report %x",
               status);
    kill(pid, SIGCONT);
    live_check(waitpid(pid, &status, WCONTINUED) == pid && WIFCONTINUED(status),
               "continue is reported: %x", status);
    live_check(live_progress(progress, 10), "it runs again");
    kill(pid, SIGTSTP);
    live_check(waitpid(pid, &status, WUNTRACED) == pid && WSTOPSIG(status) == SIGTSTP,
               "SIGTSTP is reported: %x", status);
    (void)exec_once();
    kill(pid, SIGKILL);
    printf("killed: %d\n", live_wait(pid));
}

// The process group of a job is stopped while its members exec.
static void callers_are_stopped_and_continued(void) {
    int good = 0;
    for (int i = 0; i < kExecs; ++i) {
        char* argv[] = {"live_exit", "42", NULL};
        char* envp[] = {NULL};
        int status = 0;
        const pid_t pid = live_fork();
        if (pid == 0) {
            execve("/bin/live_exit", argv, envp);
            _exit(errno);
        }
        live_sleep_us(i * 30);
        kill(pid, SIGSTOP);
        const pid_t got = waitpid(pid, &status, WUNTRACED);
        if (got == pid && WIFSTOPPED(status)) {
            live_check(settled_state_of(pid) == 'T', "state %c", settled_state_of(pid));
            kill(pid, SIGCONT);
            waitpid(pid, &status, 0);
        }
        good += WIFEXITED(status) && WEXITSTATUS(status) == 42;
    }
    printf("stopped callers: %d of %d\n", good, kExecs);
    live_check(good == kExecs, "a caller was lost");
}

// With siblings, and by SIGKILL at every moment of the exec.
static void* idle(void* unused) {
    for (;;) {
        pause();
    }
    return unused;
}

static void callers_are_killed(void) {
    int good = 0;
    for (int i = 0; i < 4 * kExecs; ++i) {
        char* argv[] = {"live_exit", "42", NULL};
        char* envp[] = {NULL};
        const pid_t pid = live_fork();
        if (pid == 0) {
            if (i % 2) {
                live_thread(idle, NULL);
                live_thread(idle, NULL);
            }
            execve("/bin/live_exit", argv, envp);
            _exit(errno);
        }
        live_sleep_us(i * 15);
        kill(pid, SIGKILL);
        const int code = live_wait(pid);
        good += code == 42 || code == 128 + SIGKILL;
    }
    printf("killed callers: %d of %d\n", good, 4 * kExecs);
    live_check(good == 4 * kExecs, "a killed caller ended in another way");
}

// Bystanders die while others exec; their parent gets every one of them.
static void bystanders_are_killed(void) {
    int good = 0;
    for (int i = 0; i < kExecs; ++i) {
        const pid_t pid = live_fork();
        if (pid == 0) {
            live_thread(idle, NULL);
            for (;;) {
                pause();
            }
        }
        const pid_t killer = live_fork();
        if (killer == 0) {
            live_sleep_us(i * 40);
            kill(pid, SIGKILL);
            _exit(0);
        }
        (void)exec_once();
        good += live_wait(pid) == 128 + SIGKILL && live_wait(killer) == 0;
    }
    printf("killed bystanders: %d of %d\n", good, kExecs);
    live_check(good == kExecs, "a bystander was not reaped");
}

int main(void) {
    a_stopped_process_stays_stopped();
    callers_are_stopped_and_continued();
    callers_are_killed();
    bystanders_are_killed();
    return live_end("job_control");
}
