#include "hook/os/executable.h"

#include <link.h>
#include <malloc.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdint>
#include <cstdlib>

#include "hook/os/exec_strings.h"

namespace execseal {

Result<FileIdentity> identity_of(const std::string& path) {
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) {
        return Error{errno, path};
    }
    return FileIdentity{status.st_dev, status.st_ino};
}

Result<FileIdentity> own_identity() {
    // A magic link: followed to the inode itself, whatever its name says by now (proc(5)).
    return identity_of("/proc/self/exe");
}

bool is_executable(const std::string& path) {
    struct stat status {};
    return ::stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode) &&
           ::access(path.c_str(), X_OK) == 0;
}

std::string program_path() {
    // NOLINTNEXTLINE(concurrency-mt-unsafe): read once at start; no thread of ours calls setenv
    const char* const path = std::getenv("PATH");
    return path != nullptr ? path : "/bin:/usr/bin";
}

Result<std::string> real_path(const std::string& path) {
    char resolved[PATH_MAX] = {};
    if (::realpath(path.c_str(), &resolved[0]) == nullptr) {
        return Error{errno, path};
    }
    return std::string(&resolved[0]);
}

Error become_program(const std::string& path, const std::vector<std::string>& argv) {
    ::execve(path.c_str(), exec_strings(argv).data(), environ);
    return Error{errno, "execve " + path};
}

void keep_large_allocations_apart() noexcept {
    constexpr int kApart = 128 * 1024;
    (void)::mallopt(M_MMAP_THRESHOLD, kApart);
    (void)::mallopt(M_TRIM_THRESHOLD, kApart);
}

void forget_start_up_pages() noexcept {
    (void)::malloc_trim(0);
    // The first object is the program itself (dl_iterate_phdr(3)).
    (void)::dl_iterate_phdr(
        [](dl_phdr_info* object, std::size_t, void*) {
            for (int i = 0; i < object->dlpi_phnum; ++i) {
                const auto& segment = object->dlpi_phdr[i];
                if (segment.p_type != PT_LOAD || (segment.p_flags & PF_W) != 0) {
                    continue;
                }
                const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
                const std::uintptr_t start = (object->dlpi_addr + segment.p_vaddr) & ~(page - 1);
                const std::uintptr_t end = object->dlpi_addr + segment.p_vaddr + segment.p_memsz;
                // Private and never written: nothing is lost (madvise(2), MADV_DONTNEED).
                // NOLINTNEXTLINE(performance-no-int-to-ptr): ELF gives addresses as numbers
                auto* const address = reinterpret_cast<void*>(start);
                (void)::madvise(address, end - start, MADV_DONTNEED);
            }
            return 1;
        },
        nullptr);
}

}  // namespace execseal
