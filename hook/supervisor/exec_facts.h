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
//   a script            -> the script;            then its interpreter chain as kInterpreter (argv
//   as the kernel builds it) ld.so prog args     -> prog, argv from prog;  then ld.so itself as
//   kLoader with the whole argv busybox (multi-call) -> DIR/applet, argv from the applet; then the
//   binary itself as kMultiCall with the whole argv
// A rule that allows must match views[0]; a rule that denies matches any view.
enum class ViewRole { kProgram, kInterpreter, kLoader, kMultiCall };

struct ProgramView {
    ViewRole role = ViewRole::kProgram;
    std::string exe;  // absolute path inside the container, symlinks resolved; "memfd:NAME" for a
                      // memfd, "PATH (deleted)" unlinked
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
