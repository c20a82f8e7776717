// A FUSE file system that is one file, its root: the protocol by hand, and no more of it than an
// exec or a mapping of that file needs. Anything else, STATFS say, gets ENOSYS.
#pragma once

#include <errno.h>
#include <linux/fuse.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

struct fuse_file {
    int device;
    uint64_t size;
    uint32_t permissions;
    uint64_t attr_valid_s;
    uint32_t open_flags;
    uint32_t max_readahead;
    // Answers one READ, by fuse_reply(), or never.
    void (*read)(const struct fuse_file* file, const struct fuse_in_header* in);
};

// `error`: 0 or a negative errno.
static inline void fuse_reply(const struct fuse_file* file, uint64_t unique, int error,
                              const void* data, size_t size) {
    struct fuse_out_header header = {
        .len = (uint32_t)(sizeof header + size), .error = error, .unique = unique};
    struct iovec parts[2] = {{&header, sizeof header}, {(void*)data, size}};
    (void)!writev(file->device, parts, size ? 2 : 1);
}

static inline void fuse_answer(const struct fuse_file* file, const struct fuse_in_header* in) {
    const struct fuse_attr_out attr = {
        .attr_valid = file->attr_valid_s,
        .attr = {.ino = 1, .size = file->size, .mode = S_IFREG | file->permissions, .nlink = 1}};
    const struct fuse_open_out opened = {.fh = 1, .open_flags = file->open_flags};
    const struct fuse_init_out init = {.major = FUSE_KERNEL_VERSION,
                                       .minor = 31,
                                       .max_readahead = file->max_readahead,
                                       .max_write = 4096};
    switch (in->opcode) {
        case FUSE_INIT:
            fuse_reply(file, in->unique, 0, &init, sizeof init);
            break;
        case FUSE_GETATTR:
            fuse_reply(file, in->unique, 0, &attr, sizeof attr);
            break;
        case FUSE_OPEN:
            fuse_reply(file, in->unique, 0, &opened, sizeof opened);
            break;
        case FUSE_READ:
            file->read(file, in);
            break;
        case FUSE_FLUSH:
        case FUSE_RELEASE:
            fuse_reply(file, in->unique, 0, NULL, 0);
            break;
        case FUSE_FORGET:
        case FUSE_BATCH_FORGET:
        case FUSE_INTERRUPT:
            break;  // want no answer
        default:
            fuse_reply(file, in->unique, -ENOSYS, NULL, 0);
    }
}
