// argv[1] lies in a memfd; a peer flips it through a mapping of its own.
#include "race.h"

static char* word;

static void flip(void) {
    char* own = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, kWordFd, 0);
    race_flip_forever(own);
}

static void prepare(void) {
    word = race_map(MAP_SHARED, race_word_file());
    race_peer(flip);
}

static void child(void) {
    race_exec(WITNESS, word);
}

int main(int argc, char** argv) {
    static const struct race race = {
        .name = "shared_memfd", .start = kFork, .prepare = prepare, .child = child};
    return race_run(argc, argv, &race);
}
