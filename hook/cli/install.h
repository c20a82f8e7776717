// `execseal install` and `execseal uninstall`: the node's container programs learn of execseal, or
// forget it.
#pragma once

#include <string>
#include <vector>

#include "hook/cli/node_files.h"
#include "hook/os/result.h"

namespace execseal {

enum class DryRun { kNo, kYes };

struct InstallOptions {
    InstallDirection direction = InstallDirection::kInstall;
    std::vector<NodeProgram> programs;  // empty: those that are on the node
    std::string root;
    std::string share;  // empty: PREFIX/share/execseal of the running PREFIX/bin/execseal
    DryRun dry_run = DryRun::kNo;
    bool user = false;  // this user's own files, for rootless podman, and nothing of the node's
};

// Prints a diff of each change, then makes it, each file by rename. A file of another program is
// first copied to FILE.before-execseal, once; uninstall removes that copy where the file is as it
// was. Doing it again changes nothing. Never restarts anything.
Result<int> run_install(const InstallOptions& options);

}  // namespace execseal
