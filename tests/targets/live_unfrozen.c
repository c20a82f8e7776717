// Execs of single-threaded callers beside a process that waits in epoll_wait(2): live_unfrozen
// COUNT. A freeze would end that wait with EINTR.
#include <spawn.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "live.h"

extern char** environ;

static int interrupted(int event) {
    const int epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event wanted = {.events = EPOLLIN};
    epoll_ctl(epoll, EPOLL_CTL_ADD, event, &wanted);
    int interruptions = 0;
    while (epoll_wait(epoll, &wanted, 1, -1) < 0 && errno == EINTR) {
        ++interruptions;
    }
    return interruptions;
}

static void run_by_fork(void) {
    const pid_t pid = live_fork();
    if (pid == 0) {
        execl("/bin/live_exit", "live_exit", "0", (char*)NULL);
        _exit(127);
    }
    live_check(live_wait(pid) == 0, "fork and exec");
}

static void run_by_spawn(void) {
    char* const argv[] = {"live_exit", "0", NULL};
    pid_t pid = 0;
    live_check(posix_spawn(&pid, "/bin/live_exit", NULL, NULL, argv, environ) == 0, "spawn");
    live_check(live_wait(pid) == 0, "the spawned one");
}

static void run_by_system(void) {
    live_check(system("exec /bin/live_exit 0") == 0, "system");
}

int main(int argc, char** argv) {
    const int count = argc > 1 ? atoi(argv[1]) : 30;
    const int event = eventfd(0, 0);
    const pid_t bystander = live_fork();
    if (bystander == 0) {
        const int interruptions = interrupted(event);
        _exit(interruptions > 100 ? 100 : interruptions);
    }
    for (int i = 0; i < count / 3; ++i) {
        run_by_fork();
        run_by_spawn();
        run_by_system();
    }
    const uint64_t one = 1;
    live_check(write(event, &one, sizeof one) == sizeof one, "write");
    const int interruptions = live_wait(bystander);
    live_check(interruptions == 0, "EINTR %d times", interruptions);
    return live_end("unfrozen");
}
