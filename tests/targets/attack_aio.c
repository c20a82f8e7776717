// An O_DIRECT read into the page of argv[1] is in flight when the caller execs: the disk writes
// while every task stands still. Built as aio (the request is a peer's, the page is shared) and as
// own_aio (the caller's own context; the exec then takes tens of milliseconds in exit_aio()).
#include <libaio.h>

#include "race.h"

enum { kAhead = 32, kAheadSize = 64 << 10 };

static char* word;
static char* ballast;  // for reads that go ahead of ours, so that it arrives late
static int file;

static void submit(io_context_t context, unsigned ahead) {
    struct iocb blocks[kAhead + 1];
    struct iocb* list[kAhead + 1];
    for (unsigned i = 0; i < ahead; ++i) {
        io_prep_pread(&blocks[i], file, ballast, kAheadSize, 4096 + i * kAheadSize);
        list[i] = &blocks[i];
    }
    io_prep_pread(&blocks[ahead], file, word, 4096, 0);
    list[ahead] = &blocks[ahead];
    if (io_submit(context, ahead + 1, list) != (int)ahead + 1) {
        race_broken("io_submit");
    }
}

static void prepare_memory(void) {
    const char evil[4096] = "evil";
    file = open("/srv/direct", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0 || pwrite(file, evil, sizeof evil, 0) != sizeof evil ||
        ftruncate(file, 4096 + kAhead * kAheadSize) != 0 || fsync(file) != 0) {
        race_broken("/srv/direct");
    }
    close(file);
    file = open("/srv/direct", O_RDONLY | O_DIRECT | O_CLOEXEC);
    if (file < 0) {
        race_broken("O_DIRECT");
    }
    ballast = mmap(NULL, kAheadSize, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    word = race_map(MAP_SHARED | MAP_ANONYMOUS, -1);
}

static void arm(unsigned number) {
    (void)number;
    race_set(word, "good");
}

#ifdef OWN_CONTEXT

static void child(void) {
    io_context_t context = NULL;
    if (io_setup(kAhead + 1, &context) != 0) {
        race_broken("io_setup");
    }
    submit(context, (unsigned)getpid() % kAhead);
    race_exec(WITNESS, word);
}

int main(int argc, char** argv) {
    static const struct race race = {
        .name = "own_aio", .start = kFork, .prepare = prepare_memory, .arm = arm, .child = child};
    return race_run(argc, argv, &race);
}

#else

static io_context_t context;
static unsigned ahead;

static void prepare(void) {
    prepare_memory();
    if (io_setup(kAhead + 1, &context) != 0) {
        race_broken("io_setup");
    }
}

static void during(pid_t pid) {
    (void)pid;
    race_spin_us(race_delay_us() / 8);
    ahead = race_random() % 4;
    submit(context, ahead);
}

static void after(void) {
    struct io_event events[kAhead + 1];
    io_getevents(context, ahead + 1, ahead + 1, events, NULL);
}

static void child(void) {
    race_exec(WITNESS, word);
}

int main(int argc, char** argv) {
    static const struct race race = {.name = "aio",
                                     .start = kFork,
                                     .prepare = prepare,
                                     .arm = arm,
                                     .child = child,
                                     .during = during,
                                     .after = after};
    return race_run(argc, argv, &race);
}

#endif
