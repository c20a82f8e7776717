// Many processes that each start programs and wait for them, as a parallel build does: more forks
// and execs are on their way at any time than are looked at one by one.
#include "live.h"

enum { kProcesses = 16, kPrograms = 50 };

static int start_programs(void) {
    char* argv[] = {"live_exit", "42", NULL};
    char* envp[] = {NULL};
    for (int i = 0; i < kPrograms; ++i) {
        const pid_t pid = live_fork();
        if (pid == 0) {
            execve("/bin/live_exit", argv, envp);
            _exit(errno);
        }
        const int status = live_wait(pid);
        if (status != 42) {
            printf("program %d ended with %d\n", i, status);
            fflush(stdout);
            return 1;
        }
    }
    return 42;
}

int main(void) {
    pid_t pids[kProcesses];
    for (int i = 0; i < kProcesses; ++i) {
        pids[i] = live_fork();
        if (pids[i] == 0) {
            _exit(start_programs());
        }
    }
    int good = 0;
    for (int i = 0; i < kProcesses; ++i) {
        good += live_wait(pids[i]) == 42;
    }
    printf("%d of %d processes started %d programs each\n", good, kProcesses, kPrograms);
    live_check(good == kProcesses, "some did not");
    return live_end("parallel");
}
