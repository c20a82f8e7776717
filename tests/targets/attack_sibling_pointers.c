// A sibling thread flips the pointer argv[1] between two strings that never change.
#include "race.h"

static char* volatile pointers[3];

static void* flip(void* started) {
    *(volatile bool*)started = true;
    for (;;) {
        pointers[1] = "good";
        race_pause(40);
        pointers[1] = "evil";
        race_pause(40);
    }
    return NULL;
}

static void child(void) {
    static volatile bool started;
    static char* envp[] = {"WITNESS=good", NULL};
    pointers[0] = "witness";
    pointers[1] = "good";
    race_thread(flip, (void*)&started);
    while (!started) {
    }
    execve(WITNESS, (char**)pointers, envp);
    race_failed();
}

int main(int argc, char** argv) {
    return race_run(argc, argv,
                    &(struct race){.name = "sibling_pointers", .start = kFork, .child = child});
}
