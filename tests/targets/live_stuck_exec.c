// A process whose exec cannot end: another of its threads has a tracer, also in the container, that
// does not reap it (de_thread(), fs/exec.c). Others exec meanwhile; then the tracer lets go, and
// the exec ends as it should. Needs no capability. "forking": with threads that fork all the time
// beside.
#include <sys/ptrace.h>

#include "live.h"

enum { kRounds = 4, kOthers = 8, kThreads = 4 };

static char* const argv42[] = {"live_exit", "42", NULL};
static char* const no_env[] = {NULL};

struct page {
    volatile pid_t thread;
    volatile int traced, stuck, let_go;
};

static void* wait_for_end(void* shared) {
    ((struct page*)shared)->thread = (pid_t)syscall(SYS_gettid);
    for (;;) {
        pause();
    }
    return NULL;
}

static void await(const volatile int* flag) {
    while (*flag == 0) {
        live_sleep_us(200);
    }
}

static void execute(struct page* page, bool forking) {
    live_thread(wait_for_end, page);
    await(&page->traced);
    for (int i = 0; forking && i < kThreads; ++i) {
        live_thread(live_fork_all_the_time, NULL);
    }
    execve("/bin/live_exit", argv42, no_env);
    _exit(errno);
}

// Parent and tracer of the process that executes; ends with its exit code.
static int trace(struct page* page, bool forking) {
    siginfo_t info;
    int status = 0;
    const pid_t stuck = live_fork();
    if (stuck == 0) {
        execute(page, forking);
    }
    await(&page->thread);
    live_check(ptrace(PTRACE_SEIZE, page->thread, NULL, PTRACE_O_TRACEEXIT) == 0, "seize");
    page->traced = 1;
    // It stands at its end, and the exec waits for it.
    while (waitid(P_PID, (id_t)page->thread, &info, WSTOPPED | WNOWAIT | __WALL) != 0 &&
           errno == EINTR) {
    }
    page->stuck = 1;
    await(&page->let_go);
    live_check(waitpid(page->thread, &status, __WALL) == page->thread, "thread");
    live_check(ptrace(PTRACE_DETACH, page->thread, NULL, NULL) == 0, "detach");
    return live_wait(stuck);
}

int main(int argc, char** argv) {
    const bool forking = argc == 2 && strcmp(argv[1], "forking") == 0;
    int stuck = 0, others = 0;
    for (int round = 0; round < kRounds; ++round) {
        struct page* page = live_shared(sizeof *page);
        const pid_t tracer = live_fork();
        if (tracer == 0) {
            _exit(trace(page, forking));
        }
        await(&page->stuck);
        for (int i = 0; i < kOthers; ++i) {
            const pid_t other = live_fork();
            if (other == 0) {
                execve("/bin/live_exit", argv42, no_env);
                _exit(errno);
            }
            others += live_wait(other) == 42;
        }
        page->let_go = 1;
        stuck += live_wait(tracer) == 42;
    }
    printf("%d stuck execs, %d others\n", stuck, others);
    return live_end("stuck_exec");
}
