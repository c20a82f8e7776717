// exec_target: the file that an execve names, before anything is known of it.
//
// Takes the decoded call, its path and the caller's view of the file system, gives the file as the
// kernel would open it. Needs neither argv nor environment, as the kernel does not (alloc_bprm(),
// fs/exec.c): of a program that is not there, nothing else is worth a look. May block on a hung
// mount: runs in an expendable process.
#pragma once

#include <string>

#include "hook/exec/arguments.h"
#include "hook/exec/path_walk.h"

namespace execseal {

Result<WalkedPath> open_exec_target(const ExecCall& call, const std::string& path,
                                    const CallerView& view, Trace trace = Trace::kNo);

// What the kernel calls the file that is executed: AT_EXECFN, and the script in an interpreter's
// argv. That is the path itself but for one that starts at a descriptor (alloc_bprm(), fs/exec.c).
std::string exec_filename(const ExecCall& call, const std::string& path);

// Whether an Error of open_exec_target() is what the kernel would answer, and not one of ours (no
// descriptors left, say).
bool is_kernels_answer(const Error& error);

}  // namespace execseal
