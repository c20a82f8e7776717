// A sibling thread of the caller flips the bytes of argv[1]. Also built with -m32: a compat
// caller's argv is an array of 32-bit pointers. And with EXEC_FROM_THREAD: then the leader flips,
// and another thread executes, which goes on under the leader's number. LEADER_FORKS besides: the
// leader is one that an agent follows from its forks on, and waits for by that number.
#include "race.h"

static char* word;

static void prepare(void) {
    word = race_map(MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

static void* flip(void* started) {
    *(volatile bool*)started = true;
    race_flip_forever(word);
}

#ifdef EXEC_FROM_THREAD
#ifdef LEADER_FORKS
#define NAME "forking_leader"
static volatile unsigned forks;

static void on_child(int signal) {
    (void)signal;
}

static void fork_once(void) {
    const pid_t pid = fork();
    if (pid == 0) {
        _exit(0);
    }
    (void)race_reap(pid);
    ++forks;
}
#else
#define NAME "thread_exec"
#endif

static void* exec_it(void* unused) {
    (void)unused;
    race_pin(kCallers);
#ifdef LEADER_FORKS
    race_await(&forks, 0);
#endif
    race_exec(WITNESS, word);
}

static void child(void) {
    (void)flip;
#ifdef LEADER_FORKS
    (void)signal(SIGCHLD, on_child);
    race_thread(exec_it, NULL);
    race_pin(kWriters);
    fork_once();
#else
    race_thread(exec_it, NULL);
    race_pin(kWriters);
#endif
    race_flip_forever(word);
}
#else
#define NAME (sizeof(void*) == 4 ? "i386_string" : "sibling_string")

static void child(void) {
    static volatile bool started;
    race_thread(flip, (void*)&started);
    while (!started) {
    }
    race_exec(WITNESS, word);
}
#endif

int main(int argc, char** argv) {
    return race_run(
        argc, argv,
        &(struct race){.name = NAME, .start = kFork, .prepare = prepare, .child = child});
}
