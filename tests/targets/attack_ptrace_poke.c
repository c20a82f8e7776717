// A debugger inside the container pokes argv[1] through another task that shares the caller's
// memory: that task stays stopped under PTRACE, so the debugger may write whenever it likes, and
// nobody else can seize it. The debugger may be of another container that has the same PID
// namespace (race_is_foreign()).
#include <sys/ptrace.h>

#include "race.h"

static char* word;
static char stack[64 << 10] __attribute__((aligned(64)));
static pid_t held;

static int hold_still(void* unused) {
    (void)unused;
    prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
    for (;;) {
        pause();
    }
    return 0;
}

static void poke(void) {
    long good = 0, evil = 0;
    memcpy(&good, "good", 4);
    memcpy(&evil, "evil", 4);
    if (ptrace(PTRACE_SEIZE, held, NULL, NULL) != 0 ||
        ptrace(PTRACE_INTERRUPT, held, NULL, NULL) != 0 || waitpid(held, NULL, __WALL) != held) {
        race_broken("seize");
    }
    for (;;) {
        ptrace(PTRACE_POKEDATA, held, word, evil);
        ptrace(PTRACE_POKEDATA, held, word, good);
        ++board->hits;
    }
}

static void prepare(void) {
    word = race_map(MAP_PRIVATE | MAP_ANONYMOUS, -1);
    held = clone(hold_still, stack + sizeof stack, CLONE_VM | SIGCHLD, NULL);
    if (held < 0) {
        race_broken("clone");
    }
    if (!race_is_foreign()) {
        race_peer(poke);
    }
    board->writer = held;
    for (int tries = 0; tries < 500 && board->hits == 0; ++tries) {
        race_await(&board->hits, 0);
    }
}

static void child(void) {
    race_exec(WITNESS, word);
}

int main(int argc, char** argv) {
    static const struct race race = {
        .name = "ptrace_poke", .start = kCloneVm, .prepare = prepare, .child = child};
    if (argc > 1 && strcmp(argv[1], "write") == 0) {
        race_open_board();
        race_pin(kWriters);
        while ((held = board->writer) == 0) {
            race_pause(40);
        }
        word = RACE_WORD;
        poke();
    }
    return race_run(argc, argv, &race);
}
