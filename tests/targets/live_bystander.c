// Interrupted system calls of bystanders: what restarts by itself must go on (read, waitpid, futex,
// nanosleep keeps its time), while others exec beside it.
#include "live.h"

enum { kExecs = 60 };

static void exec_often(void) {
    char* argv[] = {"live_exit", "42", NULL};
    char* envp[] = {NULL};
    for (int i = 0; i < kExecs; ++i) {
        const pid_t pid = live_fork();
        if (pid == 0) {
            execve("/bin/live_exit", argv, envp);
            _exit(errno);
        }
        live_check(live_wait(pid) == 42, "exec");
    }
}

static void reading_a_pipe(void) {
    int ends[2];
    char byte = 0;
    live_check(pipe(ends) == 0, "pipe");
    const pid_t pid = live_fork();
    if (pid == 0) {
        _exit(read(ends[0], &byte, 1) == 1 && byte == 'x' ? 0 : errno);
    }
    exec_often();
    live_check(write(ends[1], "x", 1) == 1, "write");
    printf("read: %d\n", live_wait(pid));
}

static void waiting_for_a_child(void) {
    const pid_t pid = live_fork();
    if (pid == 0) {
        const pid_t child = fork();
        if (child == 0) {
            live_sleep_us(200000);
            _exit(7);
        }
        int status = 0;
        const pid_t got = waitpid(child, &status, 0);
        _exit(got == child && WEXITSTATUS(status) == 7 ? 0 : errno);
    }
    exec_often();
    printf("waitpid: %d\n", live_wait(pid));
}

static void waiting_for_a_mutex(void) {
    struct shared {
        pthread_mutex_t mutex;
        int done;
    }* shared = live_shared(4096);
    pthread_mutexattr_t attr;
    pthread_mutexattr_init(&attr);
    pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
    pthread_mutex_init(&shared->mutex, &attr);
    pthread_mutex_lock(&shared->mutex);
    const pid_t pid = live_fork();
    if (pid == 0) {
        _exit(pthread_mutex_lock(&shared->mutex) == 0 && shared->done ? 0 : 1);
    }
    exec_often();
    shared->done = 1;
    pthread_mutex_unlock(&shared->mutex);
    printf("mutex: %d\n", live_wait(pid));
}

static void sleeping(void) {
    const pid_t pid = live_fork();
    if (pid == 0) {
        struct timespec before, after;
        const struct timespec time = {0, 300000000};
        clock_gettime(CLOCK_MONOTONIC, &before);
        const int result = nanosleep(&time, NULL);
        clock_gettime(CLOCK_MONOTONIC, &after);
        const double took =
            (double)(after.tv_sec - before.tv_sec) + (double)(after.tv_nsec - before.tv_nsec) / 1e9;
        _exit(result == 0 && took >= 0.3 && took < 3 ? 0 : 1);
    }
    exec_often();
    printf("nanosleep: %d\n", live_wait(pid));
}

int main(void) {
    reading_a_pipe();
    waiting_for_a_child();
    waiting_for_a_mutex();
    sleeping();
    return live_end("bystander");
}
