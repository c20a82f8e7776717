// Many processes that exec at the same time, again and again: every one replaces itself a number of
// times ("live_concurrent chain N"), some of them with a thread beside.
#include "live.h"

enum { kProcesses = 12, kLinks = 40 };

static void* busy(void* unused) {
    for (volatile unsigned long i = 0;; ++i) {
    }
    return unused;
}

static int next_link(int left) {
    char text[16];
    snprintf(text, sizeof text, "%d", left);
    char* argv[] = {"live_concurrent", "chain", text, NULL};
    char* envp[] = {NULL};
    if (left % 8 == 3) {
        live_thread(busy, NULL);
    }
    execve("/bin/live_concurrent", argv, envp);
    return errno;
}

int main(int argc, char** argv) {
    if (argc == 3) {
        const int left = atoi(argv[2]);
        return left == 0 ? 42 : next_link(left - 1);
    }
    pid_t pids[kProcesses];
    for (int i = 0; i < kProcesses; ++i) {
        pids[i] = live_fork();
        if (pids[i] == 0) {
            _exit(next_link(kLinks));
        }
    }
    int good = 0;
    for (int i = 0; i < kProcesses; ++i) {
        good += live_wait(pids[i]) == 42;
    }
    printf("%d of %d chains of %d execs\n", good, kProcesses, kLinks);
    live_check(good == kProcesses, "some chains broke");
    return live_end("concurrent");
}
