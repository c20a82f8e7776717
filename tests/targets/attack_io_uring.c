// The caller has an io_uring read from a pipe into argv[1] in flight when it execs; a kernel worker
// finishes it whenever the other end is written.
#include <liburing.h>

#include "race.h"

static char* word;
static int ends[2];

static void prepare(void) {
    word = race_map(MAP_PRIVATE | MAP_ANONYMOUS, -1);
    if (pipe2(ends, O_CLOEXEC) != 0) {
        race_broken("pipe");
    }
}

static void child(void) {
    struct io_uring ring;
    if (io_uring_queue_init(2, &ring, 0) != 0) {
        race_broken("io_uring_setup");
    }
    struct io_uring_sqe* sqe = io_uring_get_sqe(&ring);
    io_uring_prep_read(sqe, ends[0], word, 4, 0);
    sqe->flags |= IOSQE_ASYNC;  // a worker waits in the read; nothing of the caller needs to run
    if (io_uring_submit(&ring) != 1) {
        race_broken("io_uring_submit");
    }
    race_exec(WITNESS, word);
}

static void during(pid_t pid) {
    (void)pid;
    race_spin_us(race_delay_us());
    (void)!write(ends[1], "evil", 4);
}

// What nobody has read must not reach the next try.
static void after(void) {
    char rest[4];
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    (void)!read(ends[0], rest, sizeof rest);
    fcntl(ends[0], F_SETFL, 0);
}

int main(int argc, char** argv) {
    static const struct race race = {.name = "io_uring",
                                     .start = kFork,
                                     .prepare = prepare,
                                     .child = child,
                                     .during = during,
                                     .after = after};
    return race_run(argc, argv, &race);
}
