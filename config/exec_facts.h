// ExecFacts: all that the policy may look at for one exec; the judge's only input.
//
// Made by the supervisor from the caller's memory and the container's file system (or by `execseal
// policy explain` from a command line). Strings are bytes as the kernel would take them, complete
// by construction: what could not be read whole never becomes ExecFacts, it is denied before.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "config/lineage.h"

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
// A rule that refuses matches any view. A rule that lets pass must match views[0] and every view
// that may run in its place (may_replace_program()).
//
// kPossible: what views[0] may run although that could not be proved: the program of a file that
// merely looks like a loader (the kernel would not choose it for that program), of `ld.so --preload
// X prog` and its like, X itself, the applet of a renamed busybox. kElfInterpreter: a file that a
// program names as its PT_INTERP and that is no loader: the kernel starts it, not the program.
enum class ViewRole { kProgram, kInterpreter, kLoader, kMultiCall, kPossible, kElfInterpreter };

inline bool may_replace_program(ViewRole role) {
    return role == ViewRole::kPossible || role == ViewRole::kElfInterpreter;
}

struct ProgramView {
    ViewRole role = ViewRole::kProgram;
    // Absolute path inside the container, symlinks resolved; "memfd:NAME" for a memfd, "PATH
    // (deleted)" when unlinked. Names that no absolute glob matches: "unreachable:PATH" (not below
    // the container's root) and "other-mounts:PATH" (on a mount that the container did not start
    // with, or in a mount namespace that the caller made itself).
    std::string exe;
    std::vector<std::string> argv;
    // What else this program is called, for rules that refuse: the path asked for, each symbolic
    // link on the way to it, its names without prefix and suffix ("/NAME" of a memfd). Without exe.
    std::vector<std::string> names = {};
    // Not empty: a link that others than the container's root can change while the program is
    // opened again by this name (a script, by its interpreter). No rule lets it pass by its name.
    std::string loose_link = {};
};

struct ExecFacts {
    std::vector<ProgramView> views;           // never empty
    std::string requested_path;               // the bytes given to execve/execveat
    std::vector<std::string> env;             // "NAME=value" strings, in order, duplicates kept
    std::string cwd;                          // inside the container, named like ProgramView::exe
    std::vector<std::string> cwd_names = {};  // as ProgramView::names
    uid_t uid = 0;  // effective ids of the caller, in the container's user namespace
    gid_t gid = 0;
    Via via = Via::kChild;
    Lineage lineage = {};
};

}  // namespace execseal
