// exec from a process with threads, by its leader and by another thread, with siblings that sleep,
// that spin, that make system calls, and that come and go.
#include "live.h"

enum { kTimes = 25, kSiblings = 8 };

static void* idle(void* unused) {
    for (;;) {
        pause();
    }
    return unused;
}

static void* busy(void* unused) {
    for (volatile unsigned long i = 0;; ++i) {
    }
    return unused;
}

static void* calling(void* unused) {
    for (;;) {
        (void)getppid();
        sched_yield();
    }
    return unused;
}

static void* nothing(void* unused) {
    return unused;
}

static void* churning(void* unused) {
    for (;;) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, nothing, NULL) == 0) {
            pthread_join(thread, NULL);
        }
    }
    return unused;
}

static void* exec_it(void* unused) {
    char* argv[] = {"live_exit", "42", NULL};
    char* envp[] = {NULL};
    (void)unused;
    execve("/bin/live_exit", argv, envp);
    _exit(errno);
}

static void* exec_and_wait(void* unused) {
    pthread_t thread;
    pthread_create(&thread, NULL, exec_it, NULL);
    pause();
    return unused;
}

static void series(const char* siblings, void* (*body)(void*), const char* who,
                   void* (*caller)(void*)) {
    int good = 0;
    for (int i = 0; i < kTimes; ++i) {
        const pid_t pid = live_fork();
        if (pid == 0) {
            for (int k = 0; k < kSiblings; ++k) {
                live_thread(body, NULL);
            }
            caller(NULL);
        }
        const int code = live_wait(pid);
        live_check(code == 42, "exit code %d", code);
        good += code == 42;
    }
    printf("%s siblings, %s: %d of %d\n", siblings, who, good, kTimes);
}

int main(void) {
    series("idle", idle, "leader", exec_it);
    series("idle", idle, "other thread", exec_and_wait);
    series("busy", busy, "leader", exec_it);
    series("busy", busy, "other thread", exec_and_wait);
    series("calling", calling, "leader", exec_it);
    series("calling", calling, "other thread", exec_and_wait);
    series("churning", churning, "leader", exec_it);
    series("churning", churning, "other thread", exec_and_wait);
    return live_end("threaded_exec");
}
