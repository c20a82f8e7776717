// argv[1] lies in a file of our own FUSE file system: the first read of its page is told "good",
// then the page is invalidated and the next read is told "evil". With "never" as the second
// argument reads are not answered at all. Speaks the FUSE protocol by hand: the file system is one
// file, its root. Needs /dev/fuse and CAP_SYS_ADMIN.
#include <sys/mount.h>

#include "fuse_file.h"
#include "race.h"

#define FILE_SYSTEM "/srv/fuse"

static char* word;
static int device;
static bool never;

static void reply_page(const struct fuse_file* file, const struct fuse_in_header* in) {
    static char page[4096];
    if (!never) {
        memcpy(page, board->phase == 1 ? "evil" : "good", 5);
        fuse_reply(file, in->unique, 0, page, sizeof page);
        ++board->reads;
    }
}

static void serve(void) {
    const struct fuse_file file = {.device = device,
                                   .size = 4096,
                                   .permissions = 0644,
                                   .attr_valid_s = 1u << 30,
                                   .open_flags = FOPEN_KEEP_CACHE,
                                   .read = reply_page};
    static char buffer[FUSE_MIN_READ_BUFFER * 2] __attribute__((aligned(8)));
    for (;;) {
        if (read(device, buffer, sizeof buffer) > 0) {
            fuse_answer(&file, (struct fuse_in_header*)buffer);
        }
    }
}

static void invalidate(void) {
    struct fuse_notify_inval_inode_out range = {.ino = 1, .off = 0, .len = 4096};
    struct fuse_out_header header = {.len = sizeof header + sizeof range,
                                     .error = FUSE_NOTIFY_INVAL_INODE};
    struct iovec parts[2] = {{&header, sizeof header}, {&range, sizeof range}};
    (void)!writev(device, parts, 2);
}

static void take_away(void) {
    for (;;) {
        if (board->reads != 0 && board->phase == 0) {
            race_spin_us(race_delay_us() / 2);
            board->phase = 1;
            invalidate();
        }
    }
}

static void prepare(void) {
    char options[96];
    device = open("/dev/fuse", O_RDWR | O_CLOEXEC);
    snprintf(options, sizeof options, "fd=%d,rootmode=100644,user_id=0,group_id=0", device);
    close(open(FILE_SYSTEM, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    if (device < 0 || mount("race", FILE_SYSTEM, "fuse", 0, options) != 0) {
        race_broken("mount fuse");
    }
    race_peer(serve);
    if (!never) {
        race_peer(take_away);
    }
    struct stat size;
    const int file = open(FILE_SYSTEM, O_RDONLY | O_CLOEXEC);
    (void)fstat(file, &size);  // until the kernel has asked, the root file is 0 bytes long
    word = mmap(NULL, 4096, PROT_READ, MAP_SHARED, file, 0);
    if (word == MAP_FAILED) {
        race_broken("mmap fuse");
    }
}

static void arm(unsigned number) {
    (void)number;
    if (never) {
        return;  // the page never came; to invalidate it would wait for it
    }
    board->phase = 2;  // nothing is taken away meanwhile
    invalidate();
    board->reads = 0;
    board->phase = 0;
}

static void child(void) {
    race_exec(WITNESS, word);
}

int main(int argc, char** argv) {
    static const struct race race = {
        .name = "fuse", .start = kFork, .prepare = prepare, .arm = arm, .child = child};
    never = argc > 2 && strcmp(argv[2], "never") == 0;
    return race_run(argc, argv, &race);
}
