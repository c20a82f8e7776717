// A peer that shares no memory writes into the caller's from outside, as a debugger may. Built as
// process_vm_writev and as proc_mem (/proc/PID/mem). The peer may be of another container that has
// the same PID namespace (race_is_foreign()).
#include <sys/uio.h>

#include "race.h"

static char* word;

#ifdef THROUGH_PROC_MEM
#define NAME "proc_mem"
static bool put(pid_t pid, const char* four) {
    static int file = -1;
    static pid_t opened;
    if (pid != opened) {
        char path[32];
        snprintf(path, sizeof path, "/proc/%d/mem", pid);
        close(file);
        file = open(path, O_WRONLY | O_CLOEXEC);
        opened = pid;
    }
    return pwrite(file, four, 4, (off_t)(uintptr_t)word) == 4;
}
#else
#define NAME "process_vm_writev"
static bool put(pid_t pid, const char* four) {
    struct iovec from = {(void*)four, 4};
    struct iovec to = {word, 4};
    return process_vm_writev(pid, &from, 1, &to, 1, 0) == 4;
}
#endif

static void flip(void) {
    for (;;) {
        const pid_t pid = board->caller;
        if (pid != 0 && put(pid, "evil") && put(pid, "good")) {
            ++board->hits;
        }
    }
}

static void prepare(void) {
    word = race_map(MAP_PRIVATE | MAP_ANONYMOUS, -1);
    if (!race_is_foreign()) {
        race_peer(flip);
    }
}

static void arm(unsigned number) {
    (void)number;
    board->caller = 0;
}

static void child(void) {
    const unsigned before = board->hits;
    prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
    board->caller = getpid();
    race_await(&board->hits, before);
    race_exec(WITNESS, word);
}

int main(int argc, char** argv) {
    static const struct race race = {
        .name = NAME, .start = kFork, .prepare = prepare, .arm = arm, .child = child};
    if (argc > 1 && strcmp(argv[1], "write") == 0) {
        race_open_board();
        race_pin(kWriters);
        word = RACE_WORD;
        flip();
    }
    return race_run(argc, argv, &race);
}
