// ExecFacts: all that the policy may look at for one exec; the judge's only input.
//
// Made by the supervisor from the caller's memory and the container's file system (or by `execseal
// policy explain` from a command line). Strings are bytes as the kernel would take them, complete
// by construction: what could not be read whole never becomes ExecFacts, it is denied before.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace execseal {

// Where the exec comes from: the container's first program, the first program of a `runc exec`, or
// anything later.
enum class Via { kChild, kEntrypoint, kExec };

// One program that this exec would run. views[0] is the program itself, as an operator thinks of
// it:
//   a script                 -> the script; then its interpreter chain as kInterpreter, argv as the
//                               kernel builds it
//   ld.so prog args          -> prog, argv from prog; then ld.so itself as kLoader, the whole argv
//   busybox (multi-call)     -> DIR/applet, argv from the applet; then the binary itself as
//                               kMultiCall, the whole argv
// A rule that allows must match views[0]; a rule that denies matches any view.
//
// kPossible: what views[0] may run although that could not be proved, so that only denials look at
// it: the program of a file that merely looks like a loader (the kernel would not choose it for
// that program), of `ld.so --preload X prog` and its like, the applet of a renamed busybox.
enum class ViewRole { kProgram, kInterpreter, kLoader, kMultiCall, kPossible };

struct ProgramView {
    ViewRole role = ViewRole::kProgram;
    // Absolute path inside the container, symlinks resolved; "memfd:NAME" for a memfd, "PATH
    // (deleted)" when unlinked. Names that no absolute glob matches: "unreachable:PATH" (not below
    // the container's root) and "other-mounts:PATH" (the caller made itself a mount namespace).
    std::string exe;
    std::vector<std::string> argv;
};

struct ExecFacts {
    std::vector<ProgramView> views;  // never empty
    std::string requested_path;      // the bytes given to execve/execveat
    std::vector<std::string> env;    // "NAME=value" strings, in order, duplicates kept
    std::string cwd;                 // inside the container
    uid_t uid = 0;  // effective ids of the caller, in the container's user namespace
    gid_t gid = 0;
    Via via = Via::kChild;
};

}  // namespace execseal
