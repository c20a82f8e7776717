// The caller is a vfork child; a thread of its parent, which vfork does not hold, flips argv[1] in
// the memory that both use.
#include "race.h"

static char* word;

static void* flip(void* unused) {
    (void)unused;
    race_flip_forever(word);
}

static void prepare(void) {
    word = race_map(MAP_PRIVATE | MAP_ANONYMOUS, -1);
    race_thread(flip, NULL);
}

static void child(void) {
    race_exec(WITNESS, word);
}

int main(int argc, char** argv) {
    static const struct race race = {
        .name = "vfork_parent_thread", .start = kVfork, .prepare = prepare, .child = child};
    return race_run(argc, argv, &race);
}
