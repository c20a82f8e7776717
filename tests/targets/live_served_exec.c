// A process with a second thread executes a program of a FUSE mount that is served inside the
// container, slowly, while others exec what they like: a nested podman with fuse-overlayfs, say.
// "forking": with threads that fork all the time instead of one that sleeps. "pages": without
// readahead, page by page.
#include "live_fuse.h"

enum { kRounds = 3, kOthers = 8, kThreads = 3 };

static char* const argv42[] = {"live_exit", "42", NULL};
static char* const no_env[] = {NULL};

static void* wait_for_end(void* unused) {
    for (;;) {
        pause();
    }
    return unused;
}

int main(int argc, char** argv) {
    const bool forking = argc == 2 && strcmp(argv[1], "forking") == 0;
    const bool by_pages = argc == 2 && strcmp(argv[1], "pages") == 0;
    const pid_t server = live_serve_exit(by_pages ? 0 : 1 << 17);
    int served = 0, others = 0;
    for (int round = 0; round < kRounds; ++round) {
        const pid_t threaded = live_fork();
        if (threaded == 0) {
            for (int i = 0; i < (forking ? kThreads : 1); ++i) {
                live_thread(forking ? live_fork_all_the_time : wait_for_end, NULL);
            }
            execve(LIVE_SERVED, argv42, no_env);
            _exit(errno);
        }
        for (int i = 0; i < kOthers; ++i) {
            const pid_t other = live_fork();
            if (other == 0) {
                execve("/bin/live_exit", argv42, no_env);
                _exit(errno);
            }
            others += live_wait(other) == 42;
        }
        served += live_wait(threaded) == 42;
    }
    printf("%d served execs, %d others\n", served, others);
    kill(server, SIGKILL);
    live_check(live_wait(server) == 128 + SIGKILL, "server");
    return live_end("served_exec");
}
