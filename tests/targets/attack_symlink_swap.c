// The program is named by a symbolic link that a peer keeps pointing from one file to another.
#include "race.h"

static void swap(void) {
    for (;;) {
        (void)!symlink(WITNESS_EVIL, "/tmp/next");
        rename("/tmp/next", "/tmp/program");
        (void)!symlink(WITNESS, "/tmp/next");
        rename("/tmp/next", "/tmp/program");
    }
}

static void prepare(void) {
    (void)!symlink(WITNESS, "/tmp/program");
    race_peer(swap);
}

static void child(void) {
    race_exec("/tmp/program", "good");
}

int main(int argc, char** argv) {
    static const struct race race = {
        .name = "symlink_swap", .start = kFork, .prepare = prepare, .child = child};
    return race_run(argc, argv, &race);
}
