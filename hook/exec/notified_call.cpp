#include "hook/exec/notified_call.h"

#include <fcntl.h>
#include <linux/audit.h>

#include <array>

#include "hook/os/kernel_constants.h"

namespace execseal {
namespace {

struct Abi {
    const char* name;
    std::uint32_t arch;
    int number_bits;  // set in each of its numbers
    PointerWidth width;
};

enum class Form { kExecve, kExecveat, kFork, kVfork, kClone, kClone3 };

constexpr int kNone = -1;
constexpr int kX32Bit = 0x40000000;

// The numbers are those of the kernel's system call tables; __NR_* of the headers is only this
// program's own ABI. x32 shares the numbers of x86_64 but for calls with pointers to pointers
// (arch/x86/entry/syscalls/syscall_64.tbl, 512 and up).
// clang-format off
constexpr std::array kAbis{
    Abi{"x86_64", AUDIT_ARCH_X86_64,  0,       PointerWidth::k64},
    Abi{"x32",    AUDIT_ARCH_X86_64,  kX32Bit, PointerWidth::k32},
    Abi{"i386",   AUDIT_ARCH_I386,    0,       PointerWidth::k32},
    Abi{"arm64",  AUDIT_ARCH_AARCH64, 0,       PointerWidth::k64},
    Abi{"arm",    AUDIT_ARCH_ARM,     0,       PointerWidth::k32},
};

struct Row {
    const char* name;
    Form form;
    std::array<int, kAbis.size()> numbers;  // in the order of kAbis
};

constexpr std::array kCalls{
    //                                x86_64   x32  i386  arm64    arm
    Row{"execve",   Form::kExecve,   {    59,  520,   11,   221,    11}},
    Row{"execveat", Form::kExecveat, {   322,  545,  358,   281,   387}},
    Row{"fork",     Form::kFork,     {    57,   57,    2, kNone,     2}},
    Row{"vfork",    Form::kVfork,    {    58,   58,  190, kNone,   190}},
    Row{"clone",    Form::kClone,    {    56,   56,  120,   220,   120}},
    Row{"clone3",   Form::kClone3,   {   435,  435,  435,   435,   435}},
};
// clang-format on

struct Entry {
    Form form;
    PointerWidth width;
};

std::optional<Entry> find_entry(std::uint32_t arch, int nr) {
    for (std::size_t abi = 0; abi < kAbis.size(); ++abi) {
        for (const Row& row : kCalls) {
            const int number = row.numbers.at(abi);
            if (kAbis.at(abi).arch == arch && number != kNone &&
                (number | kAbis.at(abi).number_bits) == nr) {
                return Entry{row.form, kAbis.at(abi).width};
            }
        }
    }
    return std::nullopt;
}

// Compat and x32 entry points drop the upper halves: kernel: compat_ptr(), include/linux/compat.h.
RemoteAddr pointer_argument(std::uint64_t value, PointerWidth width) {
    return RemoteAddr{width == PointerWidth::k32 ? value & 0xffffffffU : value};
}

ExecCall exec_call(const Notification& notification, const Entry& entry) {
    const auto& args = notification.args;
    const bool at = entry.form == Form::kExecveat;
    const std::size_t first = at ? 1 : 0;
    ExecCall call;
    call.tid = notification.tid;
    call.width = entry.width;
    call.path = pointer_argument(args.at(first), entry.width);
    call.argv = pointer_argument(args.at(first + 1), entry.width);
    call.envp = pointer_argument(args.at(first + 2), entry.width);
    call.dirfd = at ? static_cast<int>(args[0]) : AT_FDCWD;
    call.flags = at ? static_cast<unsigned>(args[4]) : 0;
    return call;
}

}  // namespace

NotifiedCall decode_call(const Notification& notification) {
    const auto entry = find_entry(notification.arch, notification.nr);
    if (!entry) {
        return {};
    }
    switch (entry->form) {
        case Form::kExecve:
        case Form::kExecveat:
            return exec_call(notification, *entry);
        case Form::kFork:
            return ForkCall{notification.tid, 0};
        case Form::kVfork:
            return ForkCall{notification.tid, kCloneVm | kCloneVfork};
        case Form::kClone:
            return ForkCall{notification.tid, notification.args[0]};
        case Form::kClone3:
            return ForkCall{notification.tid, std::nullopt};
    }
    return {};
}

bool is_notified_call(std::uint32_t arch, int nr) {
    return find_entry(arch, nr).has_value();
}

}  // namespace execseal
