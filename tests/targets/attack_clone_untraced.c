// The writer is born with CLONE_UNTRACED, which hides its birth from a tracer of its parent, just
// before the exec.
#include "race.h"

static char* word;
static char stack[64 << 10] __attribute__((aligned(64)));

static int flip(void* unused) {
    (void)unused;
    race_pin(kWriters);
    ++board->hits;
    race_flip_forever(word);
}

static void prepare(void) {
    word = race_map(MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

static void arm(unsigned number) {
    (void)number;
    board->writer = 0;
}

static void child(void) {
    const unsigned before = board->hits;
    const pid_t writer =
        clone(flip, stack + sizeof stack, CLONE_VM | CLONE_UNTRACED | SIGCHLD, NULL);
    board->writer = writer;
    if (writer > 0) {
        race_await(&board->hits, before);
    } else {
        board->phase = 1;
    }
    race_exec(WITNESS, word);
}

// The writer outlives its parent's exec with the old memory, and becomes our child (we are PID 1).
static void after(void) {
    if (board->writer > 0) {
        kill(board->writer, SIGKILL);
        waitpid(board->writer, NULL, __WALL);
    }
    race_writer_state = board->phase ? "refused" : "ok";
}

int main(int argc, char** argv) {
    static const struct race race = {.name = "clone_untraced",
                                     .start = kFork,
                                     .prepare = prepare,
                                     .arm = arm,
                                     .child = child,
                                     .after = after};
    return race_run(argc, argv, &race);
}
