// What the BPF programs of exec_binding.bpf.c and this side of the system call share: the layout of
// what is armed and told, and the hash that compares. C and C++.
#ifndef EXECSEAL_HOOK_BPF_EXEC_BINDING_H
#define EXECSEAL_HOOK_BPF_EXEC_BINDING_H

#ifndef __bpf__
#include <linux/types.h>
#endif

// Of struct exec_told: what has become of an exec of the container.
enum {
    kToldExecuted = 1,  // the kernel took what was armed
    kToldKilled = 2,    // it did not; exec_told.field says in what
};

// What differed first, in the order in which it is compared.
enum {
    kTakenSame = 0,
    kTakenUnarmed = 1,     // nobody has judged it
    kTakenLength = 2,      // of argv's and environ's strings together
    kTakenCount = 3,       // of their strings
    kTakenStrings = 4,     // of these, the bytes
    kTakenPath = 5,        // AT_EXECFN
    kTakenFile = 6,        // /proc/PID/exe
    kTakenFs = 7,          // another process shares root and working directory, or has changed them
    kTakenUnreadable = 8,  // its stack is not in memory
};

// The bits of exec_arm.flags.
enum {
    kArmAnything = 1,  // whatever the kernel takes is right: nothing is enforced
    kArmHeld = 2,      // what cannot be read here is verified in the exec's stop as well
};

// One listener of a container. All of one supervisor have its token, which nobody else knows.
struct exec_enroll {
    __u64 token[2];
    __s32 listener;  // of the calling process
    __u32 ring;      // the key under which the supervisor's ring stands in `rings`
    __s32 error;     // out: a negative errno
    __u32 unused;
    __u64 filter;  // out: the key of its entry in `members`
};

// What one task may execute next, once.
struct exec_arm {
    __u64 token[2];
    __u64 key[2];  // of the hashes
    __u64 strings_hash;
    __u64 strings_size;
    __u64 path_hash;
    __u64 path_size;  // without its NUL
    __u64 serial;     // comes back in exec_told; grows
    __s32 tid;        // in the first PID namespace
    __s32 file;       // O_PATH descriptor of the calling process
    __u32 argc;
    __u32 envc;
    __u32 flags;
    __s32 error;    // out: a negative errno
    __u32 threads;  // out: of its process
    __u32 unused;
};

// What has become of what was armed.
struct exec_look {
    __u64 serial;
    __s32 tid;      // who was armed; after an exec it has the process's number
    __s32 process;  // its thread group's
    __s32 state;    // out, of the enum below
    __s32 error;  // out, of kLookReturned: a positive errno, 0: none (a mere check), -1: not known
};
enum {
    kLookGone = 0,       // neither number is such a task
    kLookExecuting = 1,  // it is in execve(2) still
    kLookReturned = 2,   // into its old program
    kLookExecuted = 3,
    kLookKilled = 4,
};

enum { kTakenBytes = 1024, kTakenPathBytes = 256 };

// In the supervisor's ring: of an executed one the first part alone.
struct exec_told {
    __u64 serial;
    __u32 what;
    __u32 field;
    __s32 tid;
    __s32 process;
};
struct exec_taken {
    struct exec_told told;
    __u64 strings_size;
    __u32 argc;
    __u32 envc;
    __u64 inode;
    __u32 device;
    __u32 bytes;                 // of the next one
    char strings[kTakenBytes];   // argv's, then environ's: where they begin
    char path[kTakenPathBytes];  // as much as fits, with a NUL
};

// SipHash-2-4 over chunks that are padded with zeroes: the verifier of some kernels gives up on a
// branch a word.
enum { kSipChunk = 256 };
struct sip_state {
    __u64 v0, v1, v2, v3;
};

#ifdef __cplusplus
#define EXECSEAL_INLINE inline
#else
#define EXECSEAL_INLINE static __attribute__((always_inline)) inline
#endif

EXECSEAL_INLINE __u64 sip_rotl(__u64 x, int bits) {
    return (x << bits) | (x >> (64 - bits));
}

EXECSEAL_INLINE void sip_round(struct sip_state* s) {
    s->v0 += s->v1;
    s->v1 = sip_rotl(s->v1, 13) ^ s->v0;
    s->v0 = sip_rotl(s->v0, 32);
    s->v2 += s->v3;
    s->v3 = sip_rotl(s->v3, 16) ^ s->v2;
    s->v0 += s->v3;
    s->v3 = sip_rotl(s->v3, 21) ^ s->v0;
    s->v2 += s->v1;
    s->v1 = sip_rotl(s->v1, 17) ^ s->v2;
    s->v2 = sip_rotl(s->v2, 32);
}

EXECSEAL_INLINE void sip_begin(struct sip_state* s, __u64 k0, __u64 k1) {
    s->v0 = k0 ^ 0x736f6d6570736575ULL;
    s->v1 = k1 ^ 0x646f72616e646f6dULL;
    s->v2 = k0 ^ 0x6c7967656e657261ULL;
    s->v3 = k1 ^ 0x7465646279746573ULL;
}

EXECSEAL_INLINE void sip_word(struct sip_state* s, __u64 word) {
    s->v3 ^= word;
    sip_round(s);
    sip_round(s);
    s->v0 ^= word;
}

EXECSEAL_INLINE __u64 sip_end(struct sip_state* s, __u64 size) {
    sip_word(s, size);
    s->v2 ^= 0xff;
    sip_round(s);
    sip_round(s);
    sip_round(s);
    sip_round(s);
    return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}

#endif
