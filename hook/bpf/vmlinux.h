// The kernel's types, as little of them as exec_binding.bpf.c looks at; libbpf finds each field in
// the running kernel's own (CO-RE).
#ifndef EXECSEAL_HOOK_BPF_VMLINUX_H
#define EXECSEAL_HOOK_BPF_VMLINUX_H

typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef unsigned long long __u64;
typedef signed char __s8;
typedef short __s16;
typedef int __s32;
typedef long long __s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;
typedef int pid_t;
typedef __u32 dev_t;

#define bool _Bool
#define true 1
#define false 0

enum bpf_map_type {
    BPF_MAP_TYPE_HASH = 1,
    BPF_MAP_TYPE_ARRAY = 2,
    BPF_MAP_TYPE_HASH_OF_MAPS = 13,
    BPF_MAP_TYPE_RINGBUF = 27,
    BPF_MAP_TYPE_TASK_STORAGE = 29,
};
enum { BPF_ANY = 0, BPF_F_NO_PREALLOC = 1 };
enum { BPF_LOCAL_STORAGE_GET_F_CREATE = 1 };
enum { BPF_RB_NO_WAKEUP = 1, BPF_RB_FORCE_WAKEUP = 2 };

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct pt_regs {
    unsigned long ax;
    unsigned long orig_ax;
};
struct notification {
    __u64 next_id;
};
struct seccomp_filter {
    struct seccomp_filter* prev;
    struct notification* notif;
};
struct seccomp {
    struct seccomp_filter* filter;
};
struct super_block {
    dev_t s_dev;
};
struct inode {
    struct super_block* i_sb;
    unsigned long i_ino;
};
struct file {
    struct inode* f_inode;
    void* private_data;
};
struct fdtable {
    unsigned int max_fds;
    struct file** fd;
};
struct files_struct {
    struct fdtable* fdt;
};
struct path {
    void* mnt;
    void* dentry;
};
struct fs_struct {
    int users;
    struct path root;
    struct path pwd;
};
struct mm_struct {
    unsigned long arg_start;
    unsigned long arg_end;
    unsigned long env_start;
    unsigned long env_end;
};
struct signal_struct {
    int nr_threads;
};
struct task_struct {
    pid_t pid;
    pid_t tgid;
    struct mm_struct* mm;
    struct fs_struct* fs;
    struct files_struct* files;
    struct signal_struct* signal;
    struct seccomp seccomp;
};
struct linux_binprm {
    struct file* file;
    const char* filename;
    int argc;
    int envc;
    int unsafe;
};

#pragma clang attribute pop

#endif
