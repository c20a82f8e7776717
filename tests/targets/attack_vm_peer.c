// A process (not a thread) that shares the caller's memory flips argv[1]: clone(CLONE_VM).
#include "race.h"

static char* word;
static char stack[64 << 10] __attribute__((aligned(64)));

static int flip(void* unused) {
    (void)unused;
    race_pin(kWriters);
    race_flip_forever(word);
}

static void prepare(void) {
    word = race_map(MAP_PRIVATE | MAP_ANONYMOUS, -1);
    if (clone(flip, stack + sizeof stack, CLONE_VM | SIGCHLD, NULL) < 0) {
        race_broken("clone");
    }
}

static void child(void) {
    race_exec(WITNESS, word);
}

int main(int argc, char** argv) {
    static const struct race race = {
        .name = "vm_peer", .start = kCloneVm, .prepare = prepare, .child = child};
    return race_run(argc, argv, &race);
}
