// A task that shares the caller's memory is killed; as it ends the kernel itself writes four zero
// bytes to its clear_child_tid address, which is argv[1]. No stop can hold that back: SIGKILL
// breaks every ptrace stop. The witness then runs with an empty argument.
#include "race.h"

static char* word;
static pid_t doomed;
static char stack[64 << 10] __attribute__((aligned(64)));

static int wait_for_the_end(void* unused) {
    (void)unused;
    for (;;) {
        pause();
    }
    return 0;
}

static void prepare(void) {
    word = race_map(MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

static void arm(unsigned number) {
    (void)number;
    race_set(word, "good");
    doomed = clone(wait_for_the_end, stack + sizeof stack,
                   CLONE_VM | CLONE_CHILD_CLEARTID | SIGCHLD, NULL, NULL, NULL, word);
    if (doomed < 0) {
        race_broken("clone");
    }
}

static void child(void) {
    race_exec(WITNESS, word);
}

static void during(pid_t pid) {
    (void)pid;
    race_spin_us(race_delay_us() / 2);
    kill(doomed, SIGKILL);
}

static void after(void) {
    waitpid(doomed, NULL, __WALL);
}

int main(int argc, char** argv) {
    static const struct race race = {.name = "sigkill_clear_tid",
                                     .start = kCloneVm,
                                     .prepare = prepare,
                                     .arm = arm,
                                     .child = child,
                                     .during = during,
                                     .after = after};
    return race_run(argc, argv, &race);
}
