// The program is named relative to the working directory, which the caller shares (CLONE_FS) with a
// peer that keeps changing it.
#include "race.h"

static char stack[64 << 10] __attribute__((aligned(64)));

static unsigned pause_between = 40;

static void prepare(void) {
    mkdir("/srv/good", 0755);
    mkdir("/srv/evil", 0755);
    if (link(WITNESS, "/srv/good/witness") != 0 || link(WITNESS_EVIL, "/srv/evil/witness") != 0 ||
        chdir("/srv/good") != 0 ||
        clone(race_wander, stack + sizeof stack, CLONE_FS | SIGCHLD, &pause_between) < 0) {
        race_broken("/srv");
    }
}

static void child(void) {
    race_exec("./witness", "good");
}

int main(int argc, char** argv) {
    static const struct race race = {.name = "chdir_peer",
                                     .start = kFork,
                                     .clone_flags = CLONE_FS,
                                     .prepare = prepare,
                                     .child = child};
    return race_run(argc, argv, &race);
}
