// The scaffolding of the liveness programs: each live_*.c does one thing that containers do all
// day, checks it itself, and prints what it saw. The same output must come with and without
// execseal, so nothing that depends on timing is printed.
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int live_failures;

#define live_check(condition, ...)              \
    do {                                        \
        if (!(condition)) {                     \
            ++live_failures;                    \
            printf("NOT SO: %s: ", #condition); \
            printf(__VA_ARGS__);                \
            printf(" (%s)\n", strerror(errno)); \
        }                                       \
    } while (0)

static inline int live_end(const char* name) {
    printf("%s: %s\n", name, live_failures ? "failed" : "done");
    return live_failures ? 1 : 0;
}

// The exit status as shells say it.
static inline int live_wait(pid_t pid) {
    int status = 0;
    pid_t got = 0;
    do {
        got = waitpid(pid, &status, 0);
    } while (got < 0 && errno == EINTR);
    if (got != pid) {
        return -1;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static inline pid_t live_fork(void) {
    fflush(stdout);
    const pid_t pid = fork();
    live_check(pid >= 0, "fork");
    return pid;
}

static inline void* live_shared(size_t size) {
    return mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

static inline void live_thread(void* (*body)(void*), void* argument) {
    pthread_t thread;
    const int failure = pthread_create(&thread, NULL, body, argument);
    live_check(failure == 0, "pthread_create: %d", failure);
    pthread_detach(thread);
}

// A thread that never ends.
static inline void* live_fork_all_the_time(void* unused) {
    for (;;) {
        const pid_t pid = fork();
        if (pid == 0) {
            _exit(0);
        }
        if (pid > 0) {
            live_wait(pid);
        }
    }
    return unused;
}

static inline void live_sleep_us(long us) {
    const struct timespec time = {us / 1000000, us % 1000000 * 1000};
    nanosleep(&time, NULL);
}

// Waits until *counter has moved on by `steps`: somebody else makes progress. At most ten seconds.
static inline bool live_progress(const volatile unsigned long* counter, unsigned long steps) {
    const unsigned long goal = *counter + steps;
    for (int i = 0; i < 100000; ++i) {
        if (*counter >= goal) {
            return true;
        }
        live_sleep_us(100);
    }
    return false;
}
