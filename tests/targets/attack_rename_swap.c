// A peer keeps exchanging the program's name with that of another file: the path stays, the file
// behind it changes.
#include "race.h"

static void swap(void) {
    for (;;) {
        renameat2(AT_FDCWD, "/tmp/program", AT_FDCWD, "/tmp/other", RENAME_EXCHANGE);
        race_pause(40);
    }
}

static void prepare(void) {
    if (link(WITNESS, "/tmp/program") != 0 || link(WITNESS_EVIL, "/tmp/other") != 0) {
        race_broken("link");
    }
    race_peer(swap);
}

static void child(void) {
    race_exec("/tmp/program", "good");
}

int main(int argc, char** argv) {
    static const struct race race = {
        .name = "rename_swap", .start = kFork, .prepare = prepare, .child = child};
    return race_run(argc, argv, &race);
}
