// A sibling thread replaces the file behind the descriptor that is about to be executed. Built as
// fd_swap (execveat with AT_EMPTY_PATH) and as fd_path_swap (execve of /proc/self/fd/N).
#include "race.h"

enum { kProgram = 50 };

static int good, evil;

static void* swap(void* started) {
    *(volatile bool*)started = true;
    for (;;) {
        dup2(evil, kProgram);
        race_pause(40);
        dup2(good, kProgram);
        race_pause(40);
    }
    return NULL;
}

static void prepare(void) {
    good = open(WITNESS, O_PATH | O_CLOEXEC);
    evil = open(WITNESS_EVIL, O_PATH | O_CLOEXEC);
    if (good < 0 || evil < 0 || dup2(good, kProgram) < 0) {
        race_broken(WITNESS_EVIL);
    }
}

static void child(void) {
    static volatile bool started;
    race_thread(swap, (void*)&started);
    while (!started) {
    }
#ifdef THROUGH_PATH
    race_exec("/proc/self/fd/50", "good");
#else
    char* argv[] = {"witness", "good", NULL};
    char* envp[] = {"WITNESS=good", NULL};
    syscall(SYS_execveat, kProgram, "", argv, envp, AT_EMPTY_PATH);
    race_failed();
#endif
}

int main(int argc, char** argv) {
#ifdef THROUGH_PATH
    const char* name = "fd_path_swap";
#else
    const char* name = "fd_swap";
#endif
    const struct race race = {.name = name, .start = kFork, .prepare = prepare, .child = child};
    return race_run(argc, argv, &race);
}
