// Forks that fail (pids limit of the container) cost no more than forks that succeed, and stall
// nobody. The test sets the limit.
#include "live.h"

int main(void) {
    enum { kMost = 200, kTimes = 50 };
    pid_t pids[kMost];
    int born = 0, refused = 0;
    for (; born < kMost; ++born) {
        pids[born] = fork();
        if (pids[born] == 0) {
            for (;;) {
                pause();
            }
        }
        if (pids[born] < 0) {
            break;
        }
    }
    live_check(born < kMost && errno == EAGAIN, "the pids limit is not there");
    struct timespec before, after;
    clock_gettime(CLOCK_MONOTONIC, &before);
    for (int i = 0; i < kTimes; ++i) {
        const pid_t pid = fork();
        if (pid == 0) {
            _exit(0);
        }
        refused += pid < 0 && errno == EAGAIN;
    }
    clock_gettime(CLOCK_MONOTONIC, &after);
    const double took =
        (double)(after.tv_sec - before.tv_sec) + (double)(after.tv_nsec - before.tv_nsec) / 1e9;
    printf("failing forks: %d of %d\n", refused, kTimes);
    live_check(refused == kTimes && took < 2.5, "%d refused in %.1f s", refused, took);
    for (int i = 0; i < born; ++i) {
        kill(pids[i], SIGKILL);
        live_check(live_wait(pids[i]) == 128 + SIGKILL, "child");
    }
    return live_end("failing_fork");
}
