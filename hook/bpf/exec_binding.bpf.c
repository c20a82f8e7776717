// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
//
// Compares, in the kernel and before its first instruction, what an exec of a judged container has
// taken with what was judged, and kills its process where they differ or where nobody has judged
// it.
//
// A member is a task with a filter of an enrolled listener in its chain of seccomp filters: the
// kernel hands that on to children, and no task can drop it. A supervisor enrolls its listeners and
// arms the caller of an exec before its answer "continue". Nobody who is no member is ever killed.
#include "vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "exec_binding.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

enum {
    kMostChunks = 25600,  // 6.25 MiB; the kernel takes 6 MiB of arguments at most
    // A page that is being moved cannot be read for some microseconds; each try takes about one.
    kMostTries = 4000,
    kMostFilters = 8192,  // 32,768 instructions a task are the kernel's own bound
    kSigkill = 9,
    kEsrch = 3,
    kEbadf = 9,
    kEnomem = 12,
    kEperm = 1,
    kEnosys = 38,
    kErestartsys = 512,
    kNrExecve = 59,
    kNrExecveat = 322,
    kNrExecve32 = 11,
    kNrExecveat32 = 358,
    kUnsafeShare = 1,  // LSM_UNSAFE_SHARE, check_unsafe_exec() in fs/exec.c
};

// A listener counts its notifications from a random 64-bit number; one that got the address of a
// dead one begins elsewhere.
#define WINDOW (1ULL << 32)

struct member {
    __u64 token[2];
    __u64 first_id;
    __u32 ring;
    __u32 unused;
};
struct armed {
    __u64 key[2];
    __u64 strings_hash, strings_size;
    __u64 path_hash, path_size;
    __u64 serial;
    __u64 inode;
    __u64 root[2], pwd[2];
    __u32 argc, envc;
    __u32 flags;
    __u32 ring;
    __u32 state;     // kLookExecuting while it is armed
    __u32 is_alone;  // the only thread of its process
};

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 16384);
    __type(key, __u64);  // the filter's address
    __type(value, struct member);
} members SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_TASK_STORAGE);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, int);
    __type(value, struct armed);
} armed_tasks SEC(".maps");

struct ring {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 32768);
} ring_of_nobody SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH_OF_MAPS);
    __uint(max_entries, 8192);
    __type(key, __u32);  // the supervisor's
    __array(values, struct ring);
} rings SEC(".maps");

struct chain {
    struct seccomp_filter* filter;
    __u64 found;
};

static long look_at_filter(__u32 index, void* context) {
    (void)index;
    struct chain* chain = context;
    struct seccomp_filter* filter = chain->filter;
    if (!filter) {
        return 1;
    }
    __u64 address = (__u64)filter;
    struct member* member = bpf_map_lookup_elem(&members, &address);
    if (member) {
        struct notification* notif = BPF_CORE_READ(filter, notif);
        if (notif && BPF_CORE_READ(notif, next_id) - member->first_id < WINDOW) {
            chain->found = address;
            return 1;
        }
    }
    chain->filter = BPF_CORE_READ(filter, prev);
    return 0;
}

static struct member* member_of(struct task_struct* task) {
    struct chain chain = {.filter = BPF_CORE_READ(task, seccomp.filter)};
    if (!chain.filter) {
        return 0;
    }
    bpf_loop(kMostFilters, look_at_filter, &chain, 0);
    return chain.found ? bpf_map_lookup_elem(&members, &chain.found) : 0;
}

struct walk {
    __u64 at;
    __u64 left;
    struct sip_state sip;
    __s32 error;
    __u32 tries;
};

static __always_inline long hash_chunk(struct walk* walk, bool user) {
    __u64 words[kSipChunk / 8] = {};
    __u64 size = walk->left;
    if (size > kSipChunk) {
        size = kSipChunk;
    }
    if (size == 0) {
        return 1;
    }
    walk->error = user ? bpf_probe_read_user(words, size, (void*)walk->at)
                       : bpf_probe_read_kernel(words, size, (void*)walk->at);
    if (walk->error) {
        return ++walk->tries > kMostTries;
    }
    struct sip_state sip = walk->sip;
    for (int i = 0; i < kSipChunk / 8; ++i) {
        sip_word(&sip, words[i]);
    }
    walk->sip = sip;
    walk->at += size;
    walk->left -= size;
    return 0;
}
static long hash_user_chunk(__u32 index, void* walk) {
    (void)index;
    return hash_chunk(walk, true);
}
static long hash_kernel_chunk(__u32 index, void* walk) {
    (void)index;
    return hash_chunk(walk, false);
}

// bpf_loop wants its callback known when the program is loaded.
static __always_inline bool hash(const __u64* key, __u64 at, __u64 size, bool user, __u64* out) {
    struct walk walk = {.at = at, .left = size};
    sip_begin(&walk.sip, key[0], key[1]);
    if (user) {
        bpf_loop(kMostChunks + kMostTries, hash_user_chunk, &walk, 0);
    } else {
        bpf_loop(kMostChunks + kMostTries, hash_kernel_chunk, &walk, 0);
    }
    if (walk.error || walk.left) {
        return false;
    }
    struct sip_state sip = walk.sip;
    *out = sip_end(&sip, size);
    return true;
}

static __always_inline __u32 compare(struct armed* armed, struct task_struct* task,
                                     struct linux_binprm* bprm, __u64 at, __u64 size) {
    if (armed->flags & kArmAnything) {
        return kTakenSame;
    }
    __u64 taken = 0;
    if (armed->strings_size != size) {
        return kTakenLength;
    }
    if (armed->argc != (__u32)bprm->argc || armed->envc != (__u32)bprm->envc) {
        return kTakenCount;
    }
    if (!hash(armed->key, at, size, true, &taken)) {
        return armed->flags & kArmHeld ? kTakenSame : kTakenUnreadable;
    }
    if (armed->strings_hash != taken) {
        return kTakenStrings;
    }
    // With its NUL, which no path has within.
    const __u64 path_size = armed->path_size + 1;
    if (path_size > 8192 || !hash(armed->key, (__u64)bprm->filename, path_size, false, &taken) ||
        armed->path_hash != taken) {
        return kTakenPath;
    }
    if (armed->inode != (__u64)bprm->file->f_inode) {
        return kTakenFile;
    }
    // Where a thread is being made beside the exec the kernel counts that as another process's; it
    // has ended by now, and so have all others of the process.
    struct fs_struct* fs = task->fs;
    if ((armed->is_alone && bprm->unsafe & kUnsafeShare) || fs->users != 1 ||
        armed->root[0] != (__u64)fs->root.mnt || armed->root[1] != (__u64)fs->root.dentry ||
        armed->pwd[0] != (__u64)fs->pwd.mnt || armed->pwd[1] != (__u64)fs->pwd.dentry) {
        return kTakenFs;
    }
    return kTakenSame;
}

static __always_inline void tell_executed(__u32 ring_key, __u64 serial, struct task_struct* task) {
    void* ring = bpf_map_lookup_elem(&rings, &ring_key);
    if (!ring) {
        return;
    }
    struct exec_told* told = bpf_ringbuf_reserve(ring, sizeof *told, 0);
    if (!told) {
        return;  // exec_look() finds it out
    }
    told->serial = serial;
    told->what = kToldExecuted;
    told->field = kTakenSame;
    told->tid = task->pid;
    told->process = task->tgid;
    bpf_ringbuf_submit(told, 0);
}

static __always_inline void tell_killed(__u32 ring_key, __u64 serial, __u32 field,
                                        struct task_struct* task, struct linux_binprm* bprm,
                                        __u64 at, __u64 size) {
    void* ring = bpf_map_lookup_elem(&rings, &ring_key);
    if (!ring) {
        return;
    }
    struct exec_taken* taken = bpf_ringbuf_reserve(ring, sizeof *taken, 0);
    if (!taken) {
        return;
    }
    taken->told.serial = serial;
    taken->told.what = kToldKilled;
    taken->told.field = field;
    taken->told.tid = task->pid;
    taken->told.process = task->tgid;
    taken->strings_size = size;
    taken->argc = (__u32)bprm->argc;
    taken->envc = (__u32)bprm->envc;
    taken->inode = bprm->file->f_inode->i_ino;
    taken->device = bprm->file->f_inode->i_sb->s_dev;
    __u32 bytes = size < kTakenBytes ? size : kTakenBytes;
    if (bytes > kTakenBytes || bpf_probe_read_user(taken->strings, bytes, (void*)at)) {
        bytes = 0;
    }
    taken->bytes = bytes;
    if (bpf_probe_read_kernel_str(taken->path, sizeof taken->path, bprm->filename) < 0) {
        taken->path[0] = 0;
    }
    bpf_ringbuf_submit(taken, BPF_RB_FORCE_WAKEUP);
}

// The new memory is there, its stack laid out; nothing of the program has run, and nothing does
// before a pending SIGKILL.
SEC("tp_btf/sched_process_exec")
int BPF_PROG(compare_exec, struct task_struct* current_task, pid_t old_pid,
             struct linux_binprm* bprm) {
    (void)current_task;
    (void)old_pid;
    struct task_struct* task = bpf_get_current_task_btf();
    struct armed* armed = bpf_task_storage_get(&armed_tasks, task, 0, 0);
    const bool is_armed = armed && armed->state == kLookExecuting;
    struct member* member = is_armed ? 0 : member_of(task);
    if (!is_armed && !member) {
        return 0;
    }
    const __u64 at = task->mm->arg_start;
    const __u64 size = task->mm->env_end - at;
    const __u32 field = is_armed ? compare(armed, task, bprm, at, size) : kTakenUnarmed;
    const __u64 serial = is_armed ? armed->serial : 0;
    const __u32 ring = is_armed ? armed->ring : member ? member->ring : 0;
    if (is_armed) {
        armed->state = field == kTakenSame ? kLookExecuted : kLookKilled;  // one use
    }
    if (field == kTakenSame) {
        tell_executed(ring, serial, task);
        return 0;
    }
    // EBUSY where its irq_work is taken; only with interrupts off, which they are not here.
    if (bpf_send_signal(kSigkill)) {
        bpf_send_signal_thread(kSigkill);
    }
    tell_killed(ring, serial, field, task, bprm, at, size);
    return 0;
}

// --- Called by supervisors (BPF_PROG_TEST_RUN): the current task is the supervisor ---------------

extern struct task_struct* bpf_task_from_pid(__s32 pid) __ksym;
extern void bpf_task_release(struct task_struct* task) __ksym;

static struct file* own_file(__s32 fd) {
    struct task_struct* me = bpf_get_current_task_btf();
    struct fdtable* table = BPF_CORE_READ(me, files, fdt);
    struct file** files = BPF_CORE_READ(table, fd);
    struct file* file = 0;
    if (fd < 0 || (__u32)fd >= BPF_CORE_READ(table, max_fds)) {
        return 0;
    }
    bpf_probe_read_kernel(&file, sizeof file, files + fd);
    return file;
}

SEC("syscall")
int enroll(struct exec_enroll* a) {
    struct file* file = own_file(a->listener);
    struct seccomp_filter* filter = file ? BPF_CORE_READ(file, private_data) : 0;
    a->error = -kEbadf;
    if (!filter) {
        return 0;
    }
    struct notification* notif = BPF_CORE_READ(filter, notif);
    if (!notif) {
        return 0;
    }
    struct member member = {.token = {a->token[0], a->token[1]},
                            .first_id = BPF_CORE_READ(notif, next_id),
                            .ring = a->ring};
    __u64 address = (__u64)filter;
    a->filter = address;
    a->error = bpf_map_update_elem(&members, &address, &member, BPF_ANY);
    return 0;
}

static __always_inline void fill(struct exec_arm* a, struct armed* armed, struct task_struct* task,
                                 __u32 ring) {
    armed->state = kLookGone;  // nothing is armed while this changes
    struct inode* inode = 0;
    if (!(a->flags & kArmAnything)) {
        struct file* file = own_file(a->file);
        inode = file ? BPF_CORE_READ(file, f_inode) : 0;
        if (!inode) {
            a->error = -kEbadf;
            return;
        }
    }
    struct fs_struct* fs = BPF_CORE_READ(task, fs);
    armed->root[0] = (__u64)BPF_CORE_READ(fs, root.mnt);
    armed->root[1] = (__u64)BPF_CORE_READ(fs, root.dentry);
    armed->pwd[0] = (__u64)BPF_CORE_READ(fs, pwd.mnt);
    armed->pwd[1] = (__u64)BPF_CORE_READ(fs, pwd.dentry);
    armed->key[0] = a->key[0];
    armed->key[1] = a->key[1];
    armed->strings_hash = a->strings_hash;
    armed->strings_size = a->strings_size;
    armed->path_hash = a->path_hash;
    armed->path_size = a->path_size;
    armed->serial = a->serial;
    armed->inode = (__u64)inode;
    armed->argc = a->argc;
    armed->envc = a->envc;
    armed->flags = a->flags;
    a->threads = (__u32)BPF_CORE_READ(task, signal, nr_threads);
    armed->is_alone = a->threads == 1;
    armed->ring = ring;
    armed->state = kLookExecuting;
    a->error = 0;
}

// Refuses (EPERM) a task that is no member of a listener with this token.
SEC("syscall")
int arm(struct exec_arm* a) {
    a->error = -kEsrch;
    struct task_struct* task = bpf_task_from_pid(a->tid);
    if (!task) {
        return 0;
    }
    struct member* member = member_of(task);
    if (!member || member->token[0] != a->token[0] || member->token[1] != a->token[1]) {
        a->error = -kEperm;
    } else {
        struct armed* armed =
            bpf_task_storage_get(&armed_tasks, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
        a->error = -kEnomem;
        if (armed) {
            fill(a, armed, task, member->ring);
        }
    }
    bpf_task_release(task);
    return 0;
}

// In execve(2) still: the registers that the system call was entered with are there, and its result
// is not. An interrupt in the old program overwrites them.
static __always_inline void look_at_registers(struct exec_look* a, struct task_struct* task) {
    struct pt_regs* regs = (struct pt_regs*)bpf_task_pt_regs(task);
    const __s64 number = BPF_CORE_READ(regs, orig_ax);
    const __s32 result = (__s32)BPF_CORE_READ(regs, ax);
    const bool is_exec = number == kNrExecve || number == kNrExecveat || number == kNrExecve32 ||
                         number == kNrExecveat32;
    if (is_exec && result == -kEnosys) {
        a->state = kLookExecuting;
        return;
    }
    if (is_exec && (result == number || result <= -kErestartsys)) {
        a->state = kLookExecuting;  // it is about to be called again, for a signal
        return;
    }
    a->state = kLookReturned;
    a->error = is_exec ? -result : -1;
}

static __always_inline bool look_at(struct exec_look* a, __s32 number) {
    struct task_struct* task = bpf_task_from_pid(number);
    if (!task) {
        return false;
    }
    struct armed* armed = bpf_task_storage_get(&armed_tasks, task, 0, 0);
    const bool found = armed && armed->serial == a->serial;
    if (found) {
        a->state = armed->state;
        if (armed->state == kLookExecuting) {
            look_at_registers(a, task);
        }
    }
    bpf_task_release(task);
    return found;
}

SEC("syscall")
int look(struct exec_look* a) {
    a->state = kLookGone;
    a->error = 0;
    if (!look_at(a, a->tid) && a->process != a->tid) {
        look_at(a, a->process);
    }
    return 0;
}
