// A sibling thread of the caller flips the bytes of argv[1]. Also built with -m32: a compat
// caller's argv is an array of 32-bit pointers.
#include "race.h"

static char* word;

static void prepare(void) {
    word = race_map(MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

static void* flip(void* started) {
    *(volatile bool*)started = true;
    race_flip_forever(word);
}

static void child(void) {
    static volatile bool started;
    race_thread(flip, (void*)&started);
    while (!started) {
    }
    race_exec(WITNESS, word);
}

int main(int argc, char** argv) {
    return race_run(argc, argv,
                    &(struct race){.name = sizeof(void*) == 4 ? "i386_string" : "sibling_string",
                                   .start = kFork,
                                   .prepare = prepare,
                                   .child = child});
}
