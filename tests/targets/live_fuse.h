// A FUSE file system that is one executable file, its root: what live_exit is, served by a process
// of the container that takes 20 ms for each READ.
#pragma once

#include <sys/mount.h>

#include "fuse_file.h"
#include "live.h"

#define LIVE_SERVED "/tmp/served"

static int live_fuse_content;

static void live_fuse_read(const struct fuse_file* file, const struct fuse_in_header* in) {
    static char data[1 << 17];
    const struct fuse_read_in* wanted = (const struct fuse_read_in*)(in + 1);
    live_sleep_us(20000);
    const size_t size = wanted->size < sizeof data ? wanted->size : sizeof data;
    const ssize_t got = pread(live_fuse_content, data, size, (off_t)wanted->offset);
    fuse_reply(file, in->unique, got < 0 ? -EIO : 0, data, got < 0 ? 0 : (size_t)got);
}

// Returns the server's process; LIVE_SERVED can be executed from then on. Needs /dev/fuse and
// CAP_SYS_ADMIN.
static inline pid_t live_serve_exit(uint32_t max_readahead) {
    char options[96];
    struct stat content;
    live_fuse_content = open("/bin/live_exit", O_RDONLY | O_CLOEXEC);
    live_check(live_fuse_content >= 0 && fstat(live_fuse_content, &content) == 0, "live_exit");
    const struct fuse_file file = {.device = open("/dev/fuse", O_RDWR | O_CLOEXEC),
                                   .size = (uint64_t)content.st_size,
                                   .permissions = 0755,
                                   .attr_valid_s = 3600,
                                   .max_readahead = max_readahead,
                                   .read = live_fuse_read};
    snprintf(options, sizeof options, "fd=%d,rootmode=100755,user_id=0,group_id=0,allow_other",
             file.device);
    close(open(LIVE_SERVED, O_CREAT | O_WRONLY | O_CLOEXEC, 0755));
    live_check(mount("served", LIVE_SERVED, "fuse", 0, options) == 0, "mount");
    const pid_t server = live_fork();
    if (server == 0) {
        static char request[1 << 18] __attribute__((aligned(8)));
        while (read(file.device, request, sizeof request) > 0) {
            fuse_answer(&file, (const struct fuse_in_header*)request);
        }
        _exit(0);
    }
    close(file.device);
    live_check(open(LIVE_SERVED, O_PATH | O_CLOEXEC) >= 0, "served");
    struct stat size;
    live_check(stat(LIVE_SERVED, &size) == 0 && size.st_size == content.st_size, "size");
    return server;
}
