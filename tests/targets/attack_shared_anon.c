// argv[1] lies on an anonymous MAP_SHARED page; a peer process flips it there.
#include "race.h"

static char* word;

static void flip(void) {
    race_flip_forever(word);
}

static void prepare(void) {
    word = race_map(MAP_SHARED | MAP_ANONYMOUS, -1);
    race_peer(flip);
}

static void child(void) {
    race_exec(WITNESS, word);
}

int main(int argc, char** argv) {
    static const struct race race = {
        .name = "shared_anon", .start = kFork, .prepare = prepare, .child = child};
    return race_run(argc, argv, &race);
}
