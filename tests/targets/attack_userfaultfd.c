// Every read of the page of argv[1] asks us: whoever comes first is shown "good"; then the page is
// taken away, and the next reader is shown "evil". With "never" as the second argument nobody is
// answered at all: reading the word blocks for good. Needs CAP_SYS_PTRACE.
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>

#include "race.h"

static char* word;
static int faults;
static bool never;
static volatile unsigned phase, served;

static void* serve(void* unused) {
    static char page[4096] __attribute__((aligned(4096)));
    (void)unused;
    for (;;) {
        struct uffd_msg message;
        if (read(faults, &message, sizeof message) != sizeof message || never) {
            continue;
        }
        memcpy(page, phase ? "evil" : "good", 5);
        struct uffdio_copy copy = {.dst = (uintptr_t)word, .src = (uintptr_t)page, .len = 4096};
        ioctl(faults, UFFDIO_COPY, &copy);
        if (served++ == 0) {
            race_spin_us(race_delay_us() / 2);
            phase = 1;
            madvise(word, 4096, MADV_DONTNEED);
        }
    }
    return NULL;
}

static void prepare(void) {
    word = race_map(MAP_PRIVATE | MAP_ANONYMOUS, -1);
    faults = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
    struct uffdio_api api = {.api = UFFD_API};
    struct uffdio_register range = {.range = {(uintptr_t)word, 4096},
                                    .mode = UFFDIO_REGISTER_MODE_MISSING};
    if (faults < 0 || ioctl(faults, UFFDIO_API, &api) != 0 ||
        ioctl(faults, UFFDIO_REGISTER, &range) != 0) {
        race_broken("userfaultfd");
    }
    race_thread(serve, NULL);
}

static void arm(unsigned number) {
    (void)number;
    phase = 0;
    served = 0;
    madvise(word, 4096, MADV_DONTNEED);
}

static void child(void) {
    race_exec(WITNESS, word);
}

int main(int argc, char** argv) {
    static const struct race race = {
        .name = "userfaultfd", .start = kCloneVm, .prepare = prepare, .arm = arm, .child = child};
    never = argc > 2 && strcmp(argv[2], "never") == 0;
    return race_run(argc, argv, &race);
}
