// Kernel interface values that the headers of Debian 12 (Linux 6.1) or the C library lack.
//
// The only place for them. Whether the running kernel has a thing is found by trying it, never by
// its version.
#pragma once

#include <linux/seccomp.h>
#include <sys/ioctl.h>

#include <cstdint>

// include/uapi/linux/seccomp.h, Linux 6.6.
#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, __u64)
#endif
#ifndef SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP (1UL << 0)
#endif

// include/uapi/linux/stat.h, Linux 6.8: a mount id that no later mount gets again.
#ifndef STATX_MNT_ID_UNIQUE
#define STATX_MNT_ID_UNIQUE 0x00004000U
#endif

// include/uapi/linux/nsfs.h, Linux 6.11: a number of that PID namespace, as the caller sees it.
#ifndef NS_GET_PID_FROM_PIDNS
#define NS_GET_PID_FROM_PIDNS _IOR(0xb7, 0x6, int)
#endif
// The other way round: a number of the caller's, as that PID namespace sees it.
#ifndef NS_GET_PID_IN_PIDNS
#define NS_GET_PID_IN_PIDNS _IOR(0xb7, 0x8, int)
#endif

namespace execseal {

// include/linux/errno.h: never seen by a program, but by a tracer at a stop, and taken by
// SECCOMP_IOCTL_NOTIF_SEND as an error like any other.
constexpr int kErestartsys = 512;
constexpr int kErestartnointr = 513;
constexpr int kErestartRestartblock = 516;  // the last of those that say that a call starts again

// clone(2) flags as they stand in the register, for code that must not include <sched.h>'s.
constexpr std::uint64_t kCloneVm = 0x00000100;
constexpr std::uint64_t kCloneFs = 0x00000200;
constexpr std::uint64_t kCloneVfork = 0x00004000;
constexpr std::uint64_t kCloneParent = 0x00008000;
constexpr std::uint64_t kCloneThread = 0x00010000;
constexpr std::uint64_t kCloneUntraced = 0x00800000;

// include/uapi/linux/pidfd.h, Linux 6.9: of a thread, not only of a thread group's leader.
constexpr unsigned kPidfdThread = 0200;  // O_EXCL
// include/uapi/linux/pidfd.h, Linux 6.13: struct pidfd_info as it was then, which every later
// kernel takes. Numbers and ids are as its reader sees them.
struct PidfdInfo {
    std::uint64_t mask = 0;  // in: what is asked for besides numbers and ids, which always come
    std::uint64_t cgroup_id = 0;
    std::uint32_t pid = 0, tgid = 0, ppid = 0;
    std::uint32_t ruid = 0, rgid = 0, euid = 0, egid = 0;
    std::uint32_t suid = 0, sgid = 0, fsuid = 0, fsgid = 0;
    std::int32_t exit_code = 0;
};
static_assert(sizeof(PidfdInfo) == 64, "PIDFD_INFO_SIZE_VER0");
constexpr unsigned long kPidfdGetInfo = _IOWR(0xff, 11, PidfdInfo);

// include/uapi/linux/fs.h, Linux 6.11: the mapping at an address, asked of /proc/PID/maps.
struct ProcmapQuery {
    std::uint64_t size = sizeof(ProcmapQuery);
    std::uint64_t query_flags = 0;
    std::uint64_t query_addr = 0;
    std::uint64_t vma_start = 0, vma_end = 0, vma_flags = 0, vma_page_size = 0, vma_offset = 0;
    std::uint64_t inode = 0;
    std::uint32_t dev_major = 0, dev_minor = 0, vma_name_size = 0, build_id_size = 0;
    std::uint64_t vma_name_addr = 0, build_id_addr = 0;
};
static_assert(sizeof(ProcmapQuery) == 104, "struct procmap_query");
constexpr unsigned long kProcmapQuery = _IOWR('f', 17, ProcmapQuery);
constexpr std::uint64_t kProcmapShared = 0x08;  // of vma_flags

// include/uapi/linux/magic.h, PID_FS_MAGIC, Linux 6.9.
constexpr long kPidfsMagic = 0x50494446;

// include/uapi/linux/fcntl.h, Linux 6.14: execveat(2) only asks whether the file may be executed.
constexpr unsigned kAtExecveCheck = 0x10000;

}  // namespace execseal
