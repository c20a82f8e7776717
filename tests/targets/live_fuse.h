// A FUSE file system that is one executable file, its root: what live_exit is, served by a process
// of the container that takes 20 ms for each READ. Speaks the protocol by hand and knows nothing
// but what an exec needs: STATFS, say, gets ENOSYS.
#pragma once

#include <linux/fuse.h>
#include <sys/mount.h>
#include <sys/uio.h>

#include "live.h"

#define LIVE_SERVED "/tmp/served"

static int live_fuse_device;
static int live_fuse_content;
static off_t live_fuse_size;

static void live_fuse_reply(uint64_t unique, int error, const void* data, size_t size) {
    struct fuse_out_header header = {
        .len = (uint32_t)(sizeof header + size), .error = error, .unique = unique};
    struct iovec parts[2] = {{&header, sizeof header}, {(void*)data, size}};
    (void)!writev(live_fuse_device, parts, size ? 2 : 1);
}

static void live_fuse_read(const struct fuse_in_header* in) {
    static char data[1 << 17];
    const struct fuse_read_in* wanted = (const struct fuse_read_in*)(in + 1);
    live_sleep_us(20000);
    const size_t size = wanted->size < sizeof data ? wanted->size : sizeof data;
    const ssize_t got = pread(live_fuse_content, data, size, (off_t)wanted->offset);
    live_fuse_reply(in->unique, got < 0 ? -EIO : 0, data, got < 0 ? 0 : (size_t)got);
}

static void live_fuse_answer(const struct fuse_in_header* in) {
    const struct fuse_attr_out attr = {
        .attr_valid = 3600,
        .attr = {.ino = 1, .size = (uint64_t)live_fuse_size, .mode = S_IFREG | 0755, .nlink = 1}};
    static const struct fuse_open_out opened = {.fh = 1};
    static const struct fuse_init_out init = {
        .major = FUSE_KERNEL_VERSION, .minor = 31, .max_readahead = 1 << 17, .max_write = 4096};
    switch (in->opcode) {
        case FUSE_INIT:
            live_fuse_reply(in->unique, 0, &init, sizeof init);
            break;
        case FUSE_GETATTR:
            live_fuse_reply(in->unique, 0, &attr, sizeof attr);
            break;
        case FUSE_OPEN:
            live_fuse_reply(in->unique, 0, &opened, sizeof opened);
            break;
        case FUSE_READ:
            live_fuse_read(in);
            break;
        case FUSE_FLUSH:
        case FUSE_RELEASE:
            live_fuse_reply(in->unique, 0, NULL, 0);
            break;
        case FUSE_FORGET:
        case FUSE_BATCH_FORGET:
        case FUSE_INTERRUPT:
            break;  // want no answer
        default:
            live_fuse_reply(in->unique, -ENOSYS, NULL, 0);
    }
}

// Returns the server's process; LIVE_SERVED can be executed from then on. Needs /dev/fuse and
// CAP_SYS_ADMIN.
static inline pid_t live_serve_exit(void) {
    char options[96];
    struct stat content;
    live_fuse_content = open("/bin/live_exit", O_RDONLY | O_CLOEXEC);
    live_check(live_fuse_content >= 0 && fstat(live_fuse_content, &content) == 0, "live_exit");
    live_fuse_size = content.st_size;
    live_fuse_device = open("/dev/fuse", O_RDWR | O_CLOEXEC);
    snprintf(options, sizeof options, "fd=%d,rootmode=100755,user_id=0,group_id=0,allow_other",
             live_fuse_device);
    close(open(LIVE_SERVED, O_CREAT | O_WRONLY | O_CLOEXEC, 0755));
    live_check(mount("served", LIVE_SERVED, "fuse", 0, options) == 0, "mount");
    const pid_t server = live_fork();
    if (server == 0) {
        static char request[1 << 18] __attribute__((aligned(8)));
        while (read(live_fuse_device, request, sizeof request) > 0) {
            live_fuse_answer((const struct fuse_in_header*)request);
        }
        _exit(0);
    }
    close(live_fuse_device);
    live_check(open(LIVE_SERVED, O_PATH | O_CLOEXEC) >= 0, "served");
    struct stat size;
    live_check(stat(LIVE_SERVED, &size) == 0 && size.st_size == live_fuse_size, "size");
    return server;
}
