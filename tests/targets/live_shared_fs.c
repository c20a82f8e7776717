// Processes that share root and working directory (CLONE_FS): one that is over before the other's
// exec, as a browser's sandbox makes it, and one that has taken its own harm nobody. With the
// argument "beside" also one that goes on beside the exec.
#include "live.h"

static char stack[64 << 10] __attribute__((aligned(64)));
static int told[2], hold[2];

static int move_and_end(void* unused) {
    (void)unused;
    return chdir("/tmp");
}

static int stay(void* take_own) {
    char byte = 0;
    close(hold[1]);
    if (take_own != NULL && unshare(CLONE_FS) != 0) {
        return 1;
    }
    (void)!write(told[1], &byte, 1);
    return (int)read(hold[0], &byte, 1);  // until nobody holds it any more
}

static void share_with(int (*body)(void*), void* argument) {
    char byte = 0;
    const pid_t pid = clone(body, stack + sizeof stack, CLONE_FS | SIGCHLD, argument);
    live_check(pid > 0, "clone");
    if (body == move_and_end) {
        char where[64] = "";
        live_check(live_wait(pid) == 0, "the sharer");
        live_check(getcwd(where, sizeof where) && strcmp(where, "/tmp") == 0, "at %s", where);
    } else {
        live_check(read(told[0], &byte, 1) == 1, "the sharer");
    }
}

static void try_exec(const char* what, int (*body)(void*), void* argument) {
    const pid_t pid = live_fork();
    if (pid == 0) {
        close(hold[1]);
        share_with(body, argument);
        execl("/bin/live_exit", "live_exit", "7", NULL);
        _exit(errno == EACCES ? 8 : 9);
    }
    const int status = live_wait(pid);
    printf("exec %s: %s\n", what, status == 7 ? "runs" : status == 8 ? "refused" : "failed");
}

int main(int argc, char** argv) {
    if (pipe(told) != 0 || pipe(hold) != 0) {
        return 1;
    }
    try_exec("after a sharer's end", move_and_end, NULL);
    try_exec("beside one that has its own", stay, &told);
    if (argc == 2 && strcmp(argv[1], "beside") == 0) {
        try_exec("beside a sharer", stay, NULL);
    }
    return live_end("shared_fs");
}
