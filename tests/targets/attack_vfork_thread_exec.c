// The caller is a vfork child whose parent does not wait any more: another thread of it has
// executed this program, which took its number. The parent flips argv[1] in a file that both map.
// Built as vfork_first_thread_ends, too: that wakes the parent, and the other thread executes the
// witness.
#include "race.h"

static char* word;
static char stack[64 << 10] __attribute__((aligned(64)));

#ifdef FIRST_THREAD_ENDS
#define NAME "vfork_first_thread_ends"
static int other_thread(void* unused) {
    (void)unused;
    race_exec_when_flipped(WITNESS, word);
}
#else
#define NAME "vfork_thread_exec"
static int other_thread(void* unused) {
    (void)unused;
    race_exec_self();
}
#endif

static void prepare(void) {
    word = race_map(MAP_SHARED, race_word_file());
}

static void child(void) {
    ++board->execs;
    if (clone(other_thread, stack + sizeof stack,
              CLONE_VM | CLONE_SIGHAND | CLONE_THREAD | CLONE_FS | CLONE_FILES, NULL) < 0) {
        race_broken("clone of a thread");
    }
#ifdef FIRST_THREAD_ENDS
    syscall(SYS_exit, 0);
#endif
    for (;;) {
        pause();
    }
}

static void during(pid_t caller) {
    (void)caller;
    race_flip_until_a_child_ends(word);
}

int main(int argc, char** argv) {
    if (race_is_second_stage(argv)) {
        race_exec_when_flipped(WITNESS, race_map(MAP_SHARED, kWordFd));
    }
    static const struct race race = {
        .name = NAME, .start = kVfork, .prepare = prepare, .child = child, .during = during};
    return race_run(argc, argv, &race);
}
