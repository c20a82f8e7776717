// The caller is a vfork child whose parent is somebody else by now: another thread of the parent's
// process has executed this program, which took the parent's number. It flips argv[1] in a file
// that both map.
#include "race.h"

static char* word;
static char stack[64 << 10] __attribute__((aligned(64)));
static volatile unsigned born;

static void* take_over(void* unused) {
    (void)unused;
    while (!born) {  // a refused clone() ends the process
        race_pause(1);
    }
    race_exec_self();
}

static int exec_when_flipped(void* unused) {
    (void)unused;
    ++born;
    race_exec_when_flipped(WITNESS, word);
}

static void prepare(void) {
    word = race_map(MAP_SHARED, race_word_file());
}

static void child(void) {
    race_thread(take_over, NULL);
    // Returns where the other thread comes too late.
    race_end_as(race_reap(
        clone(exec_when_flipped, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, NULL)));
}

int main(int argc, char** argv) {
    if (race_is_second_stage(argv)) {
        race_flip_until_a_child_ends(race_map(MAP_SHARED, kWordFd));
        race_end_as(race_reap(-1));
    }
    static const struct race race = {
        .name = "vfork_parent_exec", .start = kFork, .prepare = prepare, .child = child};
    return race_run(argc, argv, &race);
}
