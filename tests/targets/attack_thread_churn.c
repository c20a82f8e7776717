// The writers never stay: each thread flips argv[1] a few times, makes its successor and ends. Who
// lists the threads once has missed one.
#include "race.h"

static char* word;
static volatile unsigned born;

static void* flip(void* unused) {
    ++born;
    for (int i = 0; i < 4; ++i) {
        race_set(word, "evil");
        race_pause(40);
        race_set(word, "good");
        race_pause(40);
    }
    pthread_t next;
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, 64 << 10);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    while (pthread_create(&next, &attr, flip, unused) != 0) {
    }
    return NULL;
}

static void prepare(void) {
    word = race_map(MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

static void child(void) {
    race_thread(flip, NULL);
    race_await(&born, 0);
    race_exec(WITNESS, word);
}

int main(int argc, char** argv) {
    static const struct race race = {
        .name = "thread_churn", .start = kFork, .prepare = prepare, .child = child};
    return race_run(argc, argv, &race);
}
