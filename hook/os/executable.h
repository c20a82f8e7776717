// Programs as files: finding one, telling two apart, and becoming one.
#pragma once

#include <sys/types.h>

#include <compare>
#include <string>
#include <vector>

#include "hook/os/result.h"

namespace execseal {

struct FileIdentity {
    dev_t device = 0;
    ino_t inode = 0;
    friend bool operator==(const FileIdentity&, const FileIdentity&) = default;
};

// Of the file behind all symlinks.
Result<FileIdentity> identity_of(const std::string& path);
// Of the running program, also when its file was replaced or removed since.
Result<FileIdentity> own_identity();

// A regular file that this process may execute.
bool is_executable(const std::string& path);

// $PATH, or what execvp(3) takes without one.
std::string program_path();

// realpath(3): absolute, without symlinks.
Result<std::string> real_path(const std::string& path);

// execve(2) with this process's environment; descriptors without CLOEXEC stay open. Returns only
// when it failed.
Error become_program(const std::string& path, const std::vector<std::string>& argv);

// A free of 128 KiB and more gives the memory back at once, whatever was freed before (mallopt(3):
// the limit would grow with it).
void keep_large_allocations_apart() noexcept;

// For a process that lives long after a start that needed much: unmaps the pages of its own code
// and constants (they stay in the page cache, and the few that are used again come back by a minor
// fault) and gives free heap back. What it cannot give back, it keeps.
void forget_start_up_pages() noexcept;

}  // namespace execseal
