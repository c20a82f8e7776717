// A sibling thread flips the value of an environment variable.
#include "race.h"

static char setting[16] __attribute__((aligned(4))) = "WITNESS=good";

static void* flip(void* started) {
    *(volatile bool*)started = true;
    race_flip_forever(setting + 8);
}

static void child(void) {
    static volatile bool started;
    char* argv[] = {"witness", "good", NULL};
    char* envp[] = {"PATH=/bin", setting, NULL};
    race_thread(flip, (void*)&started);
    while (!started) {
    }
    execve(WITNESS, argv, envp);
    race_failed();
}

int main(int argc, char** argv) {
    return race_run(argc, argv,
                    &(struct race){.name = "sibling_envp", .start = kFork, .child = child});
}
