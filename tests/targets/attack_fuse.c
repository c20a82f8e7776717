// argv[1] lies in a file of our own FUSE file system: the first read of its page is told "good",
// then the page is invalidated and the next read is told "evil". With "never" as the second
// argument reads are not answered at all. Speaks the FUSE protocol by hand: the file system is one
// file, its root. Needs /dev/fuse and CAP_SYS_ADMIN.
#include <linux/fuse.h>
#include <sys/mount.h>
#include <sys/uio.h>

#include "race.h"

#define FILE_SYSTEM "/srv/fuse"

static char* word;
static int device;
static bool never;

static void reply(uint64_t unique, int error, const void* data, size_t size) {
    struct fuse_out_header header = {
        .len = (uint32_t)(sizeof header + size), .error = error, .unique = unique};
    struct iovec parts[2] = {{&header, sizeof header}, {(void*)data, size}};
    (void)!writev(device, parts, size ? 2 : 1);
}

static void reply_page(uint64_t unique) {
    static char page[4096];
    if (!never) {
        memcpy(page, board->phase == 1 ? "evil" : "good", 5);
        reply(unique, 0, page, sizeof page);
        ++board->reads;
    }
}

static void serve_one(const struct fuse_in_header* in) {
    static const struct fuse_attr_out attr = {
        .attr_valid = 1u << 30,
        .attr = {.ino = 1, .size = 4096, .mode = S_IFREG | 0644, .nlink = 1}};
    static const struct fuse_open_out opened = {.fh = 1, .open_flags = FOPEN_KEEP_CACHE};
    static const struct fuse_init_out init = {
        .major = FUSE_KERNEL_VERSION, .minor = 31, .max_write = 4096};
    switch (in->opcode) {
        case FUSE_INIT:
            reply(in->unique, 0, &init, sizeof init);
            break;
        case FUSE_GETATTR:
            reply(in->unique, 0, &attr, sizeof attr);
            break;
        case FUSE_OPEN:
            reply(in->unique, 0, &opened, sizeof opened);
            break;
        case FUSE_READ:
            reply_page(in->unique);
            break;
        case FUSE_FLUSH:
        case FUSE_RELEASE:
            reply(in->unique, 0, NULL, 0);
            break;
        case FUSE_FORGET:
        case FUSE_BATCH_FORGET:
        case FUSE_INTERRUPT:
            break;  // want no answer
        default:
            reply(in->unique, -ENOSYS, NULL, 0);
    }
}

static void serve(void) {
    static char buffer[FUSE_MIN_READ_BUFFER * 2] __attribute__((aligned(8)));
    for (;;) {
        if (read(device, buffer, sizeof buffer) > 0) {
            serve_one((struct fuse_in_header*)buffer);
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
