// A sibling thread flips the program's path between /bin/witness and /bin/witness-evil by cutting
// the string at the dash.
#include "race.h"

static volatile char path[] = WITNESS_EVIL;
enum { kCut = sizeof WITNESS - 1 };

static void* flip(void* started) {
    *(volatile bool*)started = true;
    for (;;) {
        path[kCut] = '\0';
        race_pause(40);
        path[kCut] = '-';
        race_pause(40);
    }
    return NULL;
}

static void child(void) {
    static volatile bool started;
    race_thread(flip, (void*)&started);
    while (!started) {
    }
    race_exec((const char*)path, "good");
}

int main(int argc, char** argv) {
    return race_run(argc, argv,
                    &(struct race){.name = "sibling_path", .start = kFork, .child = child});
}
